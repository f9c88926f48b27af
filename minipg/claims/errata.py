"""What the slides get wrong or leave loose, errata 1 … 11: the slip, and what holds."""

from minipg.claims.equations import S1, S2, S4, S5
from minipg.claims.statement import Statement

ERRATA = (
    Statement("errata 1", S5, "the Fisher matrix is written without its second ∇",
        "H = E ∇log π ∇log πᵀ (E39); with log π alone as second factor it is a vector, the "
        "gradient of the entropy with its sign turned, and no matrix."),
    Statement("errata 2", S5, "KL ≈ dᵀHd is written without the ½ that √(2δ/gᵀH⁻¹g) relies on",
        "The divergence is ½ dᵀHd to second order (E41): only so does the step of E43 end on the "
        "border of the trust region."),
    Statement("errata 3", S5, "d_π is first written where d_π̃ is meant",
        "The difference of two policies is over the states of the new one (E31); over those of "
        "the old one it is the surrogate L already (E33)."),
    Statement("errata 4", S4, "GAE's convenient formula has r(s_{t+i}) where r(s_{t+i+1}) is meant",
        "The reward belongs to the step from s_{t+i} to s_{t+i+1}, as in the N-step advantage "
        "(E22); one step early, the sum (E24) is no average of those and is biased."),
    Statement("errata 5", S4, "the ensemble of GAE is written for γ = 1 and games without end",
        "With γ < 1 each N-step advantage carries its γ^i; in a game of T steps the weights "
        "(1−λ)λ^{N−1} sum to 1 − λ^T, and the last advantage takes the rest (E23)."),
    Statement("errata 6", S5, "L(π̃) is written without its Σ_t γ^t",
        "The surrogate (E33) is a discounted sum over the game's steps; the first step alone, or "
        "the sum without discount, is another number."),
    Statement("errata 7", S1, "γ^t is dropped in front of ∇log π",
        "In sections 1–4; with γ < 1 what is left is not the gradient of J (E05). Both are "
        "offered here, and the bias is measured."),
    Statement("errata 8", S5, "the bound is written with KL(π̃‖π), in the paper with KL(π‖π̃)",
        "It holds for either direction (E34, by Pinsker's inequality), but the two trust regions "
        "are not the same."),
    Statement("errata 9", S2, "b may be read as one number or as one for each parameter",
        "Neither biases the gradient; one for each parameter has the lower variance (E09)."),
    Statement("errata 10", S4, "the table of ψ_t calls the bias of Q and A tolerant",
        "With exact critics all four rows have bias 0 (E20): what is to be tolerated is the error "
        "of a learned critic, and as a baseline not even that."),
    Statement("errata 11", S5, "years: GAE (2018), TRPO (2017), NPG (2005)",
        "GAE is of 2015 (2018 is its last revision), TRPO of 2015, and the natural gradient of "
        "1998 (Amari), for policies of 2001 (Kakade)."),
)  # fmt: skip
