"""Every equation and claim of the slides, E01 … E48: what is computed, proven and shown."""

from minipg.claims.statement import Statement

S1, S2, S3 = "1 REINFORCE", "2 Baselines", "3 Actor-critic"
S4, S5 = "4 GAE", "5 TRPO"

EQUATIONS = (
    Statement("E01", S1, "J(θ) = E_π E_T R",
        "The objective: the return of a game (the sum of its rewards), averaged over what the "
        "policy chooses and what the environment does."),
    Statement("E02", S1, "metaheuristics: the cross-entropy method maximises J(θ) with no gradient",
        "Black-box search draws many parameters, keeps the best few and draws the next around "
        "them; it needs returns only, never a derivative."),
    Statement("E03", S1, "the log-derivative trick: ∇E_{x∼π} f = E_{x∼π} ∇log π f",
        "The gradient of an average over samples becomes an average of the score ∇log π (the "
        "likelihood ratio), so it can be estimated from samples."),
    Statement("E04", S1, "importance sampling: ∇E_{x∼φ} (π/φ) f is the same gradient for any φ",
        "Samples of another distribution, weighted by the ratio of the two probabilities, give "
        "the same gradient; where both are equal the weight is 1."),
    Statement("E05", S1, "REINFORCE: E Σ_t ∇log π(a_t|s_t) R = ∇J",
        "Play, and make each action taken more likely in proportion to the game's return: on "
        "average that is the gradient of the objective."),
    Statement("E06", S1, "the variance of one game's estimate; M games divide it by M, no more",
        "The reason why REINFORCE does not work: the noise of one game is far larger than the "
        "gradient, and averaging more games helps slowly."),
    Statement("E07", S2, "E ∇log π = 0",
        "The score is zero on average, because probabilities sum to 1 whatever the parameters."),
    Statement("E08", S2, "a baseline adds no bias and changes the variance",
        "Anything that does not depend on the action may be subtracted from the return: the mean "
        "of the gradient stays, its noise does not."),
    Statement("E09", S2, "b = E(∇log π)²R / E(∇log π)² has the lowest variance",
        "The optimal constant baseline: a mean of the returns weighted by the squared score, "
        "often near the plain mean return."),
    Statement("E10", S2, "careful REINFORCE: the reward-to-go in place of R, the same mean ∇J",
        "Rewards that came before an action cannot depend on it; leaving them out keeps the "
        "gradient's mean (causality)."),
    Statement("E11", S3, "the reward-to-go estimates Q: ∇J = E Σ_t γ^t ∇log π Q^π(s_t, a_t)",
        "The policy-gradient theorem: each action is weighted by its action value, the rewards "
        "expected from it on; the return of one game is a noisy sample of that."),
    Statement("E12", S3, "Q − b in place of Q; E_a Q = V, A = Q − V, E_a A = 0",
        "The advantage says how much better an action is than the policy's average in its state; "
        "the state's value V is the natural baseline."),
    Statement("E13", S3, "the critic approximates A, Q or V",
        "What a critic may learn: the advantage by compatible features, action values by expected "
        "SARSA (not by Q-learning), or the state's value, the simplest."),
    Statement("E14", S3, "A ≈ r + γV(s′) − V(s): unbiased for A where V = V^π",
        "One step of experience and the values of both states, the temporal-difference (TD) "
        "error, is on average the advantage."),
    Statement("E15", S3, "the critic's targets Σ r and r + γV(s′): V^π is the fixed point of both",
        "A critic is taught by the whole rest of the game (Monte Carlo) or by one reward and its "
        "own next value (bootstrapping); both end at the true values."),
    Statement("E16", S3, "A2C: get (s, a, r, s′), update the critic, evaluate Â, update the policy",
        "Advantage actor-critic, step by step: the critic learns first, then its advantage "
        "weights the step of the actor."),
    Statement("E17", S3, "two networks, or one shared feature extractor with two heads",
        "Actor and critic may have a network each, or share the hidden layers and differ in the "
        "last; then both losses move the shared parameters."),
    Statement("E18", S3, "N steps of several games: a batch's gradient is the mean of its parts'",
        "A gradient step every N game steps of parallel environments uses all their data at once "
        "and averages."),
    Statement("E19", S3, "a critic with error e biases δ's gradient by E Σ_t γ^t ∇log π γ e(s′)",
        "Where the critic is wrong the gradient is wrong too, by an amount that can be computed: "
        "the error at the next state depends on the action."),
    Statement("E20", S4, "the table of ψ_t: bias and variance of R, Q, A and reward-to-go − V",
        "All methods weight ∇log π by some ψ; they differ in how biased and how noisy that "
        "weight is."),
    Statement("E21", S4, "a critic only for the baseline: unbiased, whatever its error",
        "Returns as they were, minus the critic's value (the infinite eligibility trace): a wrong "
        "critic costs variance, never bias."),
    Statement("E22", S4, "A_(N) = Σ_{i<N} γ^i r + γ^N V(s_{t+N}) − V(s_t)",
        "The N-step advantage: N rewards as they were, then the critic's value; N moves between "
        "bias and variance."),
    Statement("E23", S4, "GAE = (1−λ)(A_(1) + λA_(2) + λ²A_(3) + …)",
        "Generalized advantage estimation is the exponentially weighted average of all N-step "
        "advantages."),
    Statement("E24", S4, "GAE = Σ_i (γλ)^i δ_{t+i}",
        "The same average as one sum of TD errors, which is how it is computed: backwards "
        "through the batch."),
    Statement("E25", S4, "λ = 0 is A2C's advantage δ, λ = 1 the infinite trace ΣR − V",
        "The two ends of GAE: only the critic's next value, or only the rewards; the balance is "
        "in between."),
    Statement("E26", S5, "P(T|π) = p(s_0) Π_t π(a_t|s_t) p(s_{t+1}|s_t, a_t)",
        "How likely a whole game (trajectory) is: the product of the policy's and the "
        "environment's probabilities along it."),
    Statement("E27", S5, "off-policy actor-critic: the weight P(T|π)/P(T|π̃)",
        "Importance sampling of whole games lets old data be used again without bias; the "
        "environment cancels, but the weight collapses as games grow longer."),
    Statement("E28", S5, "J(π) = E_{s_0} V^π(s_0)",
        "The objective is the value of the state where games start."),
    Statement("E29", S5, "J(π̃) − J(π) = E_{T∼π̃} Σ_t γ^t A^π(s_t, a_t)",
        "The relative performance identity: how much better a new policy is, told by the old "
        "policy's advantages along the new one's games."),
    Statement("E30", S5, "d_π(s) = (1−γ) Σ_t γ^t P(s_t = s), a distribution",
        "The discounted state visitation: how often a state is seen, early visits counting more."),
    Statement("E31", S5, "J(π̃) − J(π) = 1/(1−γ) E_{s∼d_π̃} E_{a∼π̃} A^π",
        "The same identity with games taken apart: first a state the new policy visits, then an "
        "action of the new policy."),
    Statement("E32", S5, "J(π̃) − J(π) = 1/(1−γ) E_{s∼d_π̃} E_{a∼π} (π̃/π) A^π",
        "Importance sampling of the action only: the old policy acts and is weighted, wherever it "
        "may take the action at all (else Σ_a π̃ A^π)."),
    Statement("E33", S5, "L(π̃) = 1/(1−γ) E_{s∼d_π} E_{a∼π} (π̃/π) A^π",
        "The surrogate objective: states of the old policy in place of the new one's, so that "
        "data at hand say what a step would gain (Σ_a π̃ A^π where π is 0)."),
    Statement("E34", S5, "|J(π̃) − J(π) − L(π̃)| ≤ C max_s KL, C = 4εγ/(1−γ)², ε = max |A^π|",
        "How wrong the surrogate can be: at most a constant times the largest Kullback–Leibler "
        "divergence of the two policies in any state (by Pinsker's inequality)."),
    Statement("E35", S5, "∇L at θ_k is the policy gradient",
        "Where the new policy is the old one, the surrogate's slope is the familiar gradient."),
    Statement("E36", S5, "maximising L − C max_s KL(π̃‖π) never lowers J",
        "The lower bound is raised step by step, and J with it: monotone improvement, bought with "
        "very small steps (minorise–maximise)."),
    Statement("E37", S5, "E_{s∼d_π} KL ≤ max_s KL",
        "The mean divergence over visited states, which can be estimated, stands in for the "
        "maximum, which cannot."),
    Statement("E38", S5, "the trust region: max L(π̃) with mean KL(π̃‖π) ≤ δ",
        "TRPO's problem: gain as much as the surrogate promises while the policy moves at most δ "
        "on average."),
    Statement("E39", S5, "the metric of policies is the Fisher matrix H = E ∇log π ∇log πᵀ",
        "How far a step in the parameters moves the policy: the Fisher information matrix is the "
        "metric tensor of the space of policies."),
    Statement("E40", S5, "the natural gradient H⁻¹g: the same change of π in every parametrisation",
        "The natural gradient does not care how the policy is written down; the plain gradient "
        "does."),
    Statement("E41", S5, "near θ_k L is linear and KL ≈ ½ dᵀHd without a linear term",
        "The Taylor expansions that make the trust region solvable: first order for the gain, "
        "second order for the distance."),
    Statement("E42", S5, "∇²KL at θ_k is the Fisher matrix",
        "The curvature (Hessian) of the divergence at the current policy is the Fisher matrix, so "
        "trust region and natural gradient are the same."),
    Statement("E43", S5, "θ + √(2δ/gᵀH⁻¹g) H⁻¹g solves max gᵀd with ½ dᵀHd ≤ δ (KKT)",
        "The Karush–Kuhn–Tucker conditions give the step in closed form: along the natural "
        "gradient, as long as the trust region allows."),
    Statement("E44", S5, "conjugate gradients: iterate j is the best of span(g, Hg, …, H^{j−1}g)",
        "H⁻¹g without ever building H: only Fisher-vector products v ↦ Hv are needed (the Krylov "
        "space)."),
    Statement("E45", S5, "NPG: the step along H⁻¹g",
        "The natural policy gradient takes that step as it is, with no guarantee and no search."),
    Statement("E46", S5, "TRPO: backtracking line search until L ≥ 0 and KL ≤ δ",
        "Trust region policy optimization halves the step until what was promised is true on the "
        "data, or stays where it is."),
    Statement("E47", S5, "PPO: the clipped surrogate",
        "Proximal policy optimization keeps the ratio π̃/π from paying beyond 1 ± ε, and then "
        "takes many plain gradient steps on the same data."),
    Statement("E48", S5, "ACKTR: the Kronecker-factored Fisher matrix A ⊗ G",
        "K-FAC approximates each layer's block of the Fisher matrix by two small factors, which "
        "are quick to invert."),
)  # fmt: skip
