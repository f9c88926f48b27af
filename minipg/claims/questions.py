"""The questions that the slides ask in footnotes and leave open, with answers."""

from minipg.claims.statement import S1, S2, S3, S5, Question

QUESTIONS = (
    Question("footnote 2", S1,
        "The same gradient by importance sampling: really? Could it even happen otherwise?",
        "No: with a fixed φ, positive wherever π is, E_φ (π/φ) f is the same function of θ as "
        "E_π f, so it has the same gradient; only the variance of the estimate differs.", ("E04",)),
    Question("footnote 3", S2,
        "R includes r(s_0), where no action was taken yet: did we make any mistake?",
        "No: rewards before an action add 0 on average, so R and the reward-to-go have the same "
        "mean ∇J; only the variance may differ, where rewards come before the end.", ("E10",)),
    Question("footnote 4", S3,
        "Can we just use Q-learning for the critic Q^π?",
        "No: Q-learning learns Q* of the best policy, not Q^π of this one, and so biases the "
        "gradient; expected SARSA learns Q^π.", ("E13",)),
    Question("footnote 5", S3,
        "V is the least complex critic: why?",
        "Its input is the state and its output one number; Q(s, ·) has the same input and an "
        "output for each action, A_w a weight for each parameter of the policy.", ("E13",)),
    Question("footnote 6, actor-critic", S3,
        "The policy gradient estimates are not unbiased anymore: why?",
        "The critic's error e enters as γ e(s′), and s′ depends on the action: that is no "
        "baseline.", ("E19",)),
    Question("footnote 6, TRPO", S5,
        "What is an obvious drawback of a procedure with guaranteed improvement?",
        "Its steps are tiny: the constant C is so large that probabilities hardly move.",
        ("E36",)),
    Question("footnote 7", S5,
        "The quadratic approximation of KL: where is the linear term?",
        "It is 0: KL is smallest, and 0, where both policies are the same.", ("E41",)),
)  # fmt: skip
