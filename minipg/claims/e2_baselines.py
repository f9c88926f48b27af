"""Section 2 of the lecture as text: E07–E10."""

from minipg.claims.statement import S2, Statement

EQUATIONS = (
    Statement("E07", S2, "the score has mean 0: E ∇log π = 0",
        "The score is zero on average, because probabilities sum to 1 whatever the "
        "parameters.",
        r"\mathbb{E} \A{\nabla_{\theta} \log \pi(\theta)} = \int \nabla_{\theta} "
        r"\pi(\theta) = \nabla_{\theta} \int \pi(\theta) = \nabla_{\theta} 1 = 0",
        "slide", "policies.softmax.Softmax.score", ("score",),
        ("policies.softmax.Softmax.probs",)),
    Statement("E08", S2, "a baseline adds no bias and changes the variance",
        "Anything that does not depend on the action may be subtracted from the return: the "
        "mean of the gradient stays, its noise does not.",
        r"\mathbb{E}\, \nabla_{\theta} \log \pi(\theta) (\A{R} - \B{b}) = \mathbb{E}\, "
        r"\nabla_{\theta} \log \pi(\theta) \A{R}",
        "words", "estimators.baselines.constant_baseline", ("psi", "_ratio_of_means"),
        ("estimators.baselines._ratio_of_means", "estimators.groups.rloo")),
    Statement("E09", S2, "the optimal baseline b = E(∇log π)²R / E(∇log π)²: no other varies less",
        "The constant of lowest variance: a mean of the returns weighted by the squared score, "
        "often near the plain mean return.",
        r"b = \frac{\A{\mathbb{E}(\nabla_{\theta} \log \pi(\theta))^2 "
        r"R}}{\B{\mathbb{E}(\nabla_{\theta} \log \pi(\theta))^2}}",
        "slide", "estimators.baselines.optimal_baseline", ("above", "below"),
        ("estimators.baselines._ratio_of_means",)),
    Statement("E10", S2, "careful REINFORCE: the reward-to-go in place of R, the same mean ∇J",
        "Rewards that came before an action cannot depend on it; leaving them out keeps the "
        "gradient's mean (causality).",
        r"\nabla = \mathbb{E} \sum_t^T \gamma^t\, \nabla_{\theta} \log \pi(a_t | s_t, \theta) "
        r"\left(\sum_{t'=t+1}^T \B{\gamma}^{t'-t-1} \A{r(s_{t'})} \right)",
        "errata 7", "estimators.returns.reward_to_go", ("rewards", "gamma"),
        ("estimators.returns.discounted_sum", "estimators.recursion.backward_recursion")),
)  # fmt: skip
