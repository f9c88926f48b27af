"""Where an algorithm's bias comes from: its ingredients, one at a time and one after another.

REINFORCE with γ^t has mean ∇J. An ingredient changes it into another estimator of the same games;
its contribution is the difference of two exact means, so contributions add up to the total bias.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator
from itertools import combinations_with_replacement
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from minipg.algorithms import actor_critic, reinforce
from minipg.claims import Problem
from minipg.claims.table import unrolled_start
from minipg.estimators.critics import advantage
from minipg.estimators.returns import discounts, normalize
from minipg.estimators.surrogate import clipped_surrogate
from minipg.experience.batch import Batch, columns
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.steps.optim import clip_norm
from minipg.validate import check_range

MOST_CALLS, MOST_TRAJECTORIES = 100_000, 5_000


class Recipe(NamedTuple):
    """An estimator; the defaults are REINFORCE with reward-to-go and γ^t, the mean over games."""

    gamma_t: bool = True
    limit: int | None = None  # the environment's time limit, in steps
    bootstrap: bool = True  # V counts where the limit cut; else that was a termination
    values: np.ndarray | None = None  # V of each state of the table (S,); none: 0
    lam: float = 1.0
    scale: float = 1.0  # rewards, and so V, are divided by it
    baseline: str = "none"  # reinforce's, from the batch's other games
    normalize: bool = False
    per_step: bool = False  # divided by the steps of the batch, a random number, not its games
    entropy: float = 0.0
    clip: float = 0.0  # PPO's ε; 0: ∇log π ψ
    max_norm: float = math.inf

    @property
    def couples(self) -> bool:
        """Whether one game's part of the estimate depends on the batch's other games."""
        return (self.normalize or self.per_step or self.max_norm < math.inf
                or self.baseline != "none")  # fmt: skip


class Ingredient(NamedTuple):
    """A change of the recipe; on: the configured algorithm has it."""

    name: str
    change: dict[str, Any]
    on: bool


def merge(batch: Batch, states: np.ndarray) -> tuple[Batch, np.ndarray]:
    """Columns that no estimator tells apart as one: the state after a termination is not seen."""
    after = np.where(batch.terminated | ~batch.valid, -1, states[1:])
    key = np.vstack([states[:1], after, np.where(batch.valid, batch.actions, -1), batch.rewards])
    _, chosen, place = np.unique(key, axis=1, return_index=True, return_inverse=True)
    one_each = columns(batch, chosen)
    weight = np.bincount(place.ravel(), batch.weight)
    return dataclasses.replace(one_each, weight=weight), states[: len(one_each.obs), chosen]


def experience(p: Problem, r: Recipe) -> tuple[Batch, np.ndarray]:
    """The enumerated games as the recipe's environment shows them, and their states (T+1, B)."""
    batch, states = p.enumerated
    parts = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)}
    if r.limit is not None:
        parts = {name: x if name == "weight" else x[: r.limit + (name == "obs")].copy()
                 for name, x in parts.items()}  # fmt: skip
        cut = parts["valid"][-1] & ~parts["terminated"][-1]
        parts["truncated" if r.bootstrap else "terminated"][-1] |= cut
    parts["rewards"] = parts["rewards"] / r.scale
    return merge(Batch(**parts), states[: len(parts["obs"])])


def advantages(p: Problem, r: Recipe, batch: Batch, states: np.ndarray) -> np.ndarray:
    """ψ_t (T, B) = GAE of the recipe's V, without one: the reward-to-go at λ = 1."""
    values = np.zeros(states.shape) if r.values is None else (r.values / r.scale)[states]
    table = SimpleNamespace(values=lambda *_: values)
    return advantage(table, p.theta, p.theta, batch, p.start.gamma, r.lam)


def estimate(policy: Policy, theta: np.ndarray, batch: Batch, psi: np.ndarray, gamma: float,
             r: Recipe) -> np.ndarray:  # fmt: skip
    """The recipe's gradient (P,) of a batch and its ψ (T, B), by the functions that train."""
    if r.baseline != "none":
        settings = reinforce.Settings(gamma=gamma, gamma_t=r.gamma_t, baseline=r.baseline)
        return reinforce.estimate(policy, theta, batch, settings)
    psi = normalize(psi, batch.valid) if r.normalize else psi
    psi = psi * discounts(batch.ends, gamma) if r.gamma_t else psi
    if r.clip:
        obs, actions, log_prob, seen = (
            x[batch.valid] for x in (batch.obs[:-1], batch.actions, batch.log_prob, psi)
        )
        g = clipped_surrogate(policy, theta, obs, actions, log_prob, seen, r.clip)[1]
    else:
        a2c = actor_critic.Settings(entropy=r.entropy)
        g = actor_critic.ascent_direction(policy, theta, batch, psi, psi, a2c)[0]
    return clip_norm(g if r.per_step else g * batch.num_steps / len(batch.weight), r.max_norm)


