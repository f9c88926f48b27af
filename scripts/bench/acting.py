"""One action for one observation: as in a rollout, and by an actor made for it."""

from functools import partial
from types import ModuleType

import numpy as np

from bench.kernels import problem
from bench.timing import Piece, Row, interleave
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.policies.policy import Policy


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
            Row("act", "one action", case, took["ours"] * 1e6, "µs"),
            Row("act", "one action, actor made anew", case, took["anew"] * 1e6, "µs"),
        ]
        if peers:
            rows.append(Row("act", "SB3's predict / ours", case,
                            took["SB3's predict"] / took["ours"], "×"))  # fmt: skip
    return rows
