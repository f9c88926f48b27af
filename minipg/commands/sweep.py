"""Train many runs side by side, go on with those that were interrupted, and print their table.

python scripts/sweep.py ALGORITHM… --env ENV… --seeds N [--jobs J | --dask ADDRESS] [--out DIR]
                        [-- OPTIONS OF train.py]
"""

import argparse
import fcntl
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of this process and of those it starts

import numpy as np
from tqdm import tqdm

from minipg.commands import cli, runs, train
from minipg.commands.evaluate import environments
from minipg.commands.options import (
    ALGORITHMS,
    NOT_OPTIONS,
    interrupted,
    parse,
    run_name,
    settings_of,
)

SECONDS_BETWEEN_LOOKS = 1.0  # at the progress of all runs


def finish(run: argparse.Namespace) -> dict[str, Any]:
    """Skip, go on with or begin a run of train.py, by its options; its result.json.

    The lock beside the folder holds up whoever else wants to run in it: another sweep, or Dask that
    took a slow worker for dead. It ends with its process, however that dies.
    Raises ValueError where the run fails or the folder is of other options.
    """
    folder = run.out
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock_path = folder.with_name(f".{folder.name}.lock")
    with lock_path.open("w") as lock, np.errstate(all="ignore"):  # as train.py as a command
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not folder.exists():
                train.train(run, quiet=True)
            else:
                check_same(run, runs.read_config(folder))
                if not (folder / "result.json").exists():
                    train.train(*interrupted(folder), quiet=True)
        except Exception as error:
            raise ValueError(train.reason(error, "", [])) from error
        result: dict[str, Any] = json.loads((folder / "result.json").read_text())
        return result


def check_same(run: argparse.Namespace, config: dict[str, Any]) -> None:
    """Raise ValueError where a folder's options are not those of the run it stands for."""
    wanted = json.loads(json.dumps(vars(run), default=str))
    other = [f"{name} {config.get(name)} for {wanted.get(name)}" for name in wanted | config
             if name not in NOT_OPTIONS and config.get(name) != wanted.get(name)]  # fmt: skip
    if other:
        raise ValueError(f"expected a folder of this run, its config.json has {', '.join(other)}")


def runs_of(args: argparse.Namespace, more: list[str]) -> list[list[argparse.Namespace]]:
    """A row of train.py's options for each algorithm and environment, a run a seed.

    Exits with 2, or ValueError, for options that train.py refuses and unknown environments.
    """
    rows = []
    for algorithm in args.algorithms:
        for env in args.env:
            run = parse([algorithm, env, *more])
            if run.seed or run.out:
                raise ValueError("--seed, --out: expected before --, where --seeds and --out stand")
            settings_of(run)
            environments(run, 1, None).close()
            rows.append([argparse.Namespace(**{**vars(run), "seed": s}) for s in range(args.seeds)])
            for run in rows[-1]:
                run.out = args.out.absolute() / run_name(run)
    return rows


def steps_done(run: argparse.Namespace) -> int:
    """Environment steps that are written."""
    try:
        with (run.out / "progress.csv").open("rb") as table:
            table.seek(max(0, os.fstat(table.fileno()).st_size - 4096))
            return min(int(table.read().splitlines()[-1].split(b",")[0]), run.steps)
    except (OSError, ValueError):  # not begun
        return 0


def prepare_worker() -> None:
    """End with the parent, however that ends."""
    tqdm.set_lock(threading.RLock())  # else a semaphore of the system, which a kill would leak
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_it() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_it, daemon=True).start()


@contextmanager
def executor(args: argparse.Namespace) -> Iterator[Executor]:
    """Processes of this machine, or of a Dask cluster."""
    if args.dask:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise ValueError("--dask: needs dask.distributed: pip install distributed") from error
        with Client(args.dask) as client:
            yield client.get_executor()
    else:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(args.jobs, spawn, prepare_worker) as pool:
            yield pool


