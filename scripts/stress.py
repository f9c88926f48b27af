"""Section 5 over many random problems: what the suite does on few, and how tight the bound is.

python scripts/stress.py [--batches 10000] [--pairs 10000] [--loops 200] [--seed 0]
"""

import argparse
import sys

import numpy as np
from tqdm import trange

from minipg.algorithms import trpo
from minipg.algorithms.loop import Samples
from minipg.commands import cli
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import performance


def trust_region_steps(count: int, rng: np.random.Generator) -> tuple[str, int]:
    """E46 on ill-conditioned batches: nearly collinear observations, ψ of any scale."""
    accepted = broken = moved = 0
    for _ in trange(count, desc="TRPO steps"):
        size = int(rng.integers(1, 5))
        hidden = tuple(rng.integers(1, 8, rng.integers(0, 3)).tolist())
        if rng.random() < 0.5:
            policy = softmax_policy(size, int(rng.integers(2, 5)), hidden)
        else:
            policy = gaussian_policy(size, int(rng.integers(1, 3)), hidden, bool(rng.integers(2)))
        theta = rng.choice([0.1, 1.0, 3.0]) * rng.standard_normal(policy.num_params)
        obs = rng.standard_normal((20, 1)) * rng.standard_normal(size)  # of rank one …
        obs = obs + 10.0 ** rng.uniform(-8, 0) * rng.standard_normal((20, size))  # … almost
        actions, log_prob = policy.sample(theta, obs, rng)
        psi = 10.0 ** rng.uniform(-8, 8) * rng.standard_normal(20)
        delta = 10.0 ** rng.uniform(-5, 1)
        settings = trpo.Settings(delta=delta, damping=rng.choice([0.0, 1e-8, 1e-3, 0.1]))
        samples = Samples(obs, actions, log_prob, psi)
        new, _, figures = trpo.update(policy, theta, samples, settings, None, rng)
        accepted += figures["accepted"]
        if figures["accepted"]:
            rho = np.exp(policy.log_prob(new, obs, actions) - log_prob)
            kl = policy.kl(new, theta, obs).mean()
            broken += not (kl <= delta and ((rho - 1) * psi).mean() >= 0)
        else:
            moved += new.tobytes() != theta.tobytes()
    return (f"E46: {count} batches, {accepted} steps accepted, {broken} of them broke a condition, "
            f"{moved} refused steps moved θ"), broken + moved  # fmt: skip


def random_mdp(rng: np.random.Generator) -> TabularMDP:
    """2–6 states, 2–4 actions, γ up to 0.99."""
    n, a = int(rng.integers(2, 7)), int(rng.integers(2, 5))
    transition = rng.dirichlet(np.full(n, 0.5), (n, a))
    gamma = float(rng.choice([0.1, 0.5, 0.9, 0.99]))
    return TabularMDP.from_arrays(transition, rng.standard_normal((n, a)),
                                  rng.dirichlet(np.ones(n)), gamma)  # fmt: skip


def bounds(count: int, rng: np.random.Generator) -> tuple[str, int]:
    """E34 on random pairs, both directions of KL, near and far."""
    ratios = []
    for _ in trange(count, desc="bounds"):
        mdp = random_mdp(rng)
        pi = rng.dirichlet(np.ones(mdp.num_actions), mdp.num_states)
        new = pi * np.exp(10.0 ** rng.uniform(-3, 1) * rng.standard_normal(pi.shape))
        new /= new.sum(1, keepdims=True)
        error = abs(performance.performance_difference(mdp, new, pi)
                    - performance.surrogate(mdp, new, pi))  # fmt: skip
        largest = min(performance.kl(new, pi).max(), performance.kl(pi, new).max())
        ratios.append(max(0.0, error - 1e-13) / (performance.penalty(mdp, pi) * largest))
    broken = int((np.array(ratios) > 1).sum())
    return (f"E34: {count} pairs, {broken} above the bound; error/bound: median "
            f"{np.median(ratios):.2g}, largest {max(ratios):.2g}"), broken  # fmt: skip


def loops(count: int, rng: np.random.Generator) -> tuple[str, int]:
    """E36: ten rounds on each table; J must not fall by more than rounding."""
    falls, changes = 0, []
    for _ in trange(count, desc="loops"):
        mdp = random_mdp(rng)
        pi = rng.dirichlet(np.ones(mdp.num_actions), mdp.num_states)
        for _ in range(10):
            new = performance.improve(mdp, pi)
            gain = performance.performance_difference(mdp, new, pi)
            falls += gain < -1e-12 / (1 - mdp.gamma)
            changes.append(float(np.abs(new - pi).max()))
            pi = new
    return (f"E36: {count} tables, ten steps each, {falls} lowered J; largest change of a "
            f"probability in a step: median {np.median(changes):.2g}"), falls  # fmt: skip


def command(args: argparse.Namespace) -> int:
    """0 if nothing broke, else 1."""
    total = 0
    for check, count in ((trust_region_steps, args.batches), (bounds, args.pairs),
                         (loops, args.loops)):  # fmt: skip
        if count:
            text, broken = check(count, np.random.default_rng(args.seed))
            print(text, flush=True)
            total += broken
    return int(total > 0)


def main(argv: list[str] | None = None) -> int:
    """0 if nothing broke, 1 if something did, 2 for a user's mistake."""
    parser = cli.Parser(prog="stress", description="Section 5 over many random problems.")
    parser.add_argument("--batches", type=int, default=10_000, help="for TRPO's step (%(default)s)")
    parser.add_argument("--pairs", type=int, default=10_000, help="of policies (%(default)s)")
    parser.add_argument("--loops", type=int, default=200, help="tables for E36 (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything (%(default)s)")
    args = parser.parse_args(argv)
    return cli.run("stress", lambda: command(args))


if __name__ == "__main__":
    sys.exit(main())
