"""What the formulas cost against their size: samples, parameters, steps, states.

Axes: N samples, P parameters, T steps, B columns, S states.
"""

from collections.abc import Sequence
from functools import partial
from types import ModuleType

import numpy as np
from tqdm import tqdm

from bench.kernels import minipg_pieces, problem
from bench.timing import Piece, Row, exponents, interleave
from minipg.commands.oracle import grid_world
from minipg.estimators.returns import gae, td_error
from minipg.policies.build import softmax_policy
from minipg.policies.softmax import Softmax
from minipg.truth import exact


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
                        took["SB3's buffer"] / took["ours"], "×"))  # fmt: skip
    return rows
