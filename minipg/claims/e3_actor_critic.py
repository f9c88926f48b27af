"""Section 3 of the lecture as text: E11–E19."""

from minipg.claims.statement import S3, Statement

EQUATIONS = (
    Statement("E11", S3, "the reward-to-go estimates Q: ∇J = E Σ_t γ^t ∇log π Q^π(s_t, a_t)",
        "The policy-gradient theorem: each action is weighted by its action value, the "
        "rewards expected from it on; the return of one game is a noisy sample of that.",
        r"\nabla = \mathbb{E} \sum_t^T \gamma^t\, \nabla_{\theta} \log \pi(a_t | s_t, \theta) "
        r"\A{Q^{\pi}(s_t, a_t)}",
        "errata 7", "truth.exact.action_values", ("action_values",),
        ("truth.exact.state_values", "truth.exact.policy_gradient")),
    Statement("E12", S3, "Q − b in place of Q; E_a Q = V, A = Q − V, E_a A = 0",
        "The advantage says how much better an action is than the policy's average in its "
        "state; the state's value V is the natural baseline.",
        r"\nabla = \mathbb{E} \sum_t^T \gamma^t\, \nabla_{\theta} \log \pi(a_t | s_t, \theta) "
        r"(\A{Q^{\pi}(s_t, a_t)} - \B{V^{\pi}(s_t)})",
        "errata 7", "truth.exact.advantages", ("action_values", "values"),
        ("truth.exact.action_values", "truth.exact.state_values")),
    Statement("E13", S3, "the critic approximates A, Q or V",
        "What a critic may learn: the advantage by compatible features, action values by "
        "expected SARSA (not by Q-learning), or the state's value, the simplest.",
        r"A_{\A{w}}(s, a) = \A{w}^T \B{\nabla_{\theta} \log \pi(a | s)}, \qquad Q^{\pi}, "
        r"\qquad V^{\pi}",
        "words", "estimators.action_critics.compatible_advantage", ("w", "score"),
        ("estimators.fits.least_squares", "estimators.action_critics.QCritic",
         "truth.optimal.optimal_action_values")),
    Statement("E14", S3, "A ≈ r + γV(s′) − V(s): unbiased for A where V = V^π",
        "One step of experience and the values of both states, the temporal-difference (TD) "
        "error δ, is on average the advantage.",
        r"Q^\pi(s_t, a_t) - V^\pi(s_t) \approx \A{r(s_{t+1})} + \B{\gamma V^\pi(s_{t+1})} - "
        r"\C{V^\pi(s_t)}",
        "errata 7", "estimators.returns.td_error", ("rewards", "following", "values"),
        ("estimators.critics.td_errors", "validate.product")),
    Statement("E15", S3, "the critic's targets Σ r and r + γV(s′): V^π is the fixed point of both",
        "A critic is taught by the whole rest of the game (Monte Carlo) or by one reward and "
        "its own next value (bootstrapping); both end at the true values.",
        r"\A{y} = V^\pi(s) \approx \sum_{t'=t+1}^T \gamma^{t'-t-1} r(s_{t'}), \qquad \A{y} = "
        r"V^\pi(s) \approx r(s') + \gamma V^\pi(s')",
        "errata 7", "estimators.critics.VCritic.error_gradient", ("target",),
        ("estimators.critics.td_errors", "estimators.fits.lstd")),
    Statement("E16", S3, "A2C: get (s, a, r, s′), update the critic, evaluate Â, update the policy",
        "Advantage actor-critic, step by step: the critic learns first, then its advantage "
        "weights the step of the actor.",
        r"\A{\hat{A}(s, a)} = r + \gamma \hat{V}(s') - \hat{V}(s), \qquad "
        r"\B{\nabla_{\theta} \log \pi(a \mid s, \theta) \hat{A}(s, a)}",
        "errata 7", "algorithms.actor_critic.actor_critic", ("psi", "ascent_direction"),
        ("algorithms.actor_critic.ascent_direction", "estimators.critics.td_errors")),
    Statement("E17", S3, "two networks, or one shared feature extractor with two heads",
        "Actor and critic may have a network each, or share the hidden layers and differ in "
        "the last; then both losses move the shared parameters.",
        r"\nabla_{\theta} \Bigl[\log \pi_{\theta}(a | s)\, \A{\psi} - \tfrac{1}{2} c\, "
        r"(V_{\theta}(s) - \B{y})^2\Bigr]",
        "words", "algorithms.actor_critic.ascent_direction", ("psi", "target"),
        ("estimators.critics.SharedCritic",)),
    Statement("E18", S3, "N steps of several games: a batch's gradient is the mean of its parts'",
        "A gradient step every N game steps of parallel environments uses all their data at "
        "once and averages.",
        r"\A{\frac{1}{B}} \sum_{b=1}^{B} \sum_{t=0}^{N-1} \nabla_{\theta} \log \pi(a_t | "
        r"s_t, \theta)\, \B{\psi_t}",
        "words", "estimators.score_function.gradient", ("weight", "psi"),
        ("estimators.score_function.gradients", "validate.product")),
    Statement("E19", S3, "a critic with error e biases δ's gradient by E Σ_t γ^t ∇log π γ e(s′)",
        "Where the critic is wrong the gradient is wrong too, by an amount that can be "
        "computed: which state comes next, and so its error, depends on the action.",
        r"\mathbb{E}\, \hat{\nabla} - \nabla J = \mathbb{E} \sum_t \gamma^t \nabla_{\theta} "
        r"\log \pi(a_t | s_t, \theta)\, \gamma\, \A{e(s_{t+1})}, \qquad e = \hat{V} - "
        r"V^{\pi}",
        "words", "truth.exact.bootstrap_bias", ("error",),
        ("truth.exact.expected_score",)),
)  # fmt: skip
