"""Section 1 of the lecture as text: E01–E06."""

from minipg.claims.statement import S1, Statement

EQUATIONS = (
    Statement("E01", S1, "the objective J(θ) = E_π E_T R",
        "The return of a game (the discounted sum of its rewards), averaged over what the policy "
        "chooses and what the environment does.",
        r"\A{\mathbb{E}_{\pi(\theta)} \mathbb{E}_{\mathcal{T}} R} \rightarrow \max_{\theta}",
        "slide", "truth.exact.objective", ("start state_values",),
        ("truth.exact.state_values", "estimators.returns.total_return")),
    Statement("E02", S1, "metaheuristics: the cross-entropy method maximises J(θ) with no gradient",
        "Black-box search draws many parameters, keeps the best few and draws the next around"
        " them; it needs returns only, never a derivative.",
        r"\B{\theta_i} \sim \mathcal{N}(\A{\mu}, \C{\sigma}^2), \qquad \A{\mu}, "
        r"\C{\sigma}^2 \leftarrow \text{mean and variance of the best } \B{\theta_i}",
        "words", "algorithms.cem.cem", ("theta", "candidates best", "std"),
        ()),
    Statement("E03", S1, "the log-derivative trick: ∇E_{x∼π} f = E_{x∼π} ∇log π f",
        "The gradient of an average over samples becomes an average of the score ∇log π (the "
        "likelihood ratio), so it can be estimated from samples.",
        r"\nabla_{\theta} \mathbb{E}_{x \sim \pi(x, \theta)} f(x) = "
        r"\int \pi(x, \theta) \nabla_{\theta} \log \pi(x, \theta) f(x) dx = \mathbb{E}_{x "
        r"\sim \pi(x, \theta)} \A{\nabla_{\theta} \log \pi(x, \theta)} \B{f(x)}",
        "slide", "policies.policy.Policy._weighted_score", ("score", "psi"),
        ("policies.softmax.Softmax.score", "policies.gaussian.Gaussian.score")),
    Statement("E04", S1,
        "importance sampling: ∇E_{x∼φ} (π/φ) f = ∇E_{x∼π} f, φ fixed and > 0 wherever π is",
        "Samples of another distribution, weighted by the ratio of the two probabilities, give "
        "the same gradient. In the code x is a game, and its weight the product of those of its "
        "actions.",
        r"\nabla_{\theta} \mathbb{E}_{x \sim \phi(x)} \A{\frac{\pi(x, \theta)}{\phi(x)}} "
        r"f(x) = \mathbb{E}_{x \sim \phi(x)} \frac{\nabla_{\theta} \pi(x, \theta)}{\phi(x)} "
        r"f(x)",
        "slide", "estimators.importance.decision_weights", ("weights",),
        ("estimators.importance.log_decision_weights",
         "estimators.importance.importance_weight")),
    Statement("E05", S1, "REINFORCE: E Σ_t ∇log π(a_t|s_t) R = ∇J",
        "Play, and make each action taken more likely in proportion to the game's return: on "
        "average that is the gradient of the objective.",
        r"\nabla_{\theta} \mathbb{E}_{\pi(\theta)} \mathbb{E}_{\mathcal{T}} R \approx "
        r"\sum_t^T \A{\nabla_{\theta} \log \pi(a_t | s_t, \theta)} \B{R}",
        "slide", "estimators.score_function.gradients", ("weighted_score", "psi"),
        ("policies.policy.Policy._weighted_score",)),
    Statement("E06", S1, "the variance of one game's estimate; M games divide it by M, no more",
        "The reason why REINFORCE does not work: the noise of one game is far larger than the"
        " gradient, and averaging more games helps slowly.",
        r"\A{\operatorname{Var}}\Bigl[\frac{1}{M} \sum_{i=1}^{M} \B{X_i}\Bigr] = "
        r"\frac{1}{M} \A{\operatorname{Var}}[\B{X}]",
        "words", "experience.batch.moments", ("covariance", "samples"),
        ()),
)  # fmt: skip
