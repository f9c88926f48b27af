"""Exact bias and variance of the group estimators of language-model training, on a small tree.

minipg groups [--seed N] [--json]
"""

import argparse
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from minipg.commands import cli
from minipg.estimators import groups
from minipg.estimators.group_moments import Method, batch_moments
from minipg.estimators.score_function import gradients
from minipg.experience import enumeration
from minipg.policies.build import softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.validate import check_count

SIZES = (2, 4, 8)
LONGEST = 4
RETURNS = np.array([[1.0, 1.0, 0.8, 0.5, 0.0], [0.0, 0.0, 0.1, 1.0, 0.3]])
TREE = """two prompts, p = ½ each; tokens a and end, at most 4, the reward comes with the last
responses  end  a·end  a·a·end  a·a·a·end  a·a·a·a
prompt 0     1      1      0.8        0.5        0   (short answers are right)
prompt 1     0      0      0.1          1      0.3   (long ones are)"""


def tree() -> TabularMDP:
    """The tree above: state prompt · LONGEST + tokens so far, action 0 is a, 1 is end."""
    state, action = (x.ravel() for x in np.indices((2 * LONGEST, 2)))
    prompt, depth = divmod(state, LONGEST)
    end = (action == 1) | (depth == LONGEST - 1)
    reward = np.where(end, RETURNS[prompt, depth + 1 - action], 0.0)
    start = np.where(np.arange(2 * LONGEST) % LONGEST == 0, 0.5, 0.0)
    row, next_state, prob = 2 * state + action, np.where(end, state, state + 1), np.ones(len(end))
    return TabularMDP.from_entries(row, next_state, prob, reward, end, start, 1.0, None, 2)


def whole_batch(returns: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """REINFORCE++ of (M, Q, G): its mean and std are of all Q prompts."""
    flat = returns.reshape(len(returns), -1)
    return groups.reinforce_plus_plus(flat, lengths.reshape(flat.shape)).reshape(returns.shape)


def rows(seed: int) -> Iterator[dict[str, Any]]:
    """Exact figures of each method and G; G = null is the limit, where the statistics are true."""
    mdp = tree()
    policy = softmax_policy(mdp.num_states, mdp.num_actions)
    theta = policy.init(np.random.default_rng(seed), 1.0)
    pi = policy.probs(theta, mdp.features)
    batch, states = enumeration.enumerate_trajectories(mdp, pi)
    returns, lengths = groups.responses(batch)
    scores = gradients(policy, theta, batch, np.ones(batch.rewards.shape))
    gradient = exact.policy_gradient(mdp, policy, theta)
    best = np.eye(mdp.num_actions)[pi.argmax(1)]
    greedy = exact.state_values(mdp, best)[np.unique(states[0])]  # (Q,)

    def figures(method: str, size: int | None, mean: np.ndarray) -> dict[str, Any]:
        bias = np.linalg.norm(mean - gradient) / np.linalg.norm(gradient)
        length = np.linalg.norm(mean) / np.linalg.norm(gradient)
        cosine = mean @ gradient / (length * (gradient @ gradient))
        same = "up to its length" if cosine > 1 - 1e-12 else "no"
        return {"method": method, "G": size, "bias": float(bias), "length": float(length),
                "cosine": float(cosine), "unbiased": "yes" if bias < 1e-9 else same}  # fmt: skip

    methods: dict[str, Method] = {
        "REINFORCE, no baseline": lambda r, n: r,
        "ReMax": lambda r, n: groups.remax(r, np.broadcast_to(greedy, r.shape[:-1])),
        "RLOO": lambda r, n: groups.rloo(r),
        "Dr. GRPO": lambda r, n: groups.dr_grpo(r),
        "GRPO": groups.grpo,
        "GRPO, 1/std alone": lambda r, n: groups.grpo(r, np.ones_like(n)),
        "GRPO, 1/length alone": lambda r, n: groups.dr_grpo(r) / n,
        "REINFORCE++": whole_batch,
    }
    p, prompt = batch.weight, states[0]
    value = exact.state_values(mdp, pi)
    std = np.sqrt([p[prompt == q] @ (returns - value[q])[prompt == q] ** 2 / p[prompt == q].sum()
                   for q in prompt])  # fmt: skip
    centred = returns - value[prompt]
    tokens = p * lengths / (p @ lengths)
    over_tokens = returns - tokens @ returns
    limits = {"GRPO": centred / std / lengths, "GRPO, 1/std alone": centred / std,
              "GRPO, 1/length alone": centred / lengths, "Dr. GRPO": centred,
              "REINFORCE++": over_tokens / np.sqrt(tokens @ over_tokens**2)}  # fmt: skip
    for name, method in methods.items():
        for size in SIZES:
            mean, covariance = batch_moments(method, returns, lengths, scores, prompt, p, size)
            # of one batch, times its responses: what each buys, whatever the length of the mean
            relative = len(greedy) * size * np.trace(covariance) / (mean @ mean)
            yield figures(name, size, mean) | {"variance": float(relative)}
        if name in limits:
            yield figures(name, None, (p * limits[name]) @ scores) | {"variance": None}


def command(args: argparse.Namespace) -> int:
    """Print the table."""
    check_count("--seed", args.seed)
    table = list(rows(args.seed))
    if args.json:
        print(json.dumps({"seed": args.seed, "returns": RETURNS.tolist(), "rows": table}, indent=1))
        return 0
    print(f"{TREE}\nA batch: G responses to each prompt. variance: summed, relative to ‖mean‖², "
          f"times the batch's 2G responses.\n\n{'method':24}{'G':>3}{'‖bias‖/‖∇J‖':>13}"
          f"{'‖mean‖/‖∇J‖':>13}{'cosine':>9}{'variance':>10}  unbiased")  # fmt: skip
    for r in table:
        variance = "" if r["variance"] is None else f"{r['variance']:.1f}"
        print(f"{r['method']:24}{r['G'] or '∞':>3}{r['bias']:13.4f}{r['length']:13.4f}"
              f"{r['cosine']:9.5f}{variance:>10}  {r['unbiased']}")  # fmt: skip
    return 0


def main(argv: list[str] | None = None) -> int:
    """0, or 2 for a user's mistake."""
    parser = cli.Parser("minipg groups", "Bias and variance of RLOO, GRPO and the like.",
                        "\n  minipg groups --seed 1")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the random policy (%(default)s)")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    args = parser.parse_args(argv)
    return cli.run("minipg groups", lambda: command(args))
