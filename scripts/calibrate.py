"""Measure the sampled verdict: how often it refuses right estimators, and sees planted biases.

python scripts/calibrate.py [--repetitions 2000] [--seed 0]
"""

import argparse
import sys
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest
from tqdm import trange

from minipg.claims import Problem
from minipg.claims.table import unrolled_start
from minipg.commands import cli
from minipg.estimators.importance import importance_weight
from minipg.estimators.returns import discounts, gae, reward_to_go
from minipg.estimators.score_function import gradients
from minipg.experience.enumeration import enumerate_trajectories
from minipg.experience.rollout import play_episodes
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.problems import lqr
from minipg.problems.lqr_env import LQRVectorEnv
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.truth.contract import sampler
from minipg.truth.verdict import Sample, check_unbiased

CONFIDENCE = 0.999  # of each interval, both sides: a true rate fails a row with probability 0.0005
MEASURABLE, DEFAULT = (0.05, 0.05), (1e-6, 1e-3)  # alpha, beta


class Case(NamedTuple):
    """Estimates (n, P), their truth (P,), the bias to look for, and whether they have it."""

    name: str
    sample: Sample
    truth: np.ndarray
    bias: float
    biased: bool


def drawn(rows: np.ndarray, weight: np.ndarray) -> Sample:
    """Rows (B, P) of probability weight (B,): the law of the estimator, without playing."""
    cdf = np.cumsum(weight)
    return lambda n, rng: rows[np.searchsorted(cdf, rng.random(n) * cdf[-1], "right")]


def planted(case: Case, rank: int, rng: np.random.Generator) -> Case:
    """The case with a bias of exactly its size, where the noise is smallest (0) or largest (−1)."""
    u = np.linalg.eigh(np.cov(case.sample(20_000, rng).T))[1][:, rank]
    return case._replace(
        name=f"{case.name}, shifted along the {('smallest', 'largest')[rank]} eigenvector of S",
        sample=lambda n, rng: case.sample(n, rng) + case.bias * u,
        biased=True,
    )


def lake_cases() -> list[Case]:
    """Three steps on FrozenLake, γ = 0.5: right ψ, and two known bugs with their exact bias."""
    mdp = TabularMDP.from_env("FrozenLake-v1", 0.5)
    policy = softmax_policy(mdp.num_states, mdp.num_actions)
    theta = policy.init(np.random.default_rng(0), 1.0)
    p = Problem(mdp, unrolled_start(mdp, policy, theta), policy, theta, 0)
    delta, ends, truth = p.delta(p.v), p.batch.ends, p.gradient

    def case(name: str, psi: np.ndarray) -> Case:
        each = gradients(policy, theta, p.batch, psi)
        off = float(np.linalg.norm(p.batch.weight @ each - truth))
        biased = off > 1e-9
        bias = off if biased else float(np.linalg.norm(truth))
        return Case(f"FrozenLake, {name}", drawn(each, p.batch.weight), truth, bias, biased)

    late = np.vstack([delta[1:], np.zeros_like(delta[:1])])
    return [
        case("REINFORCE", p.total),
        case("GAE(0.5) of the exact V", p.gamma_t * gae(delta, ends, 0.5, 0.5)),
        case("γ^t dropped", p.to_go),
        case("GAE off by one", p.gamma_t * gae(late, ends, 0.5, 0.5)),
    ]


def skewed_cases() -> list[Case]:
    """A reward that one episode in 100 gets; importance weights over four steps."""
    rare = TabularMDP.from_arrays(
        np.array([[[0, 1.0], [0, 1.0]], [[0, 1.0], [0, 1.0]]]), np.array([[1.0, 0.0], [0.0, 0.0]]),
        np.array([1.0, 0.0]), 1.0, np.array([False, True]), np.ones((2, 1)),
    )  # fmt: skip
    policy, theta = softmax_policy(1, 2), np.array([-2.3, 2.3, 0.0, 0.0])
    p = Problem(rare, rare, policy, theta, 0)
    size = float(np.linalg.norm(p.gradient))
    cases = [Case("a rare reward", drawn(p.estimates, p.batch.weight), p.gradient, size, False)]
    table = TabularMDP.from_arrays(
        np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.1, 0.9]]]),
        np.array([[1.0, 0.0], [-1.0, 2.0]]), np.array([1.0, 0.0]), 0.9,
    ).unroll(4)  # fmt: skip
    policy = softmax_policy(2, 2)
    theta = np.array([0.7, -0.7, -0.7, 0.7, 0.0, 0.0])
    acted = -0.5 * theta
    batch, _ = enumerate_trajectories(table, policy.probs(acted, table.features))
    psi = discounts(batch.ends, 0.9) * reward_to_go(batch.rewards, batch.ends, 0.9)
    each = importance_weight(policy, theta, batch)[:, None] * gradients(policy, theta, batch, psi)
    truth = exact.policy_gradient(table, policy, theta)
    bias = float(np.linalg.norm(truth))
    return [*cases, Case("importance weights", drawn(each, batch.weight), truth, bias, False)]


