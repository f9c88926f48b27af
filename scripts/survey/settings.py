"""Which settings of which library are asked: the defaults, and each switch off.

Beside its options the glue gives what a window needs: one minibatch, one epoch, γ of the table.
SIZED: asked at more sizes too, long windows or groups of four.
"""

from typing import Any

NO_CLIP = {"max_grad_norm": 1e9}
AGGREGATIONS = ("token-mean", "token-sum", "seq-mean-token-sum", "seq-mean-token-mean",
                "seq-mean-token-sum-norm")  # fmt: skip
ESTIMATORS = ("rloo", "grpo", "reinforce_plus_plus", "reinforce_plus_plus_baseline", "opo", "gpg",
              "grpo_passk")  # fmt: skip

WINDOWS: dict[str, dict[str, dict[str, Any]]] = {
    "sb3": {
        "a2c": {"class": "A2C"},
        "a2c-no-clip": {"class": "A2C", **NO_CLIP},
        "a2c-normalised": {"class": "A2C", "normalize_advantage": True, **NO_CLIP},
        "ppo": {"class": "PPO"},
        "ppo-no-critic": {"class": "PPO", "vf_coef": 0.0},
        "ppo-no-clip": {"class": "PPO", **NO_CLIP},
        "ppo-entropy": {"class": "PPO", "ent_coef": 0.01, **NO_CLIP},
        "ppo-not-normalised": {"class": "PPO", "normalize_advantage": False},
        "ppo-bare": {"class": "PPO", "normalize_advantage": False, **NO_CLIP},
        "trpo": {"class": "TRPO"},
        "trpo-bare": {"class": "TRPO", "normalize_advantage": False},
    },
    "tianshou": {
        "reinforce": {"class": "Reinforce"},
        "a2c": {"class": "A2C"},
        "a2c-clip": {"class": "A2C", "max_grad_norm": 0.5},
        "a2c-bare": {"class": "A2C", "ent_coef": 0.0},
        "ppo": {"class": "PPO"},
        "ppo-no-entropy": {"class": "PPO", "ent_coef": 0.0},
        "ppo-bare": {"class": "PPO", "ent_coef": 0.0, "advantage_normalization": False},
    },
    "cleanrl": {
        "ppo": {},
        "ppo-no-clip": NO_CLIP,
        "ppo-no-entropy": {"ent_coef": 0.0, **NO_CLIP},
        "ppo-bare": {"norm_adv": False, "ent_coef": 0.0, **NO_CLIP},
    },
}

LANGUAGE: dict[str, dict[str, dict[str, Any]]] = {
    "trl": {
        "grpo-dapo": {"class": "GRPO"},
        **{f"grpo-{x}": {"class": "GRPO", "loss_type": x}
           for x in ("grpo", "bnpo", "dr_grpo", "cispo", "sapo", "vespo")},
        "grpo-luspo": {"class": "GRPO", "loss_type": "luspo",
                       "importance_sampling_level": "sequence"},
        "grpo-cispo-5": {"class": "GRPO", "loss_type": "cispo", "epsilon_high": 5.0},
        "grpo-dapo-batch": {"class": "GRPO", "scale_rewards": "batch"},
        "grpo-dapo-unscaled": {"class": "GRPO", "scale_rewards": "none"},
        "grpo-dr_grpo-unscaled": {"class": "GRPO", "loss_type": "dr_grpo",
                                  "scale_rewards": "none"},
        "rloo": {"class": "RLOO"},
        "rloo-normalised": {"class": "RLOO", "normalize_advantages": True},
    },
    "verl": {
        **{f"{e}-{a}": {"estimator": e, "aggregation": a}
           for e in ESTIMATORS for a in AGGREGATIONS},
        **{f"grpo-unscaled-{a}": {"estimator": "grpo", "norm_adv_by_std_in_grpo": False,
                                  "aggregation": a} for a in AGGREGATIONS},
        **{f"rloo-loss-{x}": {"estimator": "rloo", "loss": x}
           for x in ("gspo", "gpg", "cispo", "geo_mean", "sapo")},
    },
}  # fmt: skip

SIZED = {
    "sb3": ("ppo", "ppo-no-clip", "ppo-bare"),
    "tianshou": ("ppo-no-entropy", "ppo-bare"),
    "cleanrl": ("ppo", "ppo-no-entropy", "ppo-bare"),
    "trl": ("grpo-dapo", "grpo-grpo", "grpo-dr_grpo-unscaled", "rloo"),
    "verl": tuple(f"{e}-{a}" for e in ("rloo", "grpo", "reinforce_plus_plus")
                  for a in ("token-mean", "seq-mean-token-sum")),
}  # fmt: skip

PACKAGES = {
    "sb3": ("stable-baselines3", "sb3-contrib", "torch"),
    "tianshou": ("tianshou", "torch"),
    "cleanrl": ("gymnasium", "torch"),
    "trl": ("trl", "transformers", "torch"),
    "verl": ("verl", "torch"),
}
