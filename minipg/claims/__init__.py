"""The lecture's equations as claims: each compares two computations on one Problem.

`verify.py` runs them on an environment's own table, the test suite on random problems.
"""

from minipg.claims import (
    s1_reinforce,
    s2_baselines,
    s3_actor_critic,
    s4_gae,
    s5_importance,
    s5_performance,
    s5_quadratic,
    s5_trpo,
)
from minipg.claims.problem import CLAIMS, Problem

__all__ = [
    "CLAIMS",
    "Problem",
    "s1_reinforce",
    "s2_baselines",
    "s3_actor_critic",
    "s4_gae",
    "s5_importance",
    "s5_performance",
    "s5_quadratic",
    "s5_trpo",
]