def gaussian_case() -> Case:
    """Two steps of a linear-quadratic problem, Gaussian policy, played."""
    problem = lqr.LQR(F=np.array([[0.9]]), G=np.array([[0.5]]), Q=np.eye(1), R=np.eye(1),
                      W=0.1 * np.eye(1), mean=np.ones(1), C=0.1 * np.eye(1), gamma=0.9,
                      horizon=2)  # fmt: skip
    policy, theta = gaussian_policy(1, 1), np.array([-0.3, 0.1, -0.5])

    def estimator(batch):
        psi = discounts(batch.ends, 0.9) * reward_to_go(batch.rewards, batch.ends, 0.9)
        return gradients(policy, theta, batch, psi)

    sample = sampler(
        estimator, lambda n, rng: play_episodes(LQRVectorEnv(problem, n), policy, theta, rng)
    )
    truth = lqr.policy_gradient(problem, theta)
    return Case("LQR", sample, truth, float(np.linalg.norm(truth)), False)


def measure(case: Case, alpha: float, beta: float, repetitions: int, seed: int) -> bool:
    """Print a row; whether the errors are as rare as stated, as far as so many can tell."""
    wrong = n = 0
    for i in trange(repetitions, desc=case.name[:40], leave=False):
        rng = np.random.default_rng([seed, i])
        verdict = check_unbiased(case.sample, case.truth, case.bias, rng, alpha, beta)
        wrong += verdict.unbiased == case.biased
        n += verdict.n
    stated = beta if case.biased else alpha
    interval = binomtest(wrong, repetitions).proportion_ci(CONFIDENCE, "exact")
    holds = bool(interval.low <= stated)
    print(f"{'holds' if holds else 'FAILS'}  {'missed' if case.biased else 'false alarms'}: "
          f"{wrong} of {repetitions}, {CONFIDENCE:.1%} interval [{interval.low:.2g}, "
          f"{interval.high:.2g}], stated ≤ {stated:g}  {case.name}; n {n / repetitions:.0f}, "
          f"bias {case.bias:.3g}", flush=True)  # fmt: skip
    return holds


def calibrate(args: argparse.Namespace) -> int:
    """A row per case and rate; 1 if a stated rate is exceeded beyond its interval."""
    if args.repetitions < 1:
        raise ValueError(f"--repetitions: expected at least 1, got {args.repetitions}")
    rng = np.random.default_rng(args.seed)
    cases = [*lake_cases(), *skewed_cases(), gaussian_case()]
    right = [case for case in cases if not case.biased]
    noisiest = [planted(case, -1, rng) for case in right]
    cases += noisiest + [planted(case, 0, rng) for case in right]
    held = [measure(case, *MEASURABLE, args.repetitions, args.seed) for case in cases]
    held += [measure(case, *DEFAULT, args.repetitions, args.seed) for case in right + noisiest]
    print(f"{sum(held)} of {len(held)} hold")
    return int(not all(held))


def main(argv: list[str] | None = None) -> int:
    """0 if all hold, 1 if one does not, 2 for a user's mistake."""
    parser = cli.Parser(prog="calibrate", description="False alarms and power of check_unbiased.")
    parser.add_argument("--repetitions", type=int, default=2000, help="per row (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws")
    args = parser.parse_args(argv)
    return cli.run("calibrate", lambda: calibrate(args))


if __name__ == "__main__":
    sys.exit(main())
