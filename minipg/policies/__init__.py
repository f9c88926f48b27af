"""Who acts: a network and a head over one flat θ, which is passed in.

file           what                                                    equations
network        MLP: forward, jvp, vjp; the tape they share             E17, E48
blocks         how its sums over samples are fast
heads          what a head is: log π, score, entropy, KL, Fisher
softmax        … of one of n actions                                   E03, E07, E39
gaussian       … of d real numbers                                     E03, E07, E39
held           … whose σ follows a schedule                            E03
multi_softmax  … of several discrete dimensions                        E03, E07, E39
registry       the heads by name, for files and spaces of actions
layout         what stands in θ: the network's parameters, log σ
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
        policy_with as policy_with,
        softmax_policy as softmax_policy,
    )
    from minipg.policies.gaussian import Gaussian as Gaussian
    from minipg.policies.heads import Head as Head
    from minipg.policies.multi_softmax import MultiSoftmax as MultiSoftmax
    from minipg.policies.network import MLP as MLP, Tape as Tape
    from minipg.policies.policy import Policy as Policy
    from minipg.policies.policy_file import load_policy as load_policy, save_policy as save_policy
    from minipg.policies.registry import HEADS as HEADS
    from minipg.policies.softmax import Softmax as Softmax
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
