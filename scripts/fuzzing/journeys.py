"""A run from its first command to its picture, with a fault on each of its days."""

from pathlib import Path

import numpy as np

from fuzzing import faults, worlds
from fuzzing.oracle import Answer, Broken, ask, check_folder
from minipg.commands import evaluate, plot, train
from minipg.commands.options import ALGORITHMS

SMALL = {  # that an iteration is short
    "reinforce": [], "cem": ["--population=8", "--elite=2"],
    "actor_critic": ["--n-steps=4"], "ppo": ["--n-steps=8", "--epochs=2", "--minibatch=8"],
}  # fmt: skip


def words(rng: np.random.Generator, draw: int) -> list[str]:
    """A command line of train that fits the world drawn."""
    algorithm = str(rng.choice(list(ALGORITHMS)))
    world = rng.choice(["World-v0", "Wrapped-v0", "Worlds-v0"], p=[0.6, 0.2, 0.2])
    line = [algorithm, str(world), f'--env-kwargs={{"draw": {draw}}}',
            f"--num-envs={rng.integers(1 + (world == 'Worlds-v0'), 4)}",
            f"--steps={rng.integers(20, 160)}",
            f"--seed={rng.integers(99)}", f"--hidden={rng.choice(['', '3', '4,2'])}",
            f"--evaluation-episodes={rng.choice([0, 2, 3])}",
            *SMALL.get(algorithm, ["--n-steps=8"])]  # fmt: skip
    line += ["--normalize-observations"] * bool(rng.random() < 0.2)
    line += ["--normalize-rewards"] * bool(rng.random() < 0.2)
    line += ["--mode=sync"] * bool(rng.random() < 0.3)
    line += ["--mode=async"] * bool(rng.random() < 0.05)
    return line


def fault(rng: np.random.Generator, kinds: dict, most: int, methods=("reset", "step")) -> str:
    """Plan one of these kinds at a random call."""
    kind = str(rng.choice(list(kinds)))
    worlds.plan(kind, int(rng.integers(1, most if rng.random() < 0.5 else 6)), methods)
    return kind


def own_way(line: list[str], kind: str) -> bool:
    """Whether a habit is harmless to us and may be none to the world's own wrappers, or a fault may
    happen in a worker process, which does not tell this one."""
    if kind in faults.HARMLESS:
        return line[1] != "World-v0" and "seed" not in kind
    return "--mode=async" in line and kind != ""


def expect(what: str, answer: Answer, *statuses: int) -> None:
    """Broken unless the command ended so."""
    if answer.status not in statuses:
        raise Broken(f"{what}: status {answer.status}, expected {statuses}: {answer.err[-400:]}")


def journey(rng: np.random.Generator, folder: Path) -> str:
    """Train, with a fault; go on, with another, then without; evaluate and draw, with and without.

    Returns what happened, in words.
    """
    line, run = words(rng, int(rng.integers(1 << 30))), folder / "run"
    story, rows = [], 0
    stages = [("train", [*line, f"--out={run}"])] + [("resume", ["--resume", str(run)])] * 2
    for i, (name, argv) in enumerate(stages):
        last = i == 2
        kind = "nothing"
        if last or rng.random() < 0.2:
            worlds.plan()
        else:
            methods = [("reset", "step"), ("reset", "step"), ("close",), ("init",), ("write",)][
                rng.integers(5)
            ]
            kinds = {"reset": faults.FAULTS, "write": faults.DISK}.get(methods[0], faults.RAISED)
            kind = fault(rng, kinds, 200 if methods[0] == "reset" else 8, methods)
        argv = argv if run.exists() else stages[0][1]
        answer = ask(train.main, argv)
        story.append(f"{name} with {kind}: {answer.status}")
        harmless = not worlds.PLAN.happened or kind in faults.HARMLESS
        closing = worlds.PLAN.methods == ("close",) and kind != "Ctrl-C"
        if "it is finished" in answer.err:
            break
        if "training diverged" in answer.err:
            return f"{', '.join(story)}, which diverged"
        if own_way(line, kind):
            expect(name, answer, 0, 2, 130)
        elif harmless or closing:
            expect(name, answer, 0)
        elif "async" not in " ".join(line):
            expect(name, answer, 130 if kind == "Ctrl-C" else 2)
        if run.exists():
            now = check_folder(run)
            if now < rows:
                raise Broken(f"{name}: {now} iterations, before there were {rows}")
            rows = now
    for name, main, argv in (
        ("evaluate", evaluate.main, [str(run), "--episodes=2"]),
        ("plot", plot.main, [str(run), f"--out={folder / 'picture.png'}"]),
    ):
        if name == "evaluate" and rng.random() < 0.7:
            argv = [*argv, *[["--deterministic"], ["--json"], []][rng.integers(3)]]
            kind = fault(rng, faults.FAULTS, 20)
            answer = ask(main, argv)
            story.append(f"{name} with {kind}: {answer.status}")
            failed = worlds.PLAN.happened and kind not in faults.HARMLESS
            expect(name, answer, *([2, 130] if failed else [0, 2] if own_way(line, kind) else [0]))
        worlds.plan()
        answer = ask(main, argv)
        if "expected a run in which an episode has ended" in answer.err:
            return ", ".join(story)
        expect(name, answer, 0)
        check_folder(run)
    if not (folder / "picture.png").read_bytes().startswith(b"\x89PNG"):
        raise Broken("plot: no picture")
    return ", ".join(story)