def calls(distinct: int, games: int) -> int:
    """How many multisets of `games` out of `distinct` there are."""
    return math.comb(distinct + games - 1, games)


def moments(p: Problem, r: Recipe, games: int) -> tuple[np.ndarray, float]:
    """Exact mean (P,) and summed variance of the recipe on batches of `games` games.

    Over every multiset of the distinct games. Where the games do not act on each other the mean
    is that of one, the variance 1/games of it.
    """
    batch, states = experience(p, r)
    psi, size = advantages(p, r, batch, states), games if r.couples else 1
    mean, square = np.zeros_like(p.theta), 0.0
    for chosen in combinations_with_replacement(range(len(batch.weight)), size):
        c = list(chosen)
        orders = math.factorial(size) / math.prod(map(math.factorial, Counter(c).values()))
        part = columns(batch, np.array(c))
        g = estimate(p.policy, p.theta, part, psi[: len(part.rewards), c], p.start.gamma, r)
        weight = orders * batch.weight[c].prod()
        mean += weight * g
        square += weight * ((g - p.gradient) ** 2).sum()
    return mean, max(float(square - ((mean - p.gradient) ** 2).sum()), 0.0) * size / games


def problem(mdp: TabularMDP, policy: Policy, theta: np.ndarray, seed: int, games: int) -> Problem:
    """From the state where the action matters most, as many steps as MOST_CALLS allow."""
    check_range("games", games, 1)
    start = unrolled_start(mdp, policy, theta, MOST_TRAJECTORIES, 1)
    horizon = start.num_states // mdp.num_states - 1
    while True:
        p = Problem(mdp, start, policy, theta, seed)
        count = calls(len(merge(*p.enumerated)[0].weight), games)
        if count <= MOST_CALLS:
            break
        if horizon == 1:
            raise ValueError(f"games: expected at most {MOST_CALLS} batches, got {count}: fewer")
        horizon -= 1
        start = mdp.with_start(start.start[: mdp.num_states]).unroll(horizon)
    if not np.abs(p.gradient).max() > 1e-12 * np.abs(start.reward).max():
        raise ValueError(f"table: expected ∇J that is not 0 within {horizon} steps")
    return p


def figures(p: Problem, mean: np.ndarray, variance: float) -> dict[str, float]:
    """‖bias‖, summed variance and cosine with ∇J."""
    length = float(np.linalg.norm(mean) * np.linalg.norm(p.gradient))
    return {"bias": float(np.linalg.norm(mean - p.gradient)), "variance": variance,
            "cosine": float(mean @ p.gradient) / length if length else 0.0}  # fmt: skip


def attribute(p: Problem, rows: list[Ingredient], games: int) -> Iterator[dict[str, Any]]:
    """REINFORCE, then a row an ingredient: alone, and after those above it that are on.

    contribution (P,) is the change of the mean in that order, along and across its parts in
    units of ‖∇J‖: along ∇J, with its sign, and the length of the rest.
    """
    norm, so_far, before = np.linalg.norm(p.gradient), Recipe(), p.gradient
    for row in [Ingredient("REINFORCE, γ^t kept", {}, True), *rows]:
        alone = moments(p, Recipe()._replace(**row.change), games)
        got = {"ingredient": row.name, "on": row.on, "alone": figures(p, *alone), "in_order": None}
        if row.on:
            so_far = so_far._replace(**row.change)
            mean, variance = moments(p, so_far, games)
            contribution, before = mean - before, mean
            along = float(contribution @ p.gradient / norm**2)
            across = float(np.linalg.norm(contribution - along * p.gradient) / norm)
            got["in_order"] = {
                **figures(p, mean, variance), "along": along, "across": across,
                "contribution": contribution.tolist(), "mean": mean.tolist(),
            }  # fmt: skip
        yield got
