"""Every equation and claim of the slides, E01 … E48: what is computed, proven and shown."""

from minipg.claims import e1_reinforce, e2_baselines, e3_actor_critic, e4_gae, e5_step, e5_theory

TEXTS = (e1_reinforce, e2_baselines, e3_actor_critic, e4_gae, e5_theory, e5_step)
EQUATIONS = tuple(statement for text in TEXTS for statement in text.EQUATIONS)
