"""The formulas alone: against the matrix products they need, and against PyTorch.

Axes: N samples, D inputs, K head parameters, P parameters.
"""

import itertools
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from bench.timing import Piece, Row, interleave
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.policies.policy import Policy
from minipg.steps.natural import fisher_product, uniform

POLICIES = {"softmax 8-64-64-4": softmax_policy(8, 4, (64, 64)),
            "Gaussian 17-64-64-6": gaussian_policy(17, 6, (64, 64))}  # fmt: skip
TIMES_BLAS, MANY = 1.25, 2_048  # what the Fisher product may take, from so many samples on
KEPT = 16 << 20  # bytes: a result of up to so many is written into memory that was used before


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


def in_blocks(p: Problem, make: Callable[[Problem], dict[str, Piece]]) -> Piece:
    """The score matrix in blocks of KEPT bytes, none of them kept: as a sum over samples needs it.

    A whole one that is larger is ruled by how fast new pages are handed out, whoever writes it.
    """
    rows = max(KEPT // p.theta.nbytes, 1)
    parts = [slice(i, i + rows) for i in range(0, len(p.obs), rows)]
    pieces = [make(p._replace(obs=p.obs[i], actions=p.actions[i]))["score matrix"] for i in parts]

    def every() -> None:
        for piece in pieces:
            piece()

    return every


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
                if n * p.theta.nbytes > KEPT:
                    made = {"ours": minipg_pieces, "bare": bare_pieces}
                    made |= {"torch": peers.torch_pieces} if peers else {}
                    for side, make in made.items():
                        sides[side]["score matrix in blocks"] = in_blocks(p, make)
                for what in sides["ours"]:
                    pieces = {side: has[what] for side, has in sides.items() if what in has}
                    case = f"{name} N={n} {dtype.__name__}"
                    few = min(rounds, 9) if what.startswith("score matrix") else rounds
                    took = interleave(f"{what} {case}", pieces, few)
                    fits = what != "score matrix" or n * p.theta.nbytes <= KEPT
                    rows += kernel_rows(what, case, took, n >= MANY, fits)
    return rows


def kernel_rows(
    what: str, case: str, took: dict[str, np.ndarray], many: bool, fits: bool
) -> list[Row]:
    """µs, the ratio to the bare products, and that of each peer to ours.

    Against PyTorch's best nothing may be slower whose result fits into memory that is there, and
    of many samples the Fisher product is held to its bare products.
    """
    ours = took.pop("ours")
    rows = [Row("kernels", what, case, ours * 1e6, "µs"),
            Row("kernels", f"{what} / bare products", case, ours / took.pop("bare"), "×",
                at_most=TIMES_BLAS if what == "Fisher product" and many else None)]  # fmt: skip
    leanest = {side: x for side, x in took.items() if side.startswith("lean")}
    if leanest:
        best = min(leanest, key=lambda side: float(np.median(leanest[side])))
        took = {side: x for side, x in took.items() if side not in leanest}
        took["leanest torch"] = leanest[best]
    best_of = "leanest torch" if leanest else "torch"
    return rows + [Row("kernels", f"{side} / ours, {what}", case, x / ours, "×",
                       at_least=1.0 if side == best_of and fits else None)
                   for side, x in took.items()]  # fmt: skip
