"""The small table on which estimators are asked by default."""

import numpy as np

from minipg.audit.laboratory import Laboratory
from minipg.policies.build import softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact


def lake(steps: int = 5, limit: int = 3, autoreset: str = "apart", anywhere: bool = False,
         streams: int = 1) -> Laboratory:  # fmt: skip
    """Three states and an end, two actions, slips, rewards of either sign, a half-learned V.

    Under autoreset "never" the table itself ends an episode after `limit` steps: no truncation.
    """
    rng = np.random.default_rng(7)
    transition = np.zeros((4, 2, 4))
    transition[0, 0, 1] = 1
    transition[0, 1, [2, 3]] = 0.7, 0.3
    transition[1, 0, 3] = 1
    transition[1, 1, [0, 2]] = 0.5, 0.5
    transition[2, 0, 1] = transition[2, 1, 0] = transition[3, :, 3] = 1
    reward = rng.standard_normal((4, 2, 4)).round(2)
    terminal = np.arange(4) == 3
    start = np.array([0.6, 0.4, 0, 0])
    mdp = TabularMDP.from_arrays(transition, reward, start, 0.9, terminal)
    policy = softmax_policy(4, 2)
    theta = policy.init(np.random.default_rng(1), 1.0)
    v = exact.state_values(mdp, policy.probs(theta, mdp.features))
    values = np.where(terminal, 0.37, 0.5 * v + 0.5 * rng.standard_normal(4))
    if autoreset == "never":
        mdp, values, steps = mdp.unroll(limit), np.tile(values, limit + 1), limit + 1
        limit = steps
    return Laboratory(mdp, policy, theta, values, steps, limit, autoreset,
                      anywhere=anywhere, streams=streams)  # fmt: skip
