"""Gradients by PyTorch's autograd against the exact ∇J: REINFORCE with baselines, PPO's first.

python torch_estimator.py        needs PyTorch, which minipg does not: pip install torch

Axes: T steps, B episodes, D observation, H hidden, A actions, P parameters. All in float64.
"""

import sys
import warnings
from collections.abc import Callable, Iterable

import gymnasium as gym
import numpy as np

try:
    import torch
except ModuleNotFoundError as absent:
    sys.exit(f"torch_estimator: needs {absent.name}: pip install {absent.name}")

from minipg.experience.batch import Batch
from minipg.experience.enumeration import enumerate_trajectories
from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.truth.contract import Estimator, exact_moments

torch.set_num_threads(1)  # of a few numbers each: two threads take ten times as long
GAMMA, HORIZON, CLIP = 0.9, 3, 0.2
Psi = Callable[[Batch], torch.Tensor]  # ψ_t (T, B), what multiplies ∇log π(a_t|s_t)


def flat(parameters: Iterable[torch.Tensor]) -> np.ndarray:
    """W0 (D, H) row by row, b0, W1, b1, … (P,) of a net's weight, bias, weight, bias, …

    torch.nn.Linear.weight is (out, in) and minipg's W is (in, out): each is transposed.
    """
    return torch.cat([x.detach().t().reshape(-1) for x in parameters]).numpy().astype(float)


def network(policy: Policy, theta: np.ndarray) -> torch.nn.Sequential:
    """The logits of π_θ(·|s) from observations (..., D), one layer of tanh; flat gives θ back."""
    d, h, a = policy.network.sizes
    net = torch.nn.Sequential(torch.nn.Linear(d, h), torch.nn.Tanh(), torch.nn.Linear(h, a))
    net.double()
    with torch.no_grad():
        for parameter, x in zip(net.parameters(), policy.named(theta).values(), strict=True):
            parameter.copy_(torch.tensor(x).t())
    return net


