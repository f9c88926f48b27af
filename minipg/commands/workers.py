"""Who runs the runs of a sweep: processes of this machine, or the workers of a Dask cluster."""

import argparse
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minipg.commands import cli, process, progress, runs, train
from minipg.commands.failures import reason
from minipg.commands.lock import hold
from minipg.commands.options import NOT_OPTIONS
from minipg.commands.resume import interrupted

SECONDS_BETWEEN_LOOKS = 1.0  # at the progress of all runs


def finish(run: argparse.Namespace) -> dict[str, Any]:
    """Skip, go on with or begin a run of minipg train, by its options; its result.json.

    The lock beside the folder holds up whoever else wants to run in it: another sweep, or Dask that
    took a slow worker for dead. It ends with its process, however that dies.
    Raises ValueError where the run fails or the folder is of other options.
    """
    folder = run.out
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock_path = folder.with_name(f".{folder.name}.lock")
    lock_path.touch()
    lock = hold(lock_path, wait=True)
    with np.errstate(all="ignore"):  # as in a process of train's own
        try:
            if not folder.exists():
                train.train(run, quiet=True)
            else:
                check_same(run, runs.read_config(folder))
                if not (folder / "result.json").exists():
                    train.train(*interrupted(folder), quiet=True)
        except Exception as error:
            raise ValueError(reason(error, "", [])) from error
        finally:
            os.close(lock)
        path = folder / "result.json"
        try:
            result: dict[str, Any] = json.loads(path.read_text())
        except ValueError as error:
            raise ValueError(f"expected a result, got {error!r:.100} of {path}: without that file "
                             "the same command makes it anew") from error  # fmt: skip
        return result


def check_same(run: argparse.Namespace, config: dict[str, Any]) -> None:
    """Raise ValueError where a folder's options are not those of the run it stands for."""
    wanted = json.loads(json.dumps(vars(run), default=str))
    names = [name for name in wanted | config
             if name not in NOT_OPTIONS and config.get(name) != wanted.get(name)]  # fmt: skip
    if names:
        other = ", ".join(f"{name} {config.get(name)} for {wanted.get(name)}" for name in names)
        longer = "; minipg train --resume DIR --steps N makes one longer, which is then taken"
        longer *= names == ["steps"] and wanted["steps"] > config["steps"]
        raise ValueError(f"expected a folder of this run, its config.json has {other}; another "
                         f"--out begins anew{longer}")  # fmt: skip


def steps_done(run: argparse.Namespace) -> int:
    """Environment steps that are written; of a finished run, which may end early, all."""
    if (run.out / "result.json").exists():
        return int(run.steps)
    try:
        with (run.out / "progress.csv").open("rb") as table:
            table.seek(max(0, os.fstat(table.fileno()).st_size - 4096))
            return min(int(table.read().splitlines()[-1].split(b",")[0]), int(run.steps))
    except (OSError, ValueError):  # not begun
        return 0


def work(run: argparse.Namespace, folder: str) -> dict[str, Any]:
    """finish, in a worker of either kind: it finds the modules of the command's folder."""
    process.find_modules(folder)
    process.keep_freed_memory()
    return finish(run)


def end_with_parent() -> None:
    """However that ends."""
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
        distributed: Any = cli.need("distributed", "--dask")
        with distributed.Client(args.dask) as client:
            yield client.get_executor()
    else:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(args.jobs, spawn, end_with_parent) as pool:
            yield pool


def run_all(pool: Executor, every: list[argparse.Namespace]) -> dict[Path, Any]:
    """Folder → its result or exception; KeyboardInterrupt ends the processes first."""
    futures: dict[Path, Future[Any]] = {}
    total = sum(run.steps for run in every)
    try:
        with progress.bar(total, " steps", sum(map(steps_done, every))) as bar:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            try:  # the processes that this starts keep Ctrl-C blocked: it is for their parent
                futures = {run.out: pool.submit(work, run, os.getcwd()) for run in every}
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
