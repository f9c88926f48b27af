"""CleanRL's ppo.py, as it is: the whole script runs for one iteration on each window.

Its file is read from cleanrl/ppo.py in the environment's folder. It is given its arguments, its
environment, Still for Adam, linear networks where it asks for Sequential, and no log.
"""

import contextlib
import io
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import gymnasium as gym
import torch
from played import Played, Still, ascent, fill
from served import serve

FILE = Path(sys.prefix) / "cleanrl" / "ppo.py"
if not FILE.exists():
    sys.exit(f"{FILE}: expected CleanRL's ppo.py, got no file: docs/atlas.md says how")
CODE = compile(FILE.read_text(), "ppo.py", "exec")
sys.modules["tyro"] = given = SimpleNamespace()
sys.modules["torch.utils.tensorboard"] = MagicMock()


def make(lab, options):
    env, nets, linear = Played(), {}, torch.nn.Linear
    env.draws()
    alone = {"num_envs": 1, "num_steps": lab.rows, "total_timesteps": lab.rows, "cuda": False,
             "num_minibatches": 1, "update_epochs": 1, "gamma": float(lab.gamma)}  # fmt: skip

    def network(*layers):
        net = nets[layers[-1].out_features] = linear(4, layers[-1].out_features)
        fill(net, *((lab.weight, lab.bias) if net.out_features == 2 else (lab.values[None], [0.0])))
        return net

    given.cli = lambda arguments: arguments(**alone, **options)
    torch.nn.Sequential, torch.optim.Adam, gym.make = network, Still, lambda name: env

    def ask(window):
        env.begin(window)
        with contextlib.redirect_stdout(io.StringIO()):
            exec(CODE, {"__name__": "__main__", "__file__": "ppo.py"})
        return ascent(nets[2])

    return ask


serve(make)
