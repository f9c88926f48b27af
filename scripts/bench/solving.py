"""Whole algorithms until they solve their environment: seconds, steps, failures."""

import math
from types import ModuleType

import numpy as np
from tqdm import tqdm

from bench.timing import Row, interleave_rates
from bench.training import raw_piece, training, training_piece
from bench.watch import Watch
from minipg.commands.options import parser, settings_of

THRESHOLD = 475  # CartPole-v1's reward_threshold
WIDEST = {  # the most environments that are of use, beside the presets
    ("actor_critic", "CartPole-v1"): "--num-envs 64 --n-steps 16 --steps 1000000",
    ("trpo", "CartPole-v1"): "--num-envs 256 --n-steps 64 --steps 2000000",
    ("actor_critic", "Acrobot-v1"): "--num-envs 64",
    ("trpo", "Acrobot-v1"): "--num-envs 64",
    ("actor_critic", "Pendulum-v1"): "--num-envs 128",
    ("trpo", "Pendulum-v1"): "--num-envs 128 --hidden 32 --no-rescale-actions "
    "--lam 0.9 --delta 0.05 --cg-iterations 4 --critic-learning-rate 0.03 --critic-epochs 3 "
    "--critic-minibatch 1024 --steps 1000000",
}
SOLVED = {"CartPole-v1": THRESHOLD, "Acrobot-v1": -100, "Pendulum-v1": -250}


def widest(
    peers: ModuleType | None, rounds: int = 9, words: str = "", level: float | None = None
) -> list[Row]:
    """The most environments of use: steps/s, share of raw, a run from scratch that solves it."""
    rows = []
    for (name, env_id), chosen in WIDEST.items():
        chosen = f"{chosen} {words}"
        args = parser(env_id).parse_args([name, env_id, *chosen.split()])
        n, iterations = args.num_envs, max(1, 100 // settings_of(args).n_steps)  # as raw_piece
        pieces = {"raw": raw_piece(env_id, n),
                  name: training_piece(name, env_id, chosen, iterations)}  # fmt: skip
        rates = interleave_rates(f"widest, {name} {env_id}", pieces, rounds)
        solved = SOLVED[env_id] if level is None else level
        watch = reach(name, chosen, Watch(solved, (100,)), env_id)
        seconds, steps = watch.found.get(100, (math.inf, math.inf))
        case = f"{env_id} × {n}"
        rows += [
            Row("widest", f"steps/s, {name}", case, rates[name], "1/s"),
            Row("widest", f"share of raw, {name}", case, rates[name] / rates["raw"], "×"),
            Row("widest", f"steps to {solved:g}, {name}", case, np.array([steps])),
            Row("widest", f"seconds to {solved:g}, {name}", case, np.array([seconds]), "s"),
            Row("widest", f"failures, {name}", case, np.array([float(math.isinf(steps))]),
                at_most=0),
        ]  # fmt: skip
    return rows


def reach(algorithm: str, words: str, watch: Watch, env_id: str = "CartPole-v1") -> Watch:
    """Train until the watch has seen enough or the steps are over."""
    envs, loop = training(algorithm, env_id, words)
    counter = envs
    while not hasattr(counter, "return_queue"):
        counter = counter.env
    watch.start()
    for state, _ in loop:
        if watch.add(list(counter.return_queue), state.env_steps):
            break
    return watch


def threshold(
    peers: ModuleType | None, seeds: int = 5, words: str = "", level: float = THRESHOLD
) -> list[Row]:
    """Seconds and steps to a mean return of 475 over the last 20 and 100 training episodes.

    Each side with its own best settings: minipg train's presets, rl-baselines3-zoo's. A failure is
    infinite seconds and steps.
    """
    sides = [("minipg", name) for name in ("trpo", "ppo", "actor_critic", "npg", "acktr")]
    sides += [("SB3", name) for name in peers.ZOO] if peers else []
    found: dict[tuple[str, str], list[Watch]] = {side: [] for side in sides}
    for seed in range(seeds):
        for side, name in tqdm(sides, desc=f"threshold, seed {seed}", leave=False):
            watch = Watch(level)
            if side == "SB3":
                peers.reach(name, seed, watch)
            else:
                reach(name, f"--seed {seed} {words}", watch)
            found[side, name].append(watch)
    rows = []
    for window in (20, 100):
        case, fastest = f"last {window} episodes", math.inf
        for (side, name), watches in reversed(found.items()):  # the peers first
            reached = [watch.found.get(window, (math.inf, math.inf)) for watch in watches]
            seconds, at = np.array(reached, float).T
            must = window == 100 and side == "minipg" and name in ("trpo", "ppo")
            failed = np.array([np.isinf(seconds).sum()])
            rows += [Row("threshold", f"seconds, {side} {name}", case, seconds, "s"),
                     Row("threshold", f"steps, {side} {name}", case, at),
                     Row("threshold", f"failures of {seeds}, {side} {name}", case, failed,
                         at_most=0 if must else None)]  # fmt: skip
            median = rows[-3].quartiles[1]
            if side == "SB3":
                fastest = min(fastest, median)
            elif peers:
                ratio = 0.0 if np.isinf(median) else fastest / median
                rows.append(
                    Row(
                        "threshold",
                        f"fastest peer / minipg {name}, medians",
                        case,
                        np.array([ratio]),
                        "×",
                    )
                )
    return rows
