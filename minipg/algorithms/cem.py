"""Cross-entropy method (E02): maximise J(θ) with no gradient."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minipg.algorithms.settings import Checked, option
from minipg.algorithms.state import State
from minipg.experience.environments import Envs
from minipg.experience.rollout import play_episodes
from minipg.policies.policy import Policy
from minipg.validate import Array, array, check_count


@dataclass(frozen=True)
class Settings(Checked):
    """The algorithm's options; ValueError for one out of its range."""

    population: int = option(40, "candidates an iteration", 2)
    elite: int = option(8, "how many of them the next is drawn around", 2)
    std: float = option(1.0, "of the first candidates around θ", 0)
    extra_std: float = option(0.2, "added in quadrature, falls to 0", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("population", self.population, self.elite)


def cem(
    envs: Envs,
    policy: Policy,
    start: Array | State,
    settings: Settings,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[tuple[State, dict[str, float]]]:
    """E02 yield the state (mean θ, σ) and a record after each iteration, until `steps` are played.

    start: θ, or a state that was yielded, to go on from.
    Each candidate θ + σ ε plays one episode in each environment; mean and σ of the best follow.
    Source: Rubinstein 1999; the falling extra deviation: Szita & Lőrincz 2006.
    """
    if not isinstance(start, State):
        start = array(start)
        start = State(start, np.full(start.shape, settings.std, start.dtype))
    theta, std = start.theta, start.theta_state
    env_steps, episodes, steps = start.env_steps, start.episodes, check_count("steps", steps)
    while env_steps < steps:
        noise = rng.standard_normal((settings.population, len(theta))).astype(theta.dtype)
        candidates = theta + std * noise
        returns, lengths = [], []
        for candidate in candidates:
            batch = play_episodes(envs, policy, candidate, rng)
            returns.append(float(batch.rewards.sum(0).mean()))
            lengths.append(batch.num_steps / envs.num_envs)
            env_steps += batch.rewards.size
            episodes += envs.num_envs
        best = candidates[np.argsort(returns, kind="stable")[-settings.elite :]]
        extra = settings.extra_std * max(0.0, 1 - env_steps / steps)
        theta = best.mean(0)
        std = np.sqrt(best.var(0) + theta.dtype.type(extra**2))
        yield (
            State(theta, std, env_steps=env_steps, episodes=episodes),
            {
                "env_steps": env_steps,
                "episodes": episodes,
                "mean_return": float(np.mean(returns)),
                "mean_length": float(np.mean(lengths)),
                "best_return": max(returns),
                "std": float(std.mean()),
            },
        )
