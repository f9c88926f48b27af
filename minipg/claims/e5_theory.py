"""Section 5 of the lecture as text, the theory: E26–E38."""

from minipg.claims.statement import S5, Statement

EQUATIONS = (
    Statement("E26", S5,
        "the probability of a game: P(T|π) = p(s_0) Π_t π(a_t|s_t) p(s_{t+1}|s_t, a_t)",
        "How likely a whole game (trajectory) is: the product of the policy's and the "
        "environment's probabilities along it.",
        r"P(\mathcal{T} \mid \pi) = \A{p(s_0)} \prod_{t=0} [\B{\pi(a_t \mid s_t)} "
        r"\C{p(s_{t+1} \mid s_t, a_t)}]",
        "slide", "experience.enumeration.enumerate_trajectories", ("start", "pi", "prob"),
        ()),
    Statement("E27", S5, "off-policy actor-critic: the weight P(T|π)/P(T|π̃)",
        "Importance sampling of whole games lets old data be used again without bias; the "
        "environment cancels, but the weight collapses as games grow longer. Here π̃ is the "
        "policy that played them (φ in the code); from E29 on it is the new policy.",
        r"\nabla(\theta) = \mathbb{E}_{\mathcal{T} \sim \tilde{\pi}} "
        r"\left[\A{\frac{P(\mathcal{T} \mid \pi)}{P(\mathcal{T} \mid \tilde{\pi})}} \sum_t^T "
        r"\gamma^t\, \nabla_{\theta} \log \pi(a_t \mid s_t, \theta) A^{\pi}(s_t, a_t) \right]",
        "errata 7", "estimators.importance.decision_weights", ("weights",),
        ("estimators.importance.log_decision_weights", "estimators.importance.self_normalized")),
    Statement("E28", S5, "J(π) = E_{s_0} V^π(s_0)",
        "The objective is the value of the state where games start. r(s_t) is from here on the "
        "reward of step t, which sections 1–4 write r(s_{t+1}).",
        r"J(\pi) \stackrel{\text{def}}{=} \mathbb{E}_{\mathcal{T} \sim \pi} \sum_{t=0} "
        r"\gamma^t r(s_t) = \A{\mathbb{E}_{s_0}} \B{V^\pi(s_0)}",
        "slide", "truth.exact.objective", ("start", "state_values"),
        ("truth.exact.state_values",)),
    Statement("E29", S5, "the performance identity J(π̃) − J(π) = E_{T∼π̃} Σ_t γ^t A^π(s_t, a_t)",
        "How much better a new policy π̃ is, told by the old policy's advantages along the new "
        "one's games. r(s_t) is the reward of step t, as in E28.",
        r"\begin{aligned} J(\tilde{\pi}) - J(\pi) &= \mathbb{E}_{\mathcal{T} \sim "
        r"\tilde{\pi}} \sum_{t=0} \gamma^t r(s_t) - J(\pi) = \\ &= \mathbb{E}_{\mathcal{T} "
        r"\sim \tilde{\pi}} \sum_{t=0} \gamma^t r(s_t) - \mathbb{E}_{s_0} V^{\pi}(s_0) = \\ "
        r"&= \mathbb{E}_{\mathcal{T} \sim \tilde{\pi}} \left[\sum_{t=0} \gamma^t r(s_t) - "
        r"V^{\pi}(s_0) \right] = \\ &= \mathbb{E}_{\mathcal{T} \sim \tilde{\pi}} "
        r"\left[\sum_{t=0} \gamma^t r(s_t) + \sum_{t=0} [\gamma^{t+1} V^{\pi}(s_{t+1}) - "
        r"\gamma^t V^{\pi}(s_t)] \right] = \\ &= \mathbb{E}_{\mathcal{T} \sim \tilde{\pi}} "
        r"\sum_{t=0} \gamma^t (r(s_t) + \gamma V^{\pi}(s_{t+1}) - V^{\pi}(s_t)) = \\ &= "
        r"\mathbb{E}_{\mathcal{T} \sim \B{\tilde{\pi}}} \A{\sum_{t=0} \gamma^t} "
        r"\C{A^{\pi}(s_t, a_t)} \end{aligned}",
        "slide", "truth.performance.performance_difference", ("visited", "pi_new", "advantages"),
        ("truth.exact.visits", "truth.exact.advantages")),
    Statement("E30", S5, "discounted visits d_π(s) = (1−γ) Σ_t γ^t P(s_t = s), a distribution",
        "How often a state is seen, early visits counting more. Where games end, the rest of the "
        "probability is that of the game being over.",
        r"\A{d_\pi(s)} = (1 - \gamma) \B{\sum_{t=0} \gamma^t \mathcal{P}(s_t = s)}",
        "slide", "truth.exact.visitation", ("alive", "visits"),
        ("truth.exact.visits",)),
    Statement("E31", S5, "the identity over visits: J(π̃) − J(π) = 1/(1−γ) E_{s∼d_π̃} E_{a∼π̃} A^π",
        "The same identity with games taken apart: first a state the new policy visits, then "
        "an action of the new policy.",
        r"J(\tilde{\pi}) - J(\pi) = \frac{1}{1 - \gamma} \A{\mathbb{E}_{s \sim "
        r"d_{\tilde{\pi}}}} \B{\mathbb{E}_{a \sim \tilde{\pi}}} \C{A^\pi(s_t, a_t)}",
        "errata 3", "truth.performance.performance_difference", ("visited", "pi_new", "advantages"),
        ("truth.exact.visits", "claims.s5_performance._over_visits")),
    Statement("E32", S5,
        "the identity with the old policy's actions: 1/(1−γ) E_{s∼d_π̃} E_{a∼π} (π̃/π) A^π",
        "Importance sampling of the action only: the old policy acts and is weighted, wherever "
        "it may take the action at all. On a table Σ_a π (π̃/π) A^π is Σ_a π̃ A^π, which the code "
        "has; the comparison keeps the ratio.",
        r"\begin{aligned} J(\tilde{\pi}) - J(\pi) &= \mathbb{E}_{\mathcal{T} \sim "
        r"\tilde{\pi}} \sum_{t=0} \gamma^t A^\pi(s_t, a_t) = \\ &= \frac{1}{1 - \gamma} "
        r"\mathbb{E}_{s \sim d_{\tilde{\pi}}} \mathbb{E}_{a \sim \tilde{\pi}} A^\pi(s_t, "
        r"a_t) = \\ \{\text{importance sampling}\} &= \frac{1}{1 - \gamma} \mathbb{E}_{s "
        r"\sim d_{\tilde{\pi}}} \mathbb{E}_{a \sim \pi} \frac{\A{\tilde{\pi}(a_t | "
        r"s_t)}}{\pi(a_t | s_t)} \B{A^\pi(s_t, a_t)} \end{aligned}",
        "slide", "truth.performance.performance_difference", ("pi_new", "advantages"),
        ("claims.s5_performance._over_visits",)),
    Statement("E33", S5, "the surrogate L(π̃) = 1/(1−γ) E_{s∼d_π} E_{a∼π} (π̃/π) A^π",
        "States of the old policy in place of the new one's, so that data at hand say what a step "
        "would gain. In the code the ratio times π is π̃; π is taken off, as Σ_a π A^π = 0.",
        r"L(\tilde{\pi}) = \mathbb{E}_{\mathcal{T} \sim \pi} \C{\sum_{t} \gamma^t} "
        r"\frac{\A{\tilde{\pi}(a_t | s_t)}}{\pi(a_t | s_t)} \B{A^{\pi}(s_t, a_t)}",
        "errata 6", "truth.performance.surrogate", ("pi_new", "advantages", "visited"),
        ("estimators.surrogate.batch_surrogate", "estimators.surrogate._weighted")),
    Statement("E34", S5,
        "the error of L: |J(π̃) − J(π) − L(π̃)| ≤ C max_s KL, C = 4εγ/(1−γ)², ε = max |A^π|",
        "How wrong the surrogate can be: at most a constant times the largest "
        "Kullback–Leibler divergence of the two policies in any state (by Pinsker's "
        "inequality). ε is here the largest advantage.",
        r"|J(\tilde{\pi}) - J(\pi) - L(\tilde{\pi})| \leq C\, KL^{\max}(\tilde{\pi} "
        r"\parallel \pi), \qquad C = \frac{4 \A{\varepsilon} \B{\gamma}}{(1 - "
        r"\B{\gamma})^2}, \quad \A{\varepsilon} = \max |A^{\pi}|",
        "errata 8", "truth.performance.penalty", ("epsilon", "gamma"),
        ("truth.performance.beyond_rounding", "truth.performance._kl")),
    Statement("E35", S5, "∇L at θ_k is the policy gradient",
        "Where the new policy is the old one, the surrogate's slope is the familiar gradient.",
        r"\begin{aligned}\nabla_{\theta} L(\tilde{\pi}(\theta))|_{\theta_k} &= "
        r"\nabla_{\theta} \left[\mathbb{E}_{\mathcal{T} \sim \pi} \sum_t \gamma^t "
        r"\frac{\tilde{\pi}_{\theta}(a_t | s_t)}{\pi(a_t | s_t)} A^{\pi}(s_t, a_t) \right] "
        r"\Big|_{\theta_k} = \\ &= \mathbb{E}_{\mathcal{T} \sim \pi} \sum_t \gamma^t "
        r"\frac{\nabla_{\theta} \tilde{\pi}_{\theta}(a_t | s_t)|_{\theta_k}}{\pi(a_t | s_t)} "
        r"A^{\pi}(s_t, a_t) = \\ \{\pi \equiv \tilde{\pi}(\theta_k)\} &= "
        r"\mathbb{E}_{\mathcal{T} \sim \pi} \sum_t \B{\gamma^t} \A{\nabla_{\theta} \log "
        r"\tilde{\pi}_{\theta}(a_t | s_t)|_{\theta_k}} \B{A^{\pi}(s_t, a_t)}\end{aligned}",
        "errata 6", "estimators.surrogate.batch_surrogate_gradient", ("weighted_score", "psi"),
        ("estimators.surrogate._weighted", "estimators.surrogate.ratio")),
    Statement("E36", S5, "maximising L − C max_s KL(π̃‖π) never lowers J",
        "The lower bound is raised step by step, and J with it: monotone improvement, bought "
        "with very small steps (minorise–maximise).",
        r"\pi_{k+1} = \underset{\tilde{\pi}}{\operatorname{argmax}} [\A{L(\tilde{\pi})} - "
        r"\B{C} \C{KL^{\max}(\tilde{\pi} \parallel \pi_k)}]",
        "slide", "truth.performance.lower_bound", ("surrogate", "penalty", "largest"),
        ("truth.performance.improve", "truth.performance.within", "truth.performance.tilted")),
    Statement("E37", S5, "the mean divergence E_{s∼d_π} KL ≤ max_s KL",
        "The mean over visited states, which can be estimated, stands in for the maximum, which "
        "cannot.",
        r"KL^{\max}(\tilde{\pi} \parallel \pi_k) \approx \A{\mathbb{E}_{s \sim d_{\pi_k}}} "
        r"\B{KL(\tilde{\pi} \parallel \pi_k)[s]}",
        "slide", "truth.performance.mean_kl", ("visited", "kl"),
        ("truth.performance._kl", "truth.exact.visitation")),
    Statement("E38", S5, "the trust region: max L(π̃) with mean KL(π̃‖π) ≤ δ",
        "TRPO's problem: gain as much as the surrogate promises while the policy moves at "
        "most δ on average. δ is from here on that radius, no TD error.",
        r"\begin{cases} \A{L(\theta)} \rightarrow \max_{\theta} \\ \text{s.t.} \quad "
        r"\mathbb{E}_{s \sim d_{\pi(\theta_k)}} \B{KL(\pi(\theta) \parallel "
        r"\pi(\theta_k))[s]} \leq \C{\delta} \end{cases}",
        "slide", "steps.linalg.backtrack", ("surrogate", "kl", "delta"),
        ("algorithms.trpo.update", "steps.natural.trust_region_step")),
)  # fmt: skip
