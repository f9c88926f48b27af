"""The formulas alone: against the matrix products they need, against PyTorch, against their size.

Axes: N samples, D inputs, K head parameters, P parameters, T steps, S states.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from bench.timing import Piece, Row, exponents, interleave
from minipg.commands.oracle import grid_world
from minipg.estimators.returns import gae, td_error
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.policies.policy import Policy
from minipg.policies.softmax import Softmax
from minipg.steps.natural import fisher_product, uniform
from minipg.truth import exact

POLICIES = {"softmax 8-64-64-4": softmax_policy(8, 4, (64, 64)),
            "Gaussian 17-64-64-6": gaussian_policy(17, 6, (64, 64))}  # fmt: skip
TIMES_BLAS = {256: 1.3, 2_048: 1.2, 16_384: 1.2}  # what the Fisher product may take, at N
TIMES_VMAP = {"float32": 4.0, "float64": 2.0}  # what torch's matrix of scores must take


class Problem(NamedTuple):
    """A policy, θ (P,), obs (N, D), actions drawn from it, and a direction v (P,)."""

    policy: Policy
    theta: np.ndarray
    obs: np.ndarray
    actions: np.ndarray
    v: np.ndarray


def problem(policy: Policy, n: int, dtype: Any, seed: int = 0) -> Problem:
    """Of normal numbers, all in one dtype."""
    rng = np.random.default_rng(seed)
    theta = policy.init(rng, 1.0, dtype)
    obs = rng.standard_normal((n, policy.network.sizes[0])).astype(dtype)
    actions, _ = policy.sample(theta, obs, rng)
    return Problem(policy, theta, obs, actions, rng.standard_normal(len(theta)).astype(dtype))


def minipg_pieces(p: Problem) -> dict[str, Piece]:
    """What is measured: of forward the network alone, as of the peers; else as a user calls it.

    The Fisher product is after its forward pass.
    """
    policy, theta, obs, actions, v = p
    mean, product = uniform(obs), fisher_product(policy, theta, obs, uniform(obs))
    return {
        "forward": lambda: policy.network.at(policy.split(theta)[0])(obs),
        "gradient": lambda: policy.weighted_score(theta, obs, actions, mean),
        "Fisher product": lambda: product(v),
        "score matrix": lambda: policy.score(theta, obs, actions),
    }


def bare_pieces(p: Problem) -> dict[str, Piece]:
    """The matrix products alone, into arrays that are there: no bias, no tanh, no allocation.

    Of each layer h W (forward), dh W and h dW (jvp), δ Wᵀ and hᵀδ (vjp); the outer products h δᵀ
    of each sample (score matrix).
    """
    rng, n, dtype = np.random.default_rng(0), len(p.obs), p.theta.dtype

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    layers = [(normal(n, i), normal(i, k), normal(n, k), normal(i, k))  # h, W, δ, dW
              for i, k in itertools.pairwise(p.policy.network.sizes)]  # fmt: skip
    hw = [(h, w, np.empty_like(d)) for h, w, d, _ in layers]
    back = [(d, w.T, np.empty_like(h)) for h, w, d, _ in layers[1:]]
    weights = [(h.T, d, np.empty_like(w)) for h, w, d, _ in layers]
    jvp = [(h, dw, np.empty_like(d)) for h, _, d, dw in layers] + hw[1:]
    outer = [(h[:, :, None], d[:, None]) for h, _, d, _ in layers]
    matrix = [np.empty((n, *w.shape), dtype) for _, w, _, _ in layers]

    def multiply(products: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        for a, b, out in products:
            np.matmul(a, b, out=out)

    def scores() -> None:
        multiply(hw + back)
        for (h, d), out in zip(outer, matrix, strict=True):
            np.multiply(h, d, out=out)

    return {
        "forward": lambda: multiply(hw),
        "gradient": lambda: multiply(hw + back + weights),
        "Fisher product": lambda: multiply(jvp + back + weights),
        "score matrix": scores,
    }


def kernels(
    peers: ModuleType | None, numbers: Sequence[int] = (256, 2_048, 16_384), rounds: int = 25
) -> list[Row]:
    """Forward, mean log-probability gradient, Fisher product, score matrix."""
    rows = []
    for name, policy in POLICIES.items():
        for n in numbers:
            for dtype in (np.float32, np.float64):
                p = problem(policy, n, dtype)
                sides = {"ours": minipg_pieces(p), "bare": bare_pieces(p)}
                if peers:
                    sides |= peers.kernels(p)
                for what in sides["ours"]:
                    pieces = {side: has[what] for side, has in sides.items() if what in has}
                    case = f"{name} N={n} {dtype.__name__}"
                    took = interleave(
                        f"{what} {case}", pieces, 9 if what == "score matrix" else rounds
                    )
                    rows += kernel_rows(what, case, n, dtype.__name__, took)
    return rows


def kernel_rows(what: str, case: str, n: int, dtype: str, took: dict[str, np.ndarray]) -> list[Row]:
    """µs, the ratio to the bare products, and that of each peer to ours."""
    ours = took.pop("ours")
    limit = TIMES_BLAS.get(n) if what == "Fisher product" else None
    rows = [Row("kernels", what, case, ours * 1e6, "µs"),
            Row("kernels", f"{what} / bare products", case, ours / took.pop("bare"), "×",
                at_most=limit)]  # fmt: skip
    leanest = {side: x for side, x in took.items() if side.startswith("lean")}
    if leanest:
        best = min(leanest, key=lambda side: float(np.median(leanest[side])))
        took = {side: x for side, x in took.items() if side not in leanest}
        took["leanest torch"] = leanest[best]
    limits = {("forward", "torch"): 1.0, ("gradient", "torch"): 1.0,
              ("Fisher product", "sb3-contrib"): 4.0, ("Fisher product", "leanest torch"): 2.3,
              ("score matrix", "torch"): TIMES_VMAP[dtype]}  # fmt: skip
    return rows + [Row("kernels", f"{side} / ours, {what}", case, x / ours, "×",
                       at_least=limits.get((what, side)))
                   for side, x in took.items()]  # fmt: skip


def scaling(
    peers: ModuleType | None,
    numbers: Sequence[int] = (512, 1_024, 2_048, 4_096, 8_192),
    widths: Sequence[int] = (16, 32, 64, 128, 256),
    times: Sequence[int] = (256, 1_024, 4_096, 16_384),
    sides: Sequence[int] = (64, 128, 256),
    rounds: int = 9,
) -> list[Row]:
    """Cost against N, P, T and S: the exponent of a line through log seconds over log size."""
    rows = []

    def fit(what: str, case: str, pieces: dict[int, Piece], rounds: int) -> None:
        took = interleave(f"{what}, {case}", {str(n): f for n, f in pieces.items()}, rounds)
        span = f"{case}={min(pieces)}…{max(pieces)}"
        rows.append(Row("scaling", f"exponent of {what}", span,
                        exponents(list(pieces), list(took.values())), "power"))  # fmt: skip
        rows.append(Row("scaling", f"{what}, the largest", span,
                        took[str(max(pieces))] * 1e3, "ms"))  # fmt: skip

    by_n = {
        n: minipg_pieces(problem(softmax_policy(8, 4, (64, 64)), n, np.float32)) for n in numbers
    }
    by_p = {}
    for width in widths:
        policy = softmax_policy(8, 4, (width, width))
        by_p[policy.num_params] = minipg_pieces(problem(policy, 1_024, np.float32))
    for case, found in (("N", by_n), ("P", by_p)):
        for what in next(iter(found.values())):
            if (case, what) != ("P", "score matrix"):  # gigabytes
                fit(what, case, {n: pieces[what] for n, pieces in found.items()}, rounds)
    fit("GAE", "T", {t: gae_piece(*trajectories(t, 8)) for t in times}, rounds)
    by_s: dict[int, Piece] = {}
    rng = np.random.default_rng(0)
    for side in tqdm(sides, desc="grid worlds", leave=False):
        mdp = grid_world(side, 0.99, rng)
        pi = Softmax(4).probs(rng.standard_normal((mdp.num_states, 4)))
        by_s[mdp.num_states] = partial(exact.logit_gradient, mdp, pi)
    fit("exact ∇J", "S", by_s, min(rounds, 3))
    return rows


def trajectories(t: int, b: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """rewards (T, B), V (T+1, B) and terminations (T, B), one in a hundred."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((t, b)), rng.standard_normal((t + 1, b)), rng.random((t, b)) < 0.01


