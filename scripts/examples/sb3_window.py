"""One window of Stable-Baselines3's own A2C and PPO on CartPole-v1, named by what it computes.

python sb3_window.py [--out DIR]     needs SB3: pip install stable-baselines3

Its collect_rollouts() and train() run once, on one window of 64 steps and one minibatch; only the
optimiser is replaced by one that leaves θ alone, and the time limit is 17, so that it cuts. A file
for `minipg audit` is written for each set of options. Axes: L rows, P parameters of the policy.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

try:
    import torch
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.callbacks import CallbackList
except ModuleNotFoundError as absent:
    sys.exit(f"sb3_window: needs {absent.name}: pip install {absent.name}")

from minipg.audit import Probe, Window, identify, library

ROWS, LIMIT = 64, 17
RUNS: list[tuple[str, Any, dict[str, Any]]] = [
    ("a2c", A2C, {}),
    ("a2c-no-clip", A2C, {"max_grad_norm": 1e9}),
    ("ppo", PPO, {"batch_size": ROWS, "n_epochs": 1}),
    ("ppo-entropy", PPO, {"batch_size": ROWS, "n_epochs": 1, "max_grad_norm": 1e9,
                          "ent_coef": 0.01}),
    ("ppo-bare", PPO, {"batch_size": ROWS, "n_epochs": 1, "max_grad_norm": 1e9,
                       "normalize_advantage": False}),
]  # fmt: skip


class Still(torch.optim.SGD):
    """An optimiser that leaves θ where it is: what it was to apply stays in `.grad`."""

    def step(self, closure: object = None) -> None:
        """Nothing."""


class Seen(gym.Wrapper[Any, Any, Any, Any]):
    """Keeps each transition."""

    def reset(self, **options: Any) -> Any:
        self.now, info = self.env.reset(**options)
        self.rows = getattr(self, "rows", [])
        return self.now, info

    def step(self, action: Any) -> Any:
        after, *rest = self.env.step(action)
        self.rows.append((self.now, int(action), after, *rest[:3]))
        self.now = after
        return after, *rest


def flat(parts: Any) -> np.ndarray:
    return torch.cat([part.reshape(-1) for part in parts]).double().numpy()


def window_of(
    kind: Any, options: dict[str, Any]
) -> tuple[Window, np.ndarray, np.ndarray, np.ndarray, float]:
    """The window, SB3's gradient of what it maximises (P,), scores (L, P), ∇entropy (P,) and γ."""
    env = Seen(gym.make("CartPole-v1", max_episode_steps=LIMIT))
    model = kind("MlpPolicy", env, seed=3, device="cpu", n_steps=ROWS,
                 policy_kwargs={"optimizer_class": Still}, **options)  # fmt: skip
    with torch.no_grad():  # a critic that says something, a policy that is not uniform
        for part in model.policy.value_net.parameters():
            part.copy_(torch.randn_like(part))
        model.policy.action_net.weight.mul_(50)
    callback = model._setup_learn(10**6, CallbackList([]))[1]
    model.collect_rollouts(model.env, callback, model.rollout_buffer, ROWS)
    model.train()
    policy = model.policy
    own = [*policy.mlp_extractor.policy_net.parameters(), *policy.action_net.parameters()]
    gradient = -flat(part.grad for part in own)
    obs, actions, after, rewards, terminated, truncated = map(np.array, zip(*env.rows, strict=True))
    seen, following = torch.tensor(obs), torch.tensor(after)
    scores = []
    for one, action in zip(seen, actions, strict=True):
        log_prob = policy.get_distribution(one[None]).log_prob(torch.tensor([action]))[0]
        scores.append(flat(torch.autograd.grad(log_prob, own)))
    entropy = flat(torch.autograd.grad(policy.get_distribution(seen).entropy().mean(), own))
    with torch.no_grad():
        v, v2 = (policy.predict_values(x)[:, 0].double().numpy() for x in (seen, following))
    last = np.arange(ROWS) == ROWS - 1
    begins = np.concatenate([[True], (terminated | truncated)[:-1]])
    t = np.arange(ROWS) - np.maximum.accumulate(begins * np.arange(ROWS))
    window = Window(rewards, terminated, truncated, last, t, v, v2, obs, after, actions,
                    np.zeros(ROWS))  # fmt: skip
    return window, gradient, np.array(scores), entropy, model.gamma


def main() -> None:
    """Print the name of each; with --out write the files too."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, kind, options in RUNS:
        window, gradient, scores, entropy, gamma = window_of(kind, options)
        named = identify(library([Probe(window, scores, entropy)], gamma), [gradient])
        print(f"{name}: {int(window.terminated.sum())} terminations, {int(window.truncated.sum())} "
              f"truncations; {named} (residual {named.residual:.0e})")  # fmt: skip
        for other in named.distinct[1:3]:
            print(f"  or, equal on this window: {other}")
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            names = "rewards", "terminated", "truncated", "values", "next_values"
            np.savez(args.out / f"{name}.npz", gradient=gradient, scores=scores, entropy=entropy,
                     **{x: getattr(window, x) for x in names})  # fmt: skip


if __name__ == "__main__":
    main()
