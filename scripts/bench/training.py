"""Whole algorithms: steps a second against the raw environment and the peers."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np

from bench.timing import Row, interleave_rates
from minipg.commands.environments import prepare
from minipg.commands.options import ALGORITHMS, parser
from minipg.experience.environments import Envs

DEEP = ("--num-envs 1 --hidden 64,64 --n-steps 2048 --critic-epochs 10 --lam 0.95 "
        "--no-normalize-observations --no-normalize-rewards ")  # fmt: skip
SAME = {  # the peers' hyperparameters, rl-baselines3-zoo's and their defaults, in our words
    ("ppo", "CartPole-v1"): "--num-envs 8 --hidden 64,64 --n-steps 32 --minibatch 256 --epochs 20 "
    "--lam 0.8 --gamma 0.98 --learning-rate 0.001 --critic-learning-rate 0.001 --critic-epochs 20 "
    "--critic-minibatch 256",
    ("actor_critic", "CartPole-v1"): "--num-envs 8 --hidden 64,64 --n-steps 5 --lam 1 --target mc "
    "--gamma 0.99 --optimiser rmsprop --learning-rate 0.0007 --critic-learning-rate 0.0007 "
    "--max-norm 0.5",
    ("trpo", "CartPole-v1"): "--num-envs 2 --hidden 64,64 --n-steps 512 --damping 0.001 "
    "--cg-iterations 15 --lam 0.98 --gamma 0.99 --delta 0.01 --critic-learning-rate 0.001 "
    "--critic-epochs 20 --critic-minibatch 512",
    ("ppo", "HalfCheetah-v5"): DEEP + "--minibatch 64 --epochs 10 --critic-minibatch 64",
    ("trpo", "HalfCheetah-v5"): DEEP + "--damping 0.1 --cg-iterations 15 --critic-minibatch 128",
}
IN_PYTHON = ("actor_critic", "ppo", "trpo")
ITERATIONS = {"ppo": 4, "actor_critic": 50, "trpo": 2}  # a round, about a second of a peer's


def training(algorithm: str, env_id: str, words: str) -> tuple[Envs, Iterator[Any]]:
    """Environments and the algorithm's generator, which has not begun.

    As minipg train would with these options, the presets' where none are given; without its files.
    """
    args = parser(env_id).parse_args([algorithm, env_id, *words.split()])
    run, (envs, _, policy, settings) = ALGORITHMS[algorithm][0], prepare(args)
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
    """Every algorithm with its preset but for the number of environments, against the raw rate.

    On CartPole-v1 vectorised; where `step` is Python by three, LunarLander-v3 (Box2D) with peers.
    """
    places: list[tuple[str, int, Collection[str]]]
    places = [("CartPole-v1", n, ALGORITHMS) for n in numbers]
    places += [(env_id, 16, IN_PYTHON)
               for env_id in ("Acrobot-v1", *["LunarLander-v3"] * bool(peers))]  # fmt: skip
    rows = []
    for env_id, n, names in places:
        case = f"{env_id} × {n}"
        pieces = {"raw": raw_piece(env_id, n)}
        pieces |= {name: training_piece(name, env_id, f"--num-envs {n}") for name in names}
        rates = interleave_rates(f"environments, {case}", pieces, rounds)
        rows += [Row("environments", f"steps/s, {name}", case, rate, "1/s")
                 for name, rate in rates.items()]  # fmt: skip
        rows += [Row("environments", f"share of raw, {name}", case, rates[name] / rates["raw"], "×")
                 for name in names]  # fmt: skip
    return rows


def same_settings(
    peers: ModuleType | None, iterations: Mapping[str, int] = ITERATIONS, rounds: int = 9
) -> list[Row]:
    """Steps/s at the peers' hyperparameters: on their kind of environment, and vectorised."""
    rows: list[Row] = []
    for (name, env_id), words in SAME.items() if peers else ():
        count = iterations[name] if env_id == "CartPole-v1" else 1
        ours = {"sync": f"{words} --mode sync"} | ({"vectorised": words} if count > 1 else {})
        pieces = {"SB3": peers.training_piece(name, env_id, count)}
        pieces |= {side: training_piece(name, env_id, way, count) for side, way in ours.items()}
        case = f"{name}, {env_id}"
        rates = interleave_rates(f"same settings, {case}", pieces, rounds)
        rows += [Row("same", f"steps/s, {side}", case, rate, "1/s") for side, rate in rates.items()]
        rows += [Row("same", f"{side} / SB3", case, rates[side] / rates["SB3"], "×")
                 for side in ours]  # fmt: skip
    return rows
