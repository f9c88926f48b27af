"""The library's end of the exchange: a job is done in its folder, in its own environment.

job.json names the settings and how many files there are; `windows-K.npz` holds windows, or batches
of responses, one a row, and what is fixed in all of them; `serve` writes `SETTING-K.npz`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


def serve(make: Callable[[Any, dict], Callable[[Any], np.ndarray]]) -> None:
    """Does the job in the folder of the command line: make(lab, options) is asked each window.

    The first window is asked once more at the end, for the reader to see state and chance.
    """
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    for k in range(job["files"]):
        arrays = dict(np.load(folder / f"windows-{k}.npz"))
        lab = SimpleNamespace(**{x: arrays.pop(x) for x in job["fixed"] if x in arrays})
        count = len(next(iter(arrays.values())))
        asked = [SimpleNamespace(**{x: v[i] for x, v in arrays.items()}) for i in range(count)]
        lab.rows = len(asked[0].rewards) if "rewards" in arrays else 0  # not of responses
        for name, options in job["settings"].items():
            ask = make(lab, dict(options))
            got = np.array([ask(w) for w in [*asked, asked[0]]])
            np.savez(folder / f"{name}-{k}.npz", got=got)
