"""Every claim, in the order in which verify asks them: some draw from one generator in turn."""

from minipg.claims import (
    s1_reinforce,
    s2_baselines,
    s3_actor_critic,
    s3_endings,
    s4_gae,
    s5_errata,
    s5_importance,
    s5_performance,
    s5_quadratic,
    s5_trpo,
)
from minipg.claims.rows import Claim

SECTIONS = (s1_reinforce, s2_baselines, s3_actor_critic, s3_endings, s4_gae, s5_importance,
            s5_performance, s5_quadratic, s5_trpo, s5_errata)  # fmt: skip
CLAIMS = [x for section in SECTIONS for x in vars(section).values() if isinstance(x, Claim)]