def run_all(pool: Executor, every: list[argparse.Namespace]) -> dict[Path, Any]:
    """Folder → its result or exception; KeyboardInterrupt ends the processes first."""
    futures: dict[Path, Future[Any]] = {}
    total = sum(run.steps for run in every)
    try:
        with tqdm(total=total, initial=sum(map(steps_done, every)), unit=" steps",
                  unit_scale=True) as bar:  # fmt: skip
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            try:  # the processes that this starts keep Ctrl-C blocked: it is for their parent
                futures = {run.out: pool.submit(finish, run) for run in every}
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            pending = set(futures.values())
            while pending:
                pending = wait(pending, SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).not_done
                bar.set_postfix(runs=f"{len(every) - len(pending)}/{len(every)}", refresh=False)
                bar.update(sum(map(steps_done, every)) - bar.n)
    except KeyboardInterrupt:
        for future in futures.values():
            future.cancel()
        for child in multiprocessing.active_children():
            child.kill()  # every file of a run folder is whole at any moment
        raise KeyboardInterrupt("repeat the command to go on") from None

    def outcome(future: Future[Any]) -> Any:
        try:
            return future.result()
        except Exception as error:
            return error

    return {folder: outcome(future) for folder, future in futures.items()}


def why(error: Exception) -> str:
    """In one line."""
    if isinstance(error, BrokenProcessPool):
        return ("a worker process was killed (out of memory? then take fewer --jobs), which ends "
                "the others; repeat the command to go on")  # fmt: skip
    text = " ".join(str(error).split())
    return text if type(error) is ValueError else f"{type(error).__name__}: {text}"


def table(rows: list[list[Any]]) -> str:
    """Markdown: a row for each algorithm and environment, a column a seed; no dict: failed."""
    from scipy.stats import trim_mean

    seeds = range(len(rows[0]))
    head = ["algorithm, environment (steps)", "threshold", *(f"seed {s}" for s in seeds)]
    lines = [[*head, "interquartile mean"], ["---"] * (len(head) + 1)]
    for row in rows:
        results = [result for result in row if isinstance(result, dict)]
        if results:
            first, most = results[0], max(result["env_steps"] for result in results)
            returns = [f"{x['mean_return']:.1f}" if isinstance(x, dict) else "failed" for x in row]
            middle = trim_mean([result["mean_return"] for result in results], 0.25)
            threshold = "none" if first["threshold"] is None else f"{first['threshold']:g}"
            lines.append([f"{first['algorithm']} {first['env']} ({most:,})", threshold, *returns,
                          f"{middle:.1f}"])  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines).replace(" --- ", "---")


def command(args: argparse.Namespace, more: list[str]) -> int:
    """Run, print the table, list what failed: 1 if anything did."""
    for name in ("seeds", "jobs"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name}: expected 1 or more, got {getattr(args, name)}")
    rows = runs_of(args, more)
    with executor(args) as pool:
        results = run_all(pool, [run for row in rows for run in row])
    failed: dict[str, list[str]] = {}
    for folder, result in results.items():
        if isinstance(result, Exception):
            failed.setdefault(why(result), []).append(folder.name)
    if any(isinstance(result, dict) for result in results.values()):
        print(table([[results[run.out] for run in row] for row in rows]))
    for reason, names in failed.items():
        print(f"sweep: failed: {', '.join(names)}: {reason}", file=sys.stderr)
    return int(bool(failed))


def main(argv: list[str] | None = None) -> int:
    """0; 1 if a run failed; 2 for a mistake, 130 for Ctrl-C, each with its line."""
    words = sys.argv[1:] if argv is None else argv
    cut = words.index("--") if "--" in words else len(words)
    parser = cli.Parser(prog="sweep", description="Train many runs side by side; repeated after an "
                        "interruption, go on with those that are not finished.",
                        epilog="options after -- are those of train.py, for every run")  # fmt: skip
    add = parser.add_argument
    add("algorithms", nargs="+", choices=ALGORITHMS, metavar="ALGORITHM",
        help=", ".join(ALGORITHMS))  # fmt: skip
    add("--env", nargs="+", required=True, help="Gymnasium environments, as in train.py")
    add("--seeds", type=int, required=True, metavar="N", help="of each, from 0 to N - 1")
    add("--out", type=Path, default=Path("runs"), metavar="DIR",
        help="where the run folders ALGORITHM-ENV-SEED are or will be (%(default)s)")  # fmt: skip
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J",
                       help="runs side by side, a process each (%(default)s)")  # fmt: skip
    where.add_argument("--dask", metavar="ADDRESS",
                       help="of a Dask scheduler, whose workers run them")  # fmt: skip
    args = parser.parse_args(words[:cut])
    return cli.run("sweep", lambda: command(args, words[cut + 1 :]))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    sys.exit(main())
