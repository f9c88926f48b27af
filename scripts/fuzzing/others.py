"""Options, tables, edited run folders and shells as they come."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from fuzzing import faults, worlds
from fuzzing.folders import base
from fuzzing.journeys import expect, fault, own_way, words
from fuzzing.oracle import Broken, ask, check_folder
from minipg.commands import (
    estimators,
    evaluate,
    groups,
    oracle,
    plot,
    sweep,
    train,
    verify,
)
from minipg.commands.options import ALGORITHMS, parser

VALUES = ["", "0", "1", "-1", "2", "0.5", "-0.5", "1e3", "1e-300", "nan", "inf", "-inf", "1e400",
          "3,4", "None", "true", "γ", "'; ls", "1_0", "٣", "\x00", "[]", "{}", '{"draw": "x"}',
          '{"nope": 1}', "td", "adam", "cholesky", "async", "sync", " 1", "0x10"]  # fmt: skip
OPTIONS = sorted({
    option for name in ALGORITHMS
    for option in parser()._subparsers._group_actions[0].choices[name]._option_string_actions
    if option.startswith("--") and option not in ("--help", "--out")
})  # fmt: skip


def refused_or_done(rng: np.random.Generator, folder: Path) -> str:
    """A world with one fault, trained in; the run's folder is whole or is not there."""
    unfit = str(rng.choice(["", "", "", "", "observation", "action"]))
    line = words(rng, int(rng.integers(1 << 30)))
    if unfit:
        line[2] = line[2][:-1] + f', "unfit": "{unfit}"}}'
    kind = fault(rng, faults.FAULTS, 30)
    answer = ask(train.main, [*line, f"--out={folder / 'run'}"])
    if unfit:
        expect(f"unfit {unfit}", answer, 2)
    elif "training diverged" in answer.err:
        kind = "divergence"
    elif own_way(line, kind):
        expect(kind, answer, 0, 2, 130)
    elif not worlds.PLAN.happened or kind in faults.HARMLESS:
        expect(kind, answer, 0)
    else:
        expect(kind, answer, 130 if kind == "Ctrl-C" else 2)
    if (folder / "run").exists():
        check_folder(folder / "run")
    return f"{kind}: {answer.status}"


def options(rng: np.random.Generator, folder: Path) -> str:
    """Any options of train with any values."""
    worlds.plan()
    line = words(rng, int(rng.integers(1 << 30)))
    for _ in range(rng.integers(1, 4)):
        option, value = str(rng.choice(OPTIONS)), str(rng.choice(VALUES))
        line += [f"{option}={value}"] if rng.random() < 0.8 else [option, value]
    if rng.random() < 0.1:
        line[rng.integers(2)] = str(rng.choice([*VALUES, "World-v1", "world", "a.py:B", "os:X"]))
    answer = ask(train.main, [*line, f"--out={folder / 'run'}"])
    expect(" ".join(line), answer, 0, 2)
    if (folder / "run").exists():
        check_folder(folder / "run")
    return f"{line[-1]}: {answer.status}"


COMMANDS = {
    "evaluate": (evaluate.main, ["{run}", "--episodes={v}", "--video={v}", "--json", "{v}"]),
    "plot": (plot.main, ["{run}", "{v}", "--x={v}", "--x=seconds", "--out={v}", "--out={dir}"]),
    "verify": (verify.main, ["{v}", "--gamma={v}", "--seed={v}", "--nope", "{run}"]),
    "sweep": (sweep.main, ["{v}", "--env={v}", "--seeds={v}", "--until={v}", "--out={dir}", "--"]),
    "estimators": (estimators.main, ["{v}", "--games={v}", "--gamma={v}", "--attribute={v}"]),
    "groups": (groups.main, ["--size={v}", "--seed={v}", "{v}"]),
    "oracle": (oracle.main, ["--side={v}", "{v}"]),
    "resume": (train.main, ["--resume={run}", "--resume={v}", "--steps={v}", "--seed=1"]),
}  # fmt: skip
SLOW = {"1", "2", "0.5", "1e3", "0", "1_0", "٣", " 1", "1e-300", "-0.5", "-1"}


