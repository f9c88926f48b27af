"""Hypothesis profiles: the gate draws the same problems every time, `explore` ever new ones."""

import warnings

from hypothesis import HealthCheck, settings

settings.register_profile("gate", deadline=None, derandomize=True, database=None, max_examples=25)
settings.register_profile(
    "explore", deadline=None, max_examples=500, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gate")
warnings.filterwarnings("ignore", module="pygame")
