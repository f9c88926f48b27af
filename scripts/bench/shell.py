"""From the shell: seconds of whole processes until CartPole-v1 is solved, ours and JAX's peers.

Each peer runs in an environment of its own, made from scripts/peers/NAME.txt where it is not there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np
from tqdm import tqdm

from bench.processes import ROOT, SCRIPTS
from bench.solving import THRESHOLD
from bench.timing import Row
from survey.exchange import environment

PEERS, ENVS = SCRIPTS / "peers", ROOT / ".venv"
TOGETHER = 10  # seeds at once
ZOO = {"n_envs": 8, "n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98,
       "n_epochs": 20, "ent_coef": 0.0, "learning_rate": 0.001}  # fmt: skip
OWN = {"agent_kwargs": {"activation": "tanh"}, "num_envs": 5, "num_steps": 100, "num_epochs": 5,
       "num_minibatches": 5, "learning_rate": 0.00075, "max_grad_norm": 0.5, "gamma": 0.99,
       "gae_lambda": 0.95, "clip_eps": 0.2, "ent_coef": 0.01, "vf_coef": 0.5}  # fmt: skip
WIDE = {**OWN, "agent_kwargs": {"activation": "tanh", "hidden_layer_sizes": [64]}, "num_envs": 64,
        "num_steps": 16, "num_epochs": 4, "num_minibatches": 4, "learning_rate": 0.01,
        "ent_coef": 0.0}  # fmt: skip
JAX: dict[str, tuple[str, Mapping[str, Any]]] = {  # side: library, settings
    "rejax, its cartpole.yaml": ("rejax", OWN),
    "rejax, wide": ("rejax", WIDE),
    "sbx, rl-zoo's PPO": ("sbx", ZOO),
}


def seconds_of(command: Sequence[str | Path], **more: str) -> tuple[float, str]:
    """By the clock on the wall, of a whole process, and what it prints; its modules compiled, as
    they are where a package is installed."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"} | more
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    since = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    took = perf_counter() - since
    if done.returncode:
        raise ValueError(f"{' '.join(map(str, command))}: {done.stderr[-500:]}")
    return took, done.stdout


def ours(algorithm: str, *seeds: int) -> float:
    """minipg train until the threshold; of several seeds minipg sweep."""
    with TemporaryDirectory() as folder:
        until = ["--until", str(THRESHOLD)]
        if len(seeds) == 1:
            words = ["train", algorithm, "CartPole-v1", *until, "--evaluation-episodes", "0",
                     "--seed", str(seeds[0]), "--out", f"{folder}/run"]  # fmt: skip
        else:
            words = ["sweep", algorithm, "--env", "CartPole-v1", "--seeds", str(len(seeds)), *until,
                     "--out", f"{folder}/runs", "--", "--evaluation-episodes", "0"]  # fmt: skip
        return seconds_of([sys.executable, "-m", "minipg", *words])[0]


def theirs(library: str, settings: Mapping[str, Any], seeds: Sequence[int], cache: str
           ) -> tuple[float, dict[str, Any]]:  # fmt: skip
    """Seconds of the process, and what its glue says of its parts."""
    job = {"settings": settings, "seeds": list(seeds), "threshold": THRESHOLD, "budget": 300_000,
           "together": len(seeds) > 1}  # fmt: skip
    python = environment(library, ENVS, PEERS)
    took, said = seconds_of([python, PEERS / f"{library}_glue.py", json.dumps(job)],
                            JAX_COMPILATION_CACHE_DIR=cache, JAX_PLATFORMS="cpu",
                            JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0")  # fmt: skip
    return took, json.loads(said.splitlines()[-1])


def shell(peers: ModuleType | None, seeds: int = 5, together: int = TOGETHER) -> list[Row]:
    """Seconds from the shell to a mean return of 475 over 100 training episodes; one, and ten."""
    rows: list[Row] = []

    def add(what: str, case: str, values: Sequence[float], unit: str = "s") -> None:
        rows.append(Row("shell", what, case, np.array(values, float), unit))

    for name in ("trpo", "ppo"):
        alone = [ours(name, seed) for seed in tqdm(range(seeds), desc=name, leave=False)]
        add(f"one seed, minipg {name}", "from the shell", alone)
        add(f"{together} seeds at once, minipg {name}", "from the shell",
            [ours(name, *range(together)) for _ in range(2)])  # fmt: skip
    for side, (library, settings) in JAX.items() if peers else ():
        with TemporaryDirectory() as cache:
            cold, parts = theirs(library, settings, range(1), cache)
            found = [theirs(library, settings, [seed], cache) for seed in range(seeds)]
        runs = [run for _, part in found for run in part["runs"]]
        add(f"one seed, {side}", "from the shell", [cold])
        add(f"one seed, {side}", "from the shell, compiled before", [took for took, _ in found])
        add(f"one seed, {side}", "training alone, compiled before",
            [run["seconds"] if run["reached"] else np.inf for run in runs])  # fmt: skip
        add(f"one seed, {side}", "steps", [run["steps"] for run in runs], "")
        if "compile" in parts:
            add(f"one seed, {side}", "compilation", [parts["compile"]])
            with TemporaryDirectory() as cache:
                parts = theirs(library, settings, range(together), cache)[1]
            add(f"{together} seeds at once, {side}", "without compilation", [parts["together"]])
    return rows
