"""sbx's PPO on CartPole-v1 until the last 100 training episodes have the mean return.

python sbx_glue.py JOB: a JSON object with settings, seeds, threshold, budget of steps. Prints one
with the seconds of each seed: the first compiles, those after it do not.
"""

import json
import sys
import time

import numpy as np
from sbx import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

job = json.loads(sys.argv[1])
settings = dict(job["settings"])
envs = settings.pop("n_envs")


class Stop(BaseCallback):
    """Ends the training where the mean of the last 100 episodes is there."""

    def _on_step(self):
        returns = [episode["r"] for episode in self.model.ep_info_buffer]
        self.there = len(returns) == 100 and np.mean(returns) >= job["threshold"]
        return not self.there


runs = []
for seed in job["seeds"]:
    model = PPO("MlpPolicy", make_vec_env("CartPole-v1", envs, seed=seed), seed=seed, **settings)
    stop, since = Stop(), time.perf_counter()
    model.learn(job["budget"], callback=stop)
    runs.append({"seconds": time.perf_counter() - since, "steps": model.num_timesteps,
                 "reached": bool(stop.there)})  # fmt: skip
print(json.dumps({"runs": runs}))