def gae_piece(rewards: np.ndarray, values: np.ndarray, terminated: np.ndarray) -> Piece:
    """A_GAE and the λ-return, from V."""
    valid = np.ones_like(terminated)

    def advantages() -> tuple[np.ndarray, np.ndarray]:
        delta = td_error(rewards, values, terminated, valid, 0.99)
        adv = gae(delta, terminated, 0.99, 0.95)
        return adv, adv + values[:-1]

    return advantages


def advantages(peers: ModuleType | None, t: int = 2_048, b: int = 8, rounds: int = 25) -> list[Row]:
    """TD errors, GAE and the critic's target of one batch with episode ends."""
    case, found = f"T={t} B={b}", trajectories(t, b)
    pieces = {"ours": gae_piece(*found)}
    if peers:
        pieces["SB3's buffer"] = peers.gae_piece(*found)
    took = interleave("GAE", pieces, rounds)
    rows = [Row("gae", "GAE", case, took["ours"] * 1e3, "ms")]
    if peers:
        rows.append(Row("gae", "SB3's buffer / ours, GAE", case,
                        took["SB3's buffer"] / took["ours"], "×", at_least=50))  # fmt: skip
    return rows


def act_anew(
    policy: Policy, theta: np.ndarray, obs: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """An action by an actor made for it."""
    return policy.actor(theta)(obs, rng)


def acting(peers: ModuleType | None, rounds: int = 25) -> list[Row]:
    """One action for one observation: as in a rollout, by one actor, and by one made for it."""
    rows = []
    for env, policy in {"CartPole-v1": softmax_policy(4, 2, (64, 64)),
                        "Pendulum-v1": gaussian_policy(3, 1, (64, 64))}.items():  # fmt: skip
        p, rng = problem(policy, 1, np.float32), np.random.default_rng(0)
        obs = p.obs[0]
        pieces: dict[str, Piece] = {
            "ours": partial(policy.actor(p.theta), obs, rng),
            "anew": partial(act_anew, policy, p.theta, obs, rng),
        }
        if peers:
            pieces["SB3's predict"] = peers.act_piece(env, obs)
        took = interleave(f"acting, {env}", pieces, rounds)
        case = f"{env} {'-'.join(map(str, policy.network.sizes))}"
        rows += [
            Row("act", "one action", case, took["ours"] * 1e6, "µs", at_most=25),
            Row("act", "one action, actor made anew", case, took["anew"] * 1e6, "µs"),
        ]
        if peers:
            rows.append(Row("act", "SB3's predict / ours", case,
                            took["SB3's predict"] / took["ours"], "×"))  # fmt: skip
    return rows
