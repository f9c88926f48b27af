"""Section 4 of the lecture as text: E20–E25."""

from minipg.claims.statement import S4, Statement

EQUATIONS = (
    Statement("E20", S4, "the table of ψ_t: bias and variance of R, Q, A and reward-to-go − V",
        "All methods weight ∇log π by some ψ; they differ in how biased and how noisy that "
        "weight is. R, counted from the start of the game, takes no γ^t.",
        r"\nabla = \mathbb{E} \sum_t^T \gamma^t\, \nabla_{\theta} \log \pi(a_t | s_t, \theta) "
        r"\A{\psi_t}",
        "errata 7", "truth.exact.logit_score", ("psi",),
        ("truth.exact.expected_score", "truth.exact.visits")),
    Statement("E21", S4, "a critic only for the baseline: unbiased, whatever its error",
        "Rewards as they were, minus the critic's value (the infinite eligibility trace): a "
        "wrong critic costs variance, never bias. The code is GAE; with λ = 1 it is this sum.",
        r"\begin{aligned} \nabla &= \mathbb{E} \sum_t^T \gamma^t\, \nabla_{\theta} \log "
        r"\pi(a_t | s_t, \theta) \left(\sum_{t'=t+1}^T \gamma^{t'-t-1} r(s_{t'}) - "
        r"V^{\pi}(s_t) \right) = \\ &= \mathbb{E} \sum_t^T \gamma^t\, \nabla_{\theta} \log "
        r"\pi(a_t | s_t, \theta) \sum_{i=0}^{T-t-1} \A{\gamma}^i \B{\delta_{t+i}} \end{aligned}",
        "errata 7", "estimators.returns.gae", ("gamma", "delta"),
        ("estimators.returns.td_error", "estimators.returns.discounted_sum")),
    Statement("E22", S4,
        "the N-step advantage A_(N) = Σ_{i<N} γ^i r + γ^N V(s_{t+N}) − V(s_t)",
        "N rewards as they were, then the critic's value; N moves between bias and variance. "
        "Written in TD errors δ the values in between cancel.",
        r"\begin{aligned} A_{(\A{N})}^{\pi} &= \sum_{t'=t+1}^{t+\A{N}} \B{\gamma}^{t'-t-1} "
        r"r(s_{t'}) + \B{\gamma}^{\A{N}} V^{\pi}(s_{t+\A{N}}) - V^{\pi}(s_t) = \\ &= "
        r"\sum_{i=0}^{\A{N}-1} \B{\gamma}^i \C{\delta_{t+i}} \end{aligned}",
        "errata 7", "estimators.returns.n_step_advantage", ("n", "gamma", "delta"),
        ("estimators.recursion.first_terms", "estimators.returns.td_error")),
    Statement("E23", S4, "GAE as an average: (1−λ)(A_(1) + λA_(2) + λ²A_(3) + …)",
        "Generalized advantage estimation is the exponentially weighted average of all N-step"
        " advantages; where T steps are left, the last takes the rest of the weights.",
        r"A_{(\text{GAE})}^{\pi}(s_t, a_t) = (1 - \A{\lambda})(\B{A_{(1)}^{\pi}} + "
        r"\A{\lambda} \B{A_{(2)}^{\pi}} + \dots + \A{\lambda}^{T-1} \B{A_{(T)}^{\pi}}) + "
        r"\C{\lambda^T A_{(T)}^{\pi}}",
        "errata 5", "estimators.returns.gae_ensemble", ("lam", "n_step_advantage parts", "last"),
        ("estimators.returns.n_step_advantage",)),
    Statement("E24", S4, "GAE and λ: Σ_i (γλ)^i δ_{t+i}",
        "The same average as one sum of TD errors, which is how it is computed: backwards "
        "through the batch. With a bad critic a small λ trusts its values and is biased; a λ near "
        "1 trusts the rewards, less biased and noisier.",
        r"A_{(\text{GAE})}^{\pi}(s_t, a_t) = \sum_{i=0}^{\infty} (\A{\lambda} \B{\gamma})^i "
        r"\C{(r(s_{t+i+1}) + \gamma V^{\pi}(s_{t+i+1}) - V^{\pi}(s_{t+i}))}",
        "errata 4", "estimators.returns.gae", ("lam", "gamma", "delta"),
        ("estimators.returns.discounted_sum", "estimators.recursion.backward_recursion")),
    Statement("E25", S4, "λ = 0 is A2C's advantage δ, λ = 1 the infinite trace ΣR − V",
        "The two ends of GAE: only the critic's next value, or only the rewards; the balance "
        "is in between.",
        r"\A{\lambda} = 0{:}\; \B{\delta_t}, \qquad \A{\lambda} = 1{:}\; \sum_{t'} "
        r"\gamma^{t'-t} r(s_{t'+1}) - V^{\pi}(s_t)",
        "words", "estimators.returns.gae", ("lam", "delta"),
        ("estimators.returns.discounted_sum",)),
)  # fmt: skip
