"""What needs a fresh process: the time of an import, the peak memory of a run."""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
from tqdm import tqdm

from bench.timing import Row

SCRIPTS = Path(__file__).parents[1]
ROOT = SCRIPTS.parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "minipg").rglob("*.py")
    if path.stem != "__main__" and path.parent.name != "commands"  # these may need matplotlib
)


def last_number(code: str) -> float:
    """What a fresh interpreter prints last."""
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{SCRIPTS}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env,
                          check=False)  # fmt: skip
    if done.returncode:
        raise ValueError(f"{sys.executable} -c {code!r}: {done.stderr}")
    return float(done.stdout.split()[-1])


def peak() -> float:
    """MiB of this process. Where Linux tells it not ru_maxrss: that has the parent's peak in it."""
    status = Path("/proc/self/status")
    if status.exists():
        return float(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS: bytes


def imports(peers: ModuleType | None, rounds: int = 11) -> list[Row]:
    """Seconds that `import …` takes, interleaved over fresh processes."""
    what = {"numpy, gymnasium": "numpy, gymnasium", "minipg": "minipg",
            "minipg, every submodule": ", ".join(MODULES)}  # fmt: skip
    if peers:
        what["stable_baselines3"] = "stable_baselines3"
    took: dict[str, list[float]] = {name: [] for name in what}
    for _ in tqdm(range(rounds), desc="imports", leave=False):
        for name, modules in what.items():
            took[name].append(last_number(
                f"import time; t = time.perf_counter(); import {modules}; "
                "print(time.perf_counter() - t)"))  # fmt: skip
    return [Row("imports", "import", name, np.array(seconds), "s",
                at_most=0.5 if name.startswith("minipg") else None)
            for name, seconds in took.items()]  # fmt: skip


def memory(
    peers: ModuleType | None, steps: Sequence[int] = (100_000, 1_000_000), rounds: int = 1,
    algorithms: Sequence[str] = ("actor_critic", "trpo"),
) -> list[Row]:  # fmt: skip
    """Peak resident memory of minipg train, a short run against a long one, in fresh processes."""
    rows = []
    for name in algorithms:
        peaks = np.empty((rounds, 2))
        for i in tqdm(range(rounds), desc=f"memory, {name}", leave=False):
            for j, count in enumerate(steps):
                with TemporaryDirectory() as folder:
                    words = [name, "CartPole-v1", f"--steps={count}", f"--out={folder}/run"]
                    peaks[i, j] = last_number(
                        f"from minipg.commands import train; assert train.main({words}) == 0; "
                        "from bench.processes import peak; print(peak())"
                    )
        rows += [Row("memory", f"peak, {name}", f"{count} steps", peaks[:, j], "MiB")
                 for j, count in enumerate(steps)]  # fmt: skip
        rows.append(Row("memory", f"long / short, {name}", f"{steps[1]} / {steps[0]} steps",
                        peaks[:, 1] / peaks[:, 0], "×", at_most=1.05))  # fmt: skip
    return rows
