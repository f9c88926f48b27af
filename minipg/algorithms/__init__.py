"""The loops, one a file; each is a choice of ψ_t and a choice of step.

file           what                                                    equations
cem            the cross-entropy method: no gradient                   E02
reinforce      REINFORCE with a baseline                               E05, E08–E10
actor_critic   A2C                                                     E16–E19
loop           what the next four share: play, GAE, update, refit V    E24
npg            the natural gradient                                    E45
trpo           … with a line search in the trust region                E38, E46
ppo            the clipped surrogate                                   E47
acktr          the natural gradient by Kronecker factors               E48
settings       an algorithm's options: defaults, meaning, range
state          a run's whole state in a file, and back
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.algorithms import (
        acktr as acktr,
        actor_critic as actor_critic,
        cem as cem,
        npg as npg,
        ppo as ppo,
        reinforce as reinforce,
        trpo as trpo,
    )
    from minipg.algorithms.loop import (
        AdamSettings as AdamSettings,
        LoopSettings as LoopSettings,
        NaturalSettings as NaturalSettings,
        Samples as Samples,
        learn as learn,
    )
    from minipg.algorithms.state import (
        State as State,
        environment_state as environment_state,
        load_tree as load_tree,
        restore_environments as restore_environments,
        save_tree as save_tree,
    )
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
