"""What was seen: one Batch, from two sources side by side, played or enumerated.

file           what                                                    equations
batch          Batch: time-major arrays and the weight of each column  E06, E18
environments   Gymnasium environments made ready for a policy
declared       what an environment gives, held against its spaces
guard          what goes wrong in an environment, in one line that names it
scaling        rewards divided by the deviation of the return; observations' statistics
rollout        play_episodes, collect: a batch played                  E18
enumeration    every trajectory, or quadrature: a batch listed         E01, E26
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.experience.batch import Batch as Batch, columns as columns, moments as moments
    from minipg.experience.enumeration import (
        enumerate_trajectories as enumerate_trajectories,
        quadrature as quadrature,
    )
    from minipg.experience.environments import (
        adapt as adapt,
        make_envs as make_envs,
        policy_for as policy_for,
        recent_returns as recent_returns,
    )
    from minipg.experience.rollout import (
        Stream as Stream,
        collect as collect,
        play_episodes as play_episodes,
        start_stream as start_stream,
    )
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
