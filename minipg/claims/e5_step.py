"""Section 5 of the lecture as text, the step and its algorithms: E39–E48."""

from minipg.claims.statement import S5, Statement

EQUATIONS = (
    Statement("E39", S5, "the metric of policies is the Fisher matrix H = E ∇log π ∇log πᵀ",
        "How far a step in the parameters moves the policy: the Fisher information matrix is "
        "the metric tensor of the space of policies. J is here the Jacobian of the network's "
        "outputs, M the Fisher matrix of the head alone.",
        r"H(\theta) = \mathbb{E}_{a \sim \pi_\theta} [\nabla_\theta \log \pi_\theta(a | "
        r"s)\, \nabla_\theta \log \pi_\theta(a | s)^T] = \A{J^T} \B{M} \C{J}",
        "errata 1", "steps.natural._product_of_block", ("vjp", "of_head", "jvp"),
        ("steps.natural.fisher_product", "policies.softmax.Softmax.fisher_product")),
    Statement("E40", S5,
        "the natural gradient H⁻¹g: to first order one change of π however π is written",
        "To first order the natural gradient does not depend on how the policy is parametrised; "
        "the plain gradient does.",
        r"\A{H^{-1}} \B{\nabla_\theta \pi_\theta}",
        "slide", "steps.natural.natural_gradient", ("conjugate_gradients", "gradient"),
        ("steps.natural.fisher_product",)),
    Statement("E41", S5, "near θ_k KL ≈ ½ dᵀHd, without a linear term",
        "The Taylor expansions that make the trust region solvable: first order for the gain, "
        "whose slope is E35's, second order for the distance.",
        r"\mathbb{E}_s KL(\pi(\theta) \parallel \pi(\theta_k))[s] \approx \tfrac{1}{2} "
        r"\A{(\theta - \theta_k)^T} \B{H} \A{(\theta - \theta_k)}",
        "errata 2", "steps.natural.quadratic_form", ("x", "product"),
        ("policies.softmax.Softmax.kl", "policies.gaussian.Gaussian.kl")),
    Statement("E42", S5, "∇²KL at θ_k is the Fisher matrix",
        "The curvature (Hessian) of the divergence at the current policy is the Fisher matrix: so "
        "the trust region's step goes along the natural gradient, and δ sets its length.",
        r"\mathbb{E}_s \nabla_{\theta}^2 KL(\pi(\theta) \parallel \pi(\theta_k))[s]|_{\theta_k} = "
        r"\A{H(\theta_k)}",
        "part", "steps.natural.fisher_matrix", ("fisher_product product",),
        ("steps.natural.fisher_product", "policies.gaussian.Gaussian.fisher")),
    Statement("E43", S5, "the KKT step θ + √(2δ/gᵀH⁻¹g) H⁻¹g: the most gᵀd with ½ dᵀHd ≤ δ",
        "Karush, Kuhn and Tucker: where gᵀd is largest, its gradient g is ν times that of the "
        "constraint, g − νHd = 0. So d is H⁻¹g/ν, and ½ dᵀHd = δ gives 1/ν = √(2δ/gᵀH⁻¹g).",
        r"\theta_{k+1} = \theta_k + \sqrt{\frac{2\A{\delta}}{\B{g_k^T H_k^{-1} g_k}}} "
        r"\C{H_k^{-1} g_k}",
        "slide", "steps.natural.trust_region_step", ("delta", "curvature", "direction"),
        ("steps.natural.natural_gradient", "steps.natural.quadratic_form")),
    Statement("E44", S5, "conjugate gradients: iterate j is the best of span(g, Hg, …, H^{j−1}g)",
        "H⁻¹g without ever building H: only Fisher-vector products v ↦ Hv are needed (the "
        "Krylov space).",
        r"\A{x_j} = \underset{x \in \mathcal{L}(g, Hg, \dots, "
        r"H^{j-1}g)}{\operatorname{argmin}} \tfrac{1}{2} x^T \B{H} x - \C{g}^T x",
        "words", "steps.linalg.conjugate_gradients", ("x", "product", "b"),
        ("steps.natural.fisher_product",)),
    Statement("E45", S5, "NPG: the step along H⁻¹g",
        "The natural policy gradient takes that step as it is, with no guarantee and no search: α "
        "is a number, or where none is given E43's √(2δ/gᵀH⁻¹g).",
        r"\theta_{k+1} = \theta_k + \A{\alpha} \B{H_k^{-1} g_k}",
        "words", "algorithms.npg.update", ("learning_rate", "x"),
        ("steps.natural.natural_gradient", "steps.natural.trust_region_step")),
    Statement("E46", S5, "TRPO: backtracking line search until L ≥ 0 and KL ≤ δ",
        "Trust region policy optimization halves the step until what was promised is true on "
        "the data, or stays where it is.",
        r"\theta_{k+1} = \theta_k + 2^{-\A{i}} d, \qquad \B{L(\pi)} \geq 0, \quad \C{KL(\pi "
        r"\parallel \pi_k)} \leq \delta",
        "words", "steps.linalg.backtrack", ("i", "surrogate", "kl"),
        ("algorithms.trpo.update",)),
    Statement("E47", S5, "PPO: the clipped surrogate",
        "Proximal policy optimization keeps the ratio π̃/π from paying beyond 1 ± ε, and then"
        " takes many plain gradient steps on the same data. ε is here the width of the clip.",
        r"\mathbb{E} \min\bigl(\A{\rho} \B{\psi},\; \C{\operatorname{clip}(\rho, 1 - "
        r"\varepsilon, 1 + \varepsilon)} \B{\psi}\bigr), \qquad \A{\rho} = "
        r"\frac{\tilde{\pi}(a | s)}{\pi_k(a | s)}",
        "words", "estimators.surrogate.clipped_surrogate", ("rho", "psi", "bound clip"),
        ("algorithms.ppo.update",)),
    Statement("E48", S5, "ACKTR: the Kronecker-factored Fisher matrix A ⊗ G",
        "K-FAC approximates each layer's block of the Fisher matrix by two small factors, which "
        "are quick to invert. h̃ is the layer's input with a 1 below it, for the bias, and δ the "
        "slope of log π by the layer's output, no TD error.",
        r"\mathbb{E} \bigl[\A{\tilde{h} \tilde{h}^T} \otimes \B{\delta \delta^T}\bigr] \approx "
        r"\underbrace{\mathbb{E}\, \A{\tilde{h} \tilde{h}^T}}_{A} \otimes "
        r"\underbrace{\mathbb{E}\, \B{\delta \delta^T}}_{G}",
        "words", "steps.kfac.network_factors", ("h", "delta"),
        ("steps.kfac.factors", "policies.network.MLP.backward", "steps.kfac.network_solve")),
)  # fmt: skip
