"""Who acts: a network and a head over one flat θ, which is passed in.

file           what                                                    equations
network        MLP: forward, jvp, vjp; the tape they share             E17, E48
heads          Softmax, Gaussian: log π, score, entropy, KL, Fisher    E03, E07, E39
multi_softmax  the head of several discrete dimensions
policy         Policy = head ∘ network: log π, scores, KL              E03, E07, E17
build          softmax_policy, gaussian_policy, …; normalisation absorbed
policy_file    a policy and its θ in one file
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.policies.build import (
        absorb_normalization as absorb_normalization,
        gaussian_policy as gaussian_policy,
        multi_softmax_policy as multi_softmax_policy,
        softmax_policy as softmax_policy,
    )
    from minipg.policies.heads import Gaussian as Gaussian, Softmax as Softmax
    from minipg.policies.multi_softmax import MultiSoftmax as MultiSoftmax
    from minipg.policies.network import MLP as MLP, Tape as Tape
    from minipg.policies.policy import Policy as Policy
    from minipg.policies.policy_file import load_policy as load_policy, save_policy as save_policy
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
