"""Whole algorithms: steps a second against the raw environment and the peers, time to solve."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers.vector import NormalizeObservation, NormalizeReward
from tqdm import tqdm

from bench.timing import Row, interleave_rates
from bench.watch import Watch
from minipg.commands.options import ALGORITHMS, parser, settings_of
from minipg.experience.environments import Envs, make_envs, policy_for

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
SAME = {  # the peers' hyperparameters, rl-baselines3-zoo's, in train.py's words
    "ppo": "--num-envs 8 --hidden 64,64 --n-steps 32 --minibatch 256 --epochs 20 --lam 0.8 "
    "--gamma 0.98 --learning-rate 0.001 --critic-learning-rate 0.001 --critic-epochs 20 "
    "--critic-minibatch 256",
    "actor_critic": "--num-envs 8 --hidden 64,64 --n-steps 5 --lam 1 --target mc --gamma 0.99 "
    "--optimiser rmsprop --learning-rate 0.0007 --critic-learning-rate 0.0007 --max-norm 0.5",
    "trpo": "--num-envs 2 --hidden 64,64 --n-steps 512 --damping 0.001 --cg-iterations 15 "
    "--lam 0.98 --gamma 0.99 --delta 0.01 --critic-learning-rate 0.001 --critic-epochs 20 "
    "--critic-minibatch 512",
}
TIMES_PEERS = {"ppo": 6, "actor_critic": 6, "trpo": 5}
ITERATIONS = {"ppo": 4, "actor_critic": 50, "trpo": 2}  # a round, about a second of a peer's


def training(algorithm: str, env_id: str, words: str) -> tuple[Envs, Iterator[Any]]:
    """Environments and the algorithm's generator, which has not begun.

    As train.py would with these options, the presets' where none are given; without its files.
    """
    args = parser(env_id).parse_args([algorithm, env_id, *words.split()])
    run, settings = ALGORITHMS[algorithm][0], settings_of(args)
    envs = make_envs(
        args.env, args.num_envs, args.mode, args.max_episode_steps, args.rescale_actions
    )
    if args.normalize_observations:
        envs = NormalizeObservation(envs)
    if args.normalize_rewards:
        envs = NormalizeReward(envs, getattr(settings, "gamma", 1.0))
    policy = policy_for(envs, args.hidden, args.state_dependent_std, args.shared)
    rng = np.random.default_rng(args.seed)
    theta = policy.init(rng, dtype=np.float32, std=args.initial_std)
    return envs, run(envs, policy, theta, settings, args.steps, rng)


def training_piece(
    algorithm: str, env_id: str, words: str, iterations: int = 1
) -> Callable[[], int]:
    """Goes on training for some iterations; returns the steps."""
    _, loop = training(algorithm, env_id, f"{words} --steps {10**12}")
    before = 0

    def train() -> int:
        nonlocal before
        for _ in range(iterations):
            state, _ = next(loop)
        played, before = state.env_steps - before, state.env_steps
        return played

    return train


def raw_piece(env_id: str, num_envs: int) -> Callable[[], int]:
    """The bare vector environment under random actions, which were drawn before."""
    envs = gym.make_vec(env_id, num_envs)
    envs.reset(seed=0)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(100)]

    def play() -> int:
        for action in actions:
            envs.step(action)
        return len(actions) * num_envs

    return play


def environments(
    peers: ModuleType | None, numbers: Sequence[int] = (8, 32, 256), rounds: int = 7
) -> list[Row]:
    """Every algorithm with its preset but for the number of environments, against the raw rate."""
    rows = []
    for n in numbers:
        pieces = {"raw": raw_piece("CartPole-v1", n)}
        pieces |= {name: training_piece(name, "CartPole-v1", f"--num-envs {n}")
                   for name in ALGORITHMS}  # fmt: skip
        rates, case = interleave_rates(f"environments × {n}", pieces, rounds), f"CartPole-v1 × {n}"
        rows += [Row("environments", f"steps/s, {name}", case, rate, "1/s")
                 for name, rate in rates.items()]  # fmt: skip
        rows += [Row("environments", f"share of raw, {name}", case, rates[name] / rates["raw"], "×")
                 for name in ALGORITHMS]  # fmt: skip
    return rows


def widest(
    peers: ModuleType | None, rounds: int = 9, words: str = "", level: float | None = None
) -> list[Row]:
    """The most environments of use: steps/s, share of raw, a run from scratch that solves it.

    Where `step` itself is Python (all but CartPole-v1, which is vectorised) the share must hold.
    """
    rows = []
    for (name, env_id), chosen in WIDEST.items():
        chosen = f"{chosen} {words}"
        args = parser(env_id).parse_args([name, env_id, *chosen.split()])
        n, iterations = args.num_envs, max(1, 100 // settings_of(args).n_steps)  # as raw_piece
        pieces = {"raw": raw_piece(env_id, n),
                  name: training_piece(name, env_id, chosen, iterations)}  # fmt: skip
        rates = interleave_rates(f"widest, {name} {env_id}", pieces, rounds)
        python, solved = env_id != "CartPole-v1", SOLVED[env_id] if level is None else level
        watch = reach(name, chosen, Watch(solved, (100,)), env_id)
        seconds, steps = watch.found.get(100, (math.inf, math.inf))
        case = f"{env_id} × {n}"
        rows += [
            Row("widest", f"steps/s, {name}", case, rates[name], "1/s",
                at_least=None if python else 100_000),
            Row("widest", f"share of raw, {name}", case, rates[name] / rates["raw"], "×",
                at_least=0.75 if python else None),
            Row("widest", f"steps to {solved:g}, {name}", case, np.array([steps])),
            Row("widest", f"seconds to {solved:g}, {name}", case, np.array([seconds]), "s"),
            Row("widest", f"failures, {name}", case, np.array([float(math.isinf(steps))]),
                at_most=0),
        ]  # fmt: skip
    return rows


def same_settings(
    peers: ModuleType | None, iterations: Mapping[str, int] = ITERATIONS, rounds: int = 9
) -> list[Row]:
    """Steps/s at the peers' hyperparameters: on their kind of environment, and vectorised."""
    rows: list[Row] = []
    for name, count in iterations.items() if peers else ():
        pieces = {
            "SB3": peers.training_piece(name, count),
            "sync": training_piece(name, "CartPole-v1", f"{SAME[name]} --mode sync", count),
            "vectorised": training_piece(name, "CartPole-v1", SAME[name], count),
        }
        rates = interleave_rates(f"same settings, {name}", pieces, rounds)
        rows += [Row("same", f"steps/s, {side}", name, rate, "1/s") for side, rate in rates.items()]
        rows += [Row("same", f"{side} / SB3", name, rates[side] / rates["SB3"], "×",
                     at_least=TIMES_PEERS[name] if side == "sync" else None)
                 for side in ("sync", "vectorised")]  # fmt: skip
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

    Each side with its own best settings: train.py's presets, rl-baselines3-zoo's. A failure is
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
                rows.append(Row("threshold", f"fastest peer / minipg {name}, medians", case,
                                np.array([ratio]), "×", at_least=10 if must else None))  # fmt: skip
    return rows