def other_commands(rng: np.random.Generator, folder: Path) -> str:
    """Any words to any other command; those that would be a right call, and slow, are left out."""
    worlds.plan()
    name = str(rng.choice(list(COMMANDS)))
    main, forms = COMMANDS[name]
    run = base(folder)
    quick = name in ("evaluate", "plot", "resume")
    values = [v for v in VALUES if quick or v not in SLOW]
    line = [str(rng.choice(forms)).format(run=run, v=rng.choice(values), dir=folder)
            for _ in range(rng.integers(1, 4))]  # fmt: skip
    if not quick and not any("=" in word or word in values for word in line):
        line.append("--nope=1")
    expect(f"{name} {line}", ask(main, line), 0, 2)
    check_folder(run)
    return f"{name} {line}"


def tables(rng: np.random.Generator, folder: Path) -> str:
    """A table of a file that is none."""
    n, a = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    arrays = {"transition": rng.dirichlet(np.ones(n), (n, a)), "reward": rng.random((n, a)),
              "start": rng.dirichlet(np.ones(n)), "gamma": np.array(0.9),
              "terminal": np.zeros(n, bool), "features": np.eye(n)}  # fmt: skip
    key = str(rng.choice(list(arrays)))
    value = arrays[key]
    wrong = [value * np.nan, value - 2.0, value[None], value.astype(str), value.astype(complex),
             np.zeros((0, *value.shape)), np.array([None]), value * 1e300 + 1, value + 1e-3,
             np.array("x"), np.full((7, 7, 7), 0.5)]  # fmt: skip
    arrays[key] = wrong[rng.integers(len(wrong))]
    right = key in ("features", "terminal") or key == "reward"
    path, buffer = folder / "table.npz", io.BytesIO()
    np.savez(buffer, **arrays)
    data = buffer.getvalue()
    if right or rng.random() < 0.3:  # so that nothing is verified: seconds, and other tests' work
        data = data[: rng.integers(len(data))]
    path.write_bytes(data)
    answer = ask(verify.main, [str(path)])
    expect(f"table {key}", answer, 0, 2)
    return f"{key}: {answer.err[-200:]}"


SHELLS = [
    {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "cp1252"}, {"LANG": "C", "LC_ALL": "C"},
    {"COLUMNS": "1"}, {"COLUMNS": "x"}, {"TERM": "dumb"}, {"NO_COLOR": "1"}, {"HOME": "/nowhere"},
    {"MPLBACKEND": "nope"}, {"MPLCONFIGDIR": "/proc/none"}, {"TMPDIR": "/nowhere"},
    {"PYTHONWARNINGS": "error"}, {"PYTHONOPTIMIZE": "1"}, {"OMP_NUM_THREADS": "x"},
    {"PYTHONDONTWRITEBYTECODE": "1"}, {"PYTHONUTF8": "0"}, {"SDL_VIDEODRIVER": "none"},
]  # fmt: skip


def shells(rng: np.random.Generator, folder: Path) -> str:
    """Variables of the shell, outputs that are closed, worker processes in which a step fails."""
    more = SHELLS[rng.integers(len(SHELLS))]
    failing = ["train", "ppo", "World-v0", "--mode=async", "--num-envs=2", "--steps=256",
               "--max-episode-steps=9", f"--out={folder / 'failing'}"]  # fmt: skip
    run = base(folder)
    words = [["evaluate", str(run), "--episodes=2", "--json"], ["plot", str(run)], ["--help"],
             ["train", "--resume", str(run), "--steps=128"],
             ["train", "ppo", "γ-v0"], failing][rng.integers(6)]  # fmt: skip
    kind = str(rng.choice(list(faults.FAULTS))) if words is failing else ""
    code = (f"import fuzzing.worlds as w, sys; w.plan({kind!r}, 30, ('step',)); "
            "from minipg.commands.main import console; sys.exit(console())")  # fmt: skip
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=False,
                          env={**os.environ, "PYTHONPATH": path, **more}, timeout=120)  # fmt: skip
    if b"Traceback" in done.stderr or done.returncode not in (0, 2, 130):
        raise Broken(f"{more} {words}: {done.returncode} {done.stderr[-500:].decode()}")
    return f"{more} {words[0]}: {done.returncode}"
