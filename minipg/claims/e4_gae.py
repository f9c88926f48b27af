"""Section 4 of the lecture as text: E20–E25."""

from minipg.claims.statement import S4, Statement

EQUATIONS = (
    Statement("E20", S4, "the table of ψ_t: bias and variance of R, Q, A and reward-to-go − V",
        "All methods weight ∇log π by some ψ; they differ in how biased and how noisy that "
        "weight is.",
        r"\nabla = \mathbb{E} \sum_t^T \nabla_{\theta} \log \pi(a_t | s_t, \theta) "
        r"\A{\psi_t}",
        "slide", "truth.exact.logit_score", ("psi",),
        ("truth.exact.expected_score", "truth.exact.visits")),
    Statement("E21", S4, "a critic only for the baseline: unbiased, whatever its error",
        "Returns as they were, minus the critic's value (the infinite eligibility trace): a "
        "wrong critic costs variance, never bias.",
        r"\nabla = \mathbb{E} \sum_t^T \nabla_{\theta} \log \pi(a_t | s_t, \theta) "
        r"\left(\sum_{t'=t+1}^T \A{r(s_{t'})} - V^{\pi}(s_t) \right)",
        "slide", "estimators.returns.gae", ("delta",),
        ("estimators.returns.td_error", "estimators.returns.discounted_sum")),
    Statement("E22", S4, "A_(N) = Σ_{i<N} γ^i r + γ^N V(s_{t+N}) − V(s_t)",
        "The N-step advantage: N rewards as they were, then the critic's value; N moves "
        "between bias and variance.",
        r"A_{(\A{N})}^{\pi} = \sum_{t'=t+1}^{t+\A{N}} r(s_{t'}) + V^{\pi}(s_{t+\A{N}}) - "
        r"V^{\pi}(s_t)",
        "slide", "estimators.returns.n_step_advantage", ("n",),
        ("estimators.recursion.first_terms", "estimators.returns.td_error")),
    Statement("E23", S4, "GAE = (1−λ)(A_(1) + λA_(2) + λ²A_(3) + …)",
        "Generalized advantage estimation is the exponentially weighted average of all N-step"
        " advantages.",
        r"A_{(\text{GAE})}^{\pi}(s_t, a_t) = (1 - \A{\lambda})(\B{A_{(1)}^{\pi}} + "
        r"\A{\lambda} \B{A_{(2)}^{\pi}} + \A{\lambda}^2 \B{A_{(3)}^{\pi}} + \dots)",
        "slide", "estimators.returns.gae_ensemble", ("lam", "n_step_advantage parts"),
        ("estimators.returns.n_step_advantage",)),
    Statement("E24", S4, "GAE = Σ_i (γλ)^i δ_{t+i}",
        "The same average as one sum of TD errors, which is how it is computed: backwards "
        "through the batch.",
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
