"""The gradient Stable-Baselines3's A2C applies on a table: its exact bias, attributed.

python sb3_a2c.py        needs SB3, which minipg does not: pip install stable-baselines3

Its own collect_rollouts() and train() run once on every window of n_steps; only the actions are
dealt, not drawn, and the optimiser leaves θ alone. Axes: S states, P parameters of the policy.
"""

import itertools
import sys
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

import gymnasium as gym
import numpy as np

try:
    import stable_baselines3
    import torch
    from stable_baselines3 import A2C
    from stable_baselines3.common.callbacks import CallbackList
except ModuleNotFoundError as absent:
    sys.exit(f"sb3_a2c: needs {absent.name}: pip install {absent.name}")

from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact

torch.set_num_threads(1)  # of a few numbers each: two threads take ten times as long
Critic = Callable[[torch.Tensor], torch.Tensor]  # states (1,) to V (1,) or (1, 1)
CHAIN = [  # switched on one after another; the first leaves only the policy's loss
    ("its critic in place of V^π", {"vf_coef": 0.0, "max_grad_norm": float("inf")}),
    ("max_grad_norm 0.5 on the policy's gradient", {"max_grad_norm": 0.5}),
    ("the value loss in that norm, vf_coef 0.5", {"vf_coef": 0.5}),
    ("not a default: normalize_advantage", {"normalize_advantage": True}),
    ("not a default: ent_coef 0.01", {"ent_coef": 0.01}),
]  # fmt: skip


class Still(torch.optim.SGD):
    """An optimiser that leaves θ where it is: what it was to apply stays in `.grad`."""

    def step(self, closure: object = None) -> None:
        """Nothing."""


def make_model(seed: int = 0, **options: Any) -> tuple[A2C, TabularMDP]:
    """SB3's A2C at its defaults on a small lake, and its table; no time limit, no slipping.

    At a time limit SB3 adds γV(last observation) to the reward: one more cut as at a window's end.
    """
    env = gym.make("FrozenLake-v1", desc=["SF", "HG"], is_slippery=False, max_episode_steps=-1)
    model = A2C("MlpPolicy", env, seed=seed, device="cpu",
                policy_kwargs={"optimizer_class": Still}, **options)  # fmt: skip
    return model, TabularMDP.from_env(env, model.gamma)


def flat(parameters: Iterable[torch.Tensor]) -> np.ndarray:
    """W0 row by row, b0, W1, b1, … (P,); torch's weight is (out, in), minipg's (in, out)."""
    return torch.cat([x.detach().t().reshape(-1) for x in parameters]).numpy().astype(float)


def actor(model: A2C) -> list[torch.Tensor]:
    """The policy's parameters, layer by layer, weight before bias; none of the critic's."""
    net = model.policy
    return [*net.mlp_extractor.policy_net.parameters(), *net.action_net.parameters()]


def policy_of(model: A2C, mdp: TabularMDP) -> tuple[Policy, np.ndarray]:
    """The same policy for minipg, and θ (P,); SB3 shows its net a discrete state as one-hot."""
    hidden = tuple(model.policy.net_arch["pi"])
    return softmax_policy(mdp.num_states, mdp.num_actions, hidden), flat(actor(model))


def mean_gradients(
    model: A2C, first: np.ndarray, critic: Critic, chain: list[dict[str, Any]]
) -> np.ndarray:
    """E of SB3's ascent direction (len(chain), P) after each of the chain's settings is added.

    first (S,): probabilities of a window's first state. Exact but for SB3's float32.
    """
    policy, lake = model.policy, model.env.envs[0].unwrapped
    callback = model._setup_learn(0, CallbackList([]))[1]
    before = {name: getattr(model, name) for setting in chain for name in setting}
    total = np.zeros((len(chain), flat(actor(model)).size))
    dealt = iter(())

    def deal(obs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        action = torch.tensor([next(dealt)])
        return action, critic(obs), policy.evaluate_actions(obs, action)[1]

    with patch.object(policy, "forward", deal), patch.object(policy, "predict_values", critic):
        for state in np.flatnonzero(first):
            for actions in itertools.product(range(model.action_space.n), repeat=model.n_steps):
                vars(model).update(before)
                dealt = iter(actions)
                lake.s, model._last_obs = int(state), np.array([state])
                model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
                weight = first[state] * np.exp(model.rollout_buffer.log_probs.sum(dtype=float))
                for i, setting in enumerate(chain):
                    vars(model).update(setting)
                    model.train()
                    total[i] -= weight * flat(p.grad for p in actor(model))  # of a loss
    return total


def attribution(model: A2C, mdp: TabularMDP) -> list[tuple[str, np.ndarray]]:
    """∇J (P,), and what stands in its place after each switch of a stated order.

    At a fixed θ a step of the stream is in state s with probability Σ_t P(s_t = s) / E length
    (renewal), and so is a window's first one: that mean of many updates is what is computed.
    """
    policy, theta = policy_of(model, mdp)
    pi = policy.probs(theta, mdp.features)
    visits = exact.visits(mdp, pi, 1.0)
    values = torch.tensor(exact.state_values(mdp, pi), dtype=torch.float32)
    undiscounted = exact.policy_gradient(mdp, policy, theta, discounted_visits=False)
    first, settings = visits / visits.sum(), [setting for _, setting in CHAIN]
    window = mean_gradients(model, first, lambda s: values[s], settings[:1])
    own = mean_gradients(model, first, model.policy.predict_values, settings)
    return [
        ("∇J", exact.policy_gradient(mdp, policy, theta)),
        ("γ^t dropped", undiscounted),
        ("mean over steps, not a sum over an episode", undiscounted / visits.sum()),
        (f"windows of {model.n_steps} steps, GAE λ = {model.gae_lambda:g}, V^π", window[0]),
        *((name, g) for (name, _), g in zip(CHAIN, own, strict=True)),
    ]


def main() -> None:
    """Print a row per switch: what it adds, and the bias and the cosine with ∇J so far."""
    model, mdp = make_model()
    rows = attribution(model, mdp)
    truth = rows[0][1]
    norm = np.linalg.norm(truth)
    print(f"stable-baselines3 {stable_baselines3.__version__}, torch {torch.__version__}, "
          f"gymnasium {gym.__version__}; γ = {model.gamma}, P = {len(truth)}, ‖∇J‖ = {norm:.4f}\n"
          f"{'switched on':45}{'‖added‖':>9}{'along ∇J':>10}{'‖bias‖':>9}{'cosine':>8}"
    )  # fmt: skip
    for (_, before), (name, after) in itertools.pairwise(rows):
        added = after - before
        print(f"{name:45}{np.linalg.norm(added):9.1e}{added @ truth / norm:+10.4f}"
              f"{np.linalg.norm(after - truth):9.4f}"
              f"{after @ truth / norm / np.linalg.norm(after):8.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
