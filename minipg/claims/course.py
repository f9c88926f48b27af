"""The lecture's page as a course: how it is read, and what a reader should be able to answer."""

from minipg.claims.statement import S1, S2, S3, S4, S5

PROBLEMS = (
    "They are made on two problems: the whole table, which is solved; and its unrolled start, the "
    "first {steps} steps from {starts} states where the action matters, which is short enough to "
    "list every trajectory and to play many, and has another J and another ∇J. Whatever is "
    "enumerated or played is of the start, the rest of the whole table or some of its states."
)
OPENING = (
    "Every equation of the lecture stands here beside the code that computes it and a number that "
    "checks it. The code is the library's own, word for word, without its docstring and the "
    "checks of its arguments; terms of a formula have the colour of the words that are them in "
    "the code, and on a screen light up together.",
    "A row with ✓ is a comparison of two computations on the table of this page: on one side the "
    "function shown, on the other a linear solve, a sum over every trajectory (enumeration), a "
    "derivative by complex step, or episodes played. It says the error found and the error "
    "allowed, and what was compared. Of two numbers the error is their difference, mostly in units "
    "of their size; of a limit it is the excess over it, 0 where it holds, or where the row says "
    "so the ratio to it. One table confirms an equation and does not prove it; the tests named "
    "under a card ask the same of random ones. Where chance is involved, the row states with which "
    "probability it would fail though the code were right.",
    "On a screen there lie, folded under a card, the source of that comparison, the functions that "
    "the formula needs, the whole docstring with the shapes of its arguments, and the names of the "
    "tests.",
    "γ is the discount, T a trajectory (a game, an episode), π the policy and θ its parameters, "
    "π̃ another policy; R is a game's discounted return, G its rest, ψ whatever multiplies ∇log π. "
    "The reward of step t, from s_t to s_{t+1}, is r(s_{t+1}) in sections 1–4 and r(s_t) in "
    "section 5, as on the slides.",
)
ORDER = {
    S1: "policies/policy and its heads, experience/batch, estimators/score_function, "
        "algorithms/reinforce, algorithms/cem; the truth beside them: truth/exact",
    S2: "estimators/baselines",
    S3: "estimators/critics, action_critics and fits, algorithms/actor_critic",
    S4: "estimators/returns",
    S5: "estimators/importance, truth/performance, estimators/surrogate, steps/natural, "
        "steps/linalg, algorithms/npg, trpo and ppo, steps/kfac, algorithms/acktr",
}  # fmt: skip
CHECK = {  # after each section: a question, and the card whose number answers it
    S1: (("Why may the gradient of a mean be estimated from samples at all?", "E03"),
         ("How many games make the noise as small as the gradient itself on this table?", "E06"),
         ("What goes wrong when γ^t is dropped, and for which γ does it matter most?", "errata 7")),
    S2: (("Why does subtracting a constant change nothing in the mean?", "E07"),
         ("Which b leaves the least variance, and is the mean return far from it?", "E09"),
         ("Which rewards may be left out of an action's weight, and why?", "E10")),
    S3: (("May a critic be taught by Q-learning?", "footnote 4"),
         ("Through which state does a wrong critic bias the gradient?", "E19"),
         ("What does a shared network add to the gradient?", "E17")),
    S4: (("What does λ do to a critic that is bad?", "E24"),
         ("Which of the four ψ are biased by a wrong critic, and which are not?", "errata 10"),
         ("Which weight does the last N-step advantage get in a game of T steps?", "errata 5")),
    S5: (("Whose states and whose advantages does the performance identity use?", "E29"),
         ("Why is the step exactly √(2δ/gᵀH⁻¹g) times H⁻¹g?", "E43"),
         ("What is approximate in A ⊗ G, and when is it exact?", "E48")),
}  # fmt: skip
