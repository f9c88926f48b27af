"""What the slides get wrong or leave loose, errata 1 … 11: the slip, and what holds."""

from minipg.claims.statement import S1, S2, S4, S5, Erratum

ERRATA = (
    Erratum("errata 1", S5, "the Fisher matrix is written without its second ∇",
        "H = E ∇log π ∇log πᵀ (E39); with log π alone as second factor it is a vector, the "
        "gradient of the entropy with its sign turned, and no matrix.",
        r"H(\theta) = \mathbb{E}_{a \sim \pi_\theta} [\nabla_\theta \log \pi_\theta(a | s) "
        r"\log \pi_\theta(a | s)^T]",
        r"H(\theta) = \mathbb{E}_{a \sim \pi_\theta} [\nabla_\theta \log \pi_\theta(a | "
        r"s)\, \nabla_\theta \log \pi_\theta(a | s)^T]"),
    Erratum("errata 2", S5, "KL ≈ dᵀHd is written without the ½ that √(2δ/gᵀH⁻¹g) relies on",
        "The divergence is ½ dᵀHd to second order (E41): only so does the step of E43 end on "
        "the border of the trust region.",
        r"\mathbb{E}_s KL(\pi(\theta) \parallel \pi(\theta_k))[s] \approx (\theta - "
        r"\theta_k)^T H (\theta - \theta_k)",
        r"\mathbb{E}_s KL(\pi(\theta) \parallel \pi(\theta_k))[s] \approx \tfrac{1}{2} "
        r"(\theta - \theta_k)^T H (\theta - \theta_k)"),
    Erratum("errata 3", S5, "d_π is first written where d_π̃ is meant",
        "The difference of two policies is over the states of the new one (E31); over those "
        "of the old one it is the surrogate L already (E33).",
        r"\frac{1}{1 - \gamma} \mathbb{E}_{s \sim d_\pi} \mathbb{E}_{a \sim \tilde{\pi}} "
        r"A^\pi(s_t, a_t)",
        r"\frac{1}{1 - \gamma} \mathbb{E}_{s \sim d_{\tilde{\pi}}} \mathbb{E}_{a \sim "
        r"\tilde{\pi}} A^\pi(s_t, a_t)"),
    Erratum("errata 4", S4, "GAE's convenient formula has r(s_{t+i}) where r(s_{t+i+1}) is meant",
        "Sections 1–4 name the reward of a step by the state it leads to, and so does the N-step "
        "advantage (E22); then r(s_{t+i}) is one step early, and the sum (E24) is no average of "
        "those and is biased. Section 5 names it by the state it leaves (E28, E29): so read, the "
        "slide's form would be right, and E22's one step late.",
        r"\sum_{i=0}^{\infty} (\lambda \gamma)^i (r(s_{t+i}) + \gamma V^{\pi}(s_{t+i+1}) - "
        r"V^{\pi}(s_{t+i}))",
        r"\sum_{i=0}^{\infty} (\lambda \gamma)^i (r(s_{t+i+1}) + \gamma V^{\pi}(s_{t+i+1}) "
        r"- V^{\pi}(s_{t+i}))"),
    Erratum("errata 5", S4, "the ensemble of GAE is written for γ = 1 and games without end",
        "With γ < 1 each N-step advantage carries its γ^i (E22); in a game of T steps the weights "
        "(1−λ)λ^{N−1} sum to 1 − λ^T. The last takes the rest too (E23), so that its weight is "
        "(1−λ)λ^{T−1} + λ^T = λ^{T−1}.",
        r"(1 - \lambda)(A_{(1)}^{\pi} + \lambda A_{(2)}^{\pi} + \lambda^2 A_{(3)}^{\pi} + "
        r"\dots)",
        r"(1 - \lambda) \sum_{N=1}^{T-1} \lambda^{N-1} A_{(N)}^{\pi} + \lambda^{T-1} "
        r"A_{(T)}^{\pi}"),
    Erratum("errata 6", S5, "L(π̃) is written without its Σ_t γ^t",
        "The surrogate (E33) is a discounted sum over the game's steps; the first step alone,"
        " or the sum without discount, is another number.",
        r"\mathbb{E}_{\mathcal{T} \sim \pi} \frac{\tilde{\pi}(a_t | s_t)}{\pi(a_t | s_t)} "
        r"A^{\pi}(s_t, a_t) \stackrel{\text{def}}{=} L(\tilde{\pi})",
        r"L(\tilde{\pi}) = \mathbb{E}_{\mathcal{T} \sim \pi} \sum_t \gamma^t "
        r"\frac{\tilde{\pi}(a_t | s_t)}{\pi(a_t | s_t)} A^{\pi}(s_t, a_t)"),
    Erratum("errata 7", S1, "γ^t is dropped in front of ∇log π",
        "Sections 1–4 are written without γ. In sums of rewards and before the next V it is put "
        "back above (E10, E14–E16, E22); with γ < 1 and no γ^t before ∇log π late steps weigh too "
        "much, as if they counted like the first, and the mean is not ∇J. That matters most "
        "where γ is small and games are long. Both forms are offered, and the bias is measured.",
        r"\nabla = \mathbb{E} \sum_t^T \nabla_{\theta} \log \pi(a_t | s_t, \theta) "
        r"Q^{\pi}(s_t, a_t)",
        r"\nabla = \mathbb{E} \sum_t^T \gamma^t\, \nabla_{\theta} \log \pi(a_t | s_t, "
        r"\theta) Q^{\pi}(s_t, a_t)"),
    Erratum("errata 8", S5, "the bound is written with KL(π̃‖π), in the paper with KL(π‖π̃)",
        "It holds for either direction (E34, by Pinsker's inequality), but the two trust regions "
        "are not the same. ε is here the error of L, C the constant of E34.",
        r"|\varepsilon| \leq \text{Const } KL^{\max}(\tilde{\pi} \parallel \pi)",
        r"|\varepsilon| \leq C \min\bigl(KL^{\max}(\tilde{\pi} \parallel \pi),\; "
        r"KL^{\max}(\pi \parallel \tilde{\pi})\bigr)"),
    Erratum("errata 9", S2, "b may be read as one number or as one for each parameter",
        "Neither biases the gradient; one for each parameter has the lower variance (E09).",
        r"b = \frac{\mathbb{E}(\nabla_{\theta} \log \pi(\theta))^2 "
        r"R}{\mathbb{E}(\nabla_{\theta} \log \pi(\theta))^2}",
        r"b_j = \frac{\mathbb{E}(\partial_j \log \pi)^2 R}{\mathbb{E}(\partial_j \log "
        r"\pi)^2} \qquad \text{or} \qquad b = \frac{\mathbb{E} \|\nabla_{\theta} \log "
        r"\pi\|^2 R}{\mathbb{E} \|\nabla_{\theta} \log \pi\|^2}"),
    Erratum("errata 10", S4, "the table of ψ_t calls the bias of Q and A tolerant",
        "With exact critics all four rows have bias 0 (E20): what is to be tolerated is the "
        "error of a learned critic, and as a baseline not even that.",
        r"\psi_t = Q^{\pi},\; A^{\pi}{:} \text{ bias tolerant}",
        r"\psi_t = Q^{\pi},\; A^{\pi}{:} \text{ bias } 0; \qquad \psi_t = \hat{Q},\; "
        r"\hat{A}{:} \text{ bias of the critic's error}"),
    Erratum("errata 11", S5, "years: GAE (2018), TRPO (2017), NPG (2005)",
        "GAE is of 2015 (2018 is its last revision), TRPO of 2015, and the natural gradient "
        "of 1998 (Amari), for policies of 2001 (Kakade).",
        "",
        ""),
)  # fmt: skip