def log_prob(net: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """log π(a_t|s_t) (T, B)."""
    every = torch.log_softmax(net(torch.tensor(batch.obs[:-1])), -1)
    return every.gather(-1, torch.tensor(batch.actions)[..., None])[..., 0]


def gradient(net: torch.nn.Module, batch: Batch, terms: torch.Tensor) -> np.ndarray:
    """∇ (P,) of terms (T, B) summed over each episode's steps, mean over the episodes."""
    loss = -terms[torch.tensor(batch.valid)].sum() / len(batch.weight)
    net.zero_grad()
    loss.backward()
    return -flat(p.grad for p in net.parameters())  # loss.backward() descends, ∇J ascends


def reinforce(net: torch.nn.Module, psi: Psi) -> Estimator:
    """Σ_t ∇log π ψ_t."""
    return lambda batch: gradient(net, batch, log_prob(net, batch) * psi(batch))


def ppo(net: torch.nn.Module, psi: Psi, detach: bool = True) -> Estimator:
    """∇ Σ_t min(ρψ_t, clip(ρ, 1 ± ε)ψ_t), ρ = π_θ/π_old at θ = θ_old: PPO's first gradient.

    detach=False plants a bug: log π_old moves with θ, ρ is the constant 1.
    """

    def estimate(batch: Batch) -> np.ndarray:
        new = log_prob(net, batch)
        ratio = torch.exp(new - (new.detach() if detach else new))
        clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
        return gradient(net, batch, torch.min(ratio * psi(batch), clipped * psi(batch)))

    return estimate


def to_go(batch: Batch) -> torch.Tensor:
    """G_t (T, B); rewards after the end are 0."""
    total = torch.tensor(batch.rewards)
    for t in reversed(range(len(total) - 1)):
        total[t] += GAMMA * total[t + 1]
    return total


def minus_mean(batch: Batch) -> torch.Tensor:
    """G_t − b (T, B), b the mean of G over the batch: each sample's own G is in its baseline."""
    return to_go(batch) - to_go(batch)[torch.tensor(batch.valid)].mean()


def minus_others(batch: Batch) -> torch.Tensor:
    """G_t − b (T, B), b the mean of G over the steps of the other episodes."""
    valid = torch.tensor(batch.valid)
    total, count = (to_go(batch) * valid).sum(0), valid.sum(0)  # of each episode (B,)
    return to_go(batch) - (total.sum() - total) / (count.sum() - count)


def normalised(psi: torch.Tensor, batch: Batch) -> torch.Tensor:
    """(ψ − mean)/(std + ε) (T, B) over the batch's steps; torch's std of one number is NaN."""
    seen = psi[torch.tensor(batch.valid)]
    return (psi - seen.mean()) / (seen.std() + 1e-8)


def gamma_t(batch: Batch) -> torch.Tensor:
    """γ^t (T, 1): every column starts an episode."""
    return GAMMA ** torch.arange(len(batch.rewards)).double()[:, None]


def rows(net: torch.nn.Module, advantages: np.ndarray) -> list[tuple[str, int, Estimator]]:
    """What is checked, how many episodes are a batch, the estimator; advantages (T, S, A): A^π."""

    def a(batch: Batch) -> torch.Tensor:  # one-hot observations tell the state
        t = np.arange(len(batch.rewards))[:, None]
        return torch.tensor(advantages[t, batch.obs[:-1].argmax(-1), batch.actions])

    return [
        ("REINFORCE γ^t G", 1, reinforce(net, lambda b: gamma_t(b) * to_go(b))),
        ("REINFORCE γ^t (G − mean of the other)", 2,
         reinforce(net, lambda b: gamma_t(b) * minus_others(b))),
        ("REINFORCE γ^t (G − mean of both)", 2,
         reinforce(net, lambda b: gamma_t(b) * minus_mean(b))),
        # github.com/pytorch/examples, reinforcement_learning/reinforce.py, one episode an update:
        ("REINFORCE G normalised", 2, reinforce(net, lambda b: normalised(to_go(b), b))),
        ("REINFORCE G normalised", 1, reinforce(net, lambda b: normalised(to_go(b), b))),
        ("PPO γ^t A", 1, ppo(net, lambda b: gamma_t(b) * a(b))),
        ("PPO A, γ^t dropped", 1, ppo(net, a)),
        ("PPO γ^t A normalised", 2, ppo(net, lambda b: gamma_t(b) * normalised(a(b), b))),
        ("PPO γ^t A, bug: π_old not detached", 1,
         ppo(net, lambda b: gamma_t(b) * a(b), detach=False)),
    ]  # fmt: skip


def problem(
    mdp: TabularMDP, horizon: int, policy: Policy, theta: np.ndarray
) -> tuple[Batch, np.ndarray, list[tuple[str, int, Estimator]]]:
    """Every episode of `horizon` steps, the exact ∇J (P,) and the rows; features are one-hot."""
    start = mdp.unroll(horizon)
    pi = policy.probs(theta, start.features)
    advantages = exact.advantages(start, pi).reshape(horizon + 1, mdp.num_states, -1)
    truth = exact.policy_gradient(start, policy, theta)
    batch, _ = enumerate_trajectories(start, pi)
    return batch, truth, rows(network(policy, theta), advantages)


def main() -> None:
    """Print a row per estimator."""
    warnings.filterwarnings("ignore", "std")  # of one number: the NaN is refused below
    env = gym.make("FrozenLake-v1", desc=["SF", "HG"], is_slippery=False)
    lake = TabularMDP.from_env(env, GAMMA)
    policy = softmax_policy(lake.num_states, lake.num_actions, (5,))
    theta = policy.init(np.random.default_rng(0), output_gain=1.0)
    batch, truth, estimators = problem(lake, HORIZON, policy, theta)
    print(f"torch {torch.__version__}; γ = {GAMMA}, {HORIZON} steps, {len(batch.weight)} "
          f"trajectories, P = {len(theta)}, ‖∇J‖ = {np.linalg.norm(truth):.4f}\n"
          f"{'estimator':39}{'episodes':>9}{'‖bias‖':>9}{'cosine':>8}{'variance':>10}")  # fmt: skip
    for name, games, estimator in estimators:
        try:
            mean, covariance = exact_moments(estimator, batch, games)
        except ValueError as error:
            print(f"{name:39}{games:9}  refused: {error}")
            continue
        length = np.linalg.norm(mean) * np.linalg.norm(truth)
        cosine = mean @ truth / length if length else 0.0
        print(f"{name:39}{games:9}{np.linalg.norm(mean - truth):9.1e}{cosine:8.3f}"
              f"{np.trace(covariance):10.2e}")  # fmt: skip


if __name__ == "__main__":
    main()
