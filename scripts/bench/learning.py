"""What is learned: returns of fresh episodes after a million steps on MuJoCo, and seconds."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
from tqdm import tqdm

from bench.timing import Row
from minipg.commands.options import parse
from minipg.commands.train import train

ROWS = [(name, env_id) for env_id in ("HalfCheetah-v5", "Hopper-v5", "Walker2d-v5")
        for name in ("ppo", "trpo")]  # fmt: skip


def learned(algorithm: str, env_id: str, seed: int, steps: int) -> tuple[float, float]:
    """Mean return of 100 fresh episodes, actions drawn, and seconds of training, of the preset."""
    with TemporaryDirectory() as folder:
        out = Path(folder, "run")
        words = [algorithm, env_id, f"--seed={seed}", f"--steps={steps}", f"--out={out}"]
        train(parse(words), quiet=True)
        result = json.loads((out / "result.json").read_text())
    return result["mean_return"], result["seconds"]


def learning(
    peers: ModuleType | None,
    seeds: int = 3,
    steps: int = 1_000_000,
    cases: Sequence[tuple[str, str]] = ROWS,
) -> list[Row]:
    """Return and seconds after 1,000,000 steps: minipg train's presets, the peers' settings."""
    sides = {"minipg": learned} | ({"SB3": peers.learned} if peers else {})
    rows = []
    for name, env_id in cases:
        for side, learn in sides.items():
            what = f"{side} {name}"
            bar = tqdm(range(seeds), desc=f"{what}, {env_id}", leave=False)
            returns, seconds = np.array([learn(name, env_id, seed, steps) for seed in bar]).T
            rows += [Row("learning", f"return, {what}", env_id, returns),
                     Row("learning", f"seconds, {what}", env_id, seconds, "s")]  # fmt: skip
    return rows
