"""What the glue of every library of environments shares: windows to play, and linear networks.

Runs in a library's own environment, without minipg. Axes: L rows, S states, A actions.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch

torch.set_num_threads(1)


class Still(torch.optim.SGD):
    """An optimiser that leaves θ where it is: what it was to apply stays in `.grad`."""

    def __init__(self, params: Any, lr: float = 0.0, **_: Any) -> None:
        super().__init__(params, lr=0.0)

    def step(self, closure: Any = None) -> None:
        """Nothing."""


class Played(gym.Env):
    """An environment in which one window happens, whatever is done; actions() are its own."""

    def __init__(self, window: Any = None) -> None:
        self.observation_space = gym.spaces.Box(0, 1, (4,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.begin(window)

    def begin(self, window: Any) -> None:
        """From the first row of another window."""
        self.window, self.row = window, 0

    def _now(self) -> np.ndarray:
        return self.window.obs[min(self.row, len(self.window.obs) - 1)].astype(np.float32)

    def reset(self, **options: Any) -> Any:
        return self._now(), {}

    def step(self, action: Any) -> Any:
        w, i = self.window, self.row
        assert int(action) == w.actions[i], f"row {i}: expected {w.actions[i]}, got {action}"
        self.row += 1
        after = w.next_obs[i].astype(np.float32)
        return after, float(w.rewards[i]), bool(w.terminated[i]), bool(w.truncated[i]), {}

    def draws(self) -> None:
        """Every torch Categorical draws the action of the row that comes."""

        def sample(own: Any, shape: Any = ()) -> torch.Tensor:
            i = min(self.row, len(self.window.actions) - 1)
            return torch.full(own.batch_shape, int(self.window.actions[i]))

        torch.distributions.Categorical.sample = sample


def fill(layer: torch.nn.Linear, weight: Any, bias: Any) -> None:
    """Sets a layer's numbers: logits = one-hot state · weight.T + bias."""
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight))
        layer.bias.copy_(torch.as_tensor(bias))


def ascent(layer: torch.nn.Linear) -> np.ndarray:
    """The gradient (S·A + A,) of what is maximised, state by state, from what stays in `.grad`."""
    return -torch.cat([layer.weight.grad.T.reshape(-1), layer.bias.grad]).double().numpy()
