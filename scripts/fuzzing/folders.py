"""Run folders that someone has edited."""

import json
import os
import shutil
from pathlib import Path

import numpy as np

from fuzzing import worlds
from fuzzing.journeys import SMALL, expect
from fuzzing.oracle import Broken, ask, check_folder
from minipg.commands import cli, curves, evaluate, plot, train


def base(folder: Path, name: str = "run", *more: str) -> Path:
    """A finished run in this case's folder, a copy of one that each process trains once."""
    first = folder.parent / f"base-{os.getpid()}-{name}"
    if not first.exists():
        worlds.plan()
        line = ["ppo", "World-v0", "--steps=64", "--num-envs=2", "--hidden=3",
                "--evaluation-episodes=2", *SMALL["ppo"], *more]  # fmt: skip
        expect("base", ask(train.main, [*line, f"--out={first}"]), 0)
    shutil.copytree(first, folder / name)
    return folder / name


def edited(rng: np.random.Generator, path: Path) -> str:
    """One thing about a file is another."""
    data = path.read_bytes()
    at = int(rng.integers(max(1, len(data))))
    kinds = ["a byte", "cut", "gone", "empty", "a folder", "doubled", "zeros", *["value"] * 7]
    kind = str(rng.choice(kinds))
    if kind == "gone":
        path.unlink()
    elif kind == "a folder":
        path.unlink()
        path.mkdir()
    elif kind == "value" and path.suffix == ".json":
        content = json.loads(data)
        key = str(rng.choice(list(content)))
        odd = [None, [], {}, "x", -1, True, "NaN", [1], 0.5, 1e300, 10**30]
        odd = odd[:-2] if key == "evaluation_episodes" else odd  # so many would be played
        content[key] = odd[rng.integers(len(odd))]
        path.write_text(json.dumps(content))
    elif kind == "value" and path.suffix == ".npz":
        with np.load(path) as file:
            arrays = dict(file)
        key = str(rng.choice(list(arrays)))
        odd = [np.nan, np.array("x"), np.zeros((0,)), np.array([[1, 2]]), arrays[key][None],
               np.array([None]), np.array(-1), np.full(arrays[key].shape, 1e300)]  # fmt: skip
        arrays[key] = odd[rng.integers(len(odd))]
        np.savez(path, **arrays)
    elif kind == "value":
        cells = data.split(b",")
        cells[rng.integers(len(cells))] = rng.choice([b"", b"nan", b"x", b"1e999", b"-5", b"1;2"])
        path.write_bytes(b",".join(cells))
    else:
        path.write_bytes({"cut": data[:at], "empty": b"", "doubled": data + data,
                          "zeros": bytes(len(data))}.get(kind, data[:at] + b"\xff" + data[at + 1 :])
                         )  # fmt: skip
    return f"{path.name}: {kind}"


def edits(rng: np.random.Generator, folder: Path) -> str:
    """A run folder that someone has edited: read, or refused; what is whole stays as it is."""
    run, good = base(folder), base(folder, "good", "--seed=1")
    path = run / str(rng.choice(["config.json", "parameters.npz", "state.npz", "progress.csv",
                                 "result.json"]))  # fmt: skip
    what = edited(rng, path)
    kept = {other: other.read_bytes() for other in run.iterdir()
            if other.is_file() and other.name != "config.json"}  # fmt: skip
    worlds.plan()
    for main, argv in ((evaluate.main, [str(run), "--episodes=2"]),
                       (plot.main, [str(run), f"--out={folder / 'p.png'}"]),
                       (curves_of, [str(run), str(good)]),
                       (train.main, ["--resume", str(run), "--steps=128"])):  # fmt: skip
        if main is plot.main and rng.random() < 0.8:
            continue  # as slow as all the others
        answer = ask(main, argv)
        expect(f"{what}, {argv}", answer, 0, *([] if main is curves_of else [2]))
        if answer.status == 2 or main is not train.main:
            for other, data in kept.items():
                if not other.exists() or other.read_bytes() != data:
                    raise Broken(f"{what}, {argv}: {other.name} is another one now")
        elif what != "progress.csv: value":  # another number, of as many letters
            check_folder(run)
    return what


def curves_of(argv: list[str]) -> int:
    """What plot and sweep read of these runs, without the picture."""
    return cli.run("minipg plot", lambda: bool(curves.read_groups(list(map(Path, argv)))) and 0)
