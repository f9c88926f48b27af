"""A multilayer perceptron without autodiff: forward, jvp and vjp over one flat θ.

Axes: N samples, D inputs, K outputs, P parameters; `...` any leading axes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import DTypeLike

from minipg.borders import Array


@dataclass(frozen=True)
class MLP:
    """y = h_L W_L + b_L, h_{i+1} = tanh(h_i W_i + b_i), h_0 = x; owns no numbers.

    sizes: (D, hidden ..., K); (D, K) is the linear map, on one-hot inputs a table.
    θ (P,) holds W0 (D, H) row by row, b0, W1, b1, ...
    """

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise ValueError(f"sizes: expected two or more positive numbers, got {self.sizes}")

    @cached_property
    def slices(self) -> list[tuple[slice, slice, tuple[int, int]]]:
        """Where layer i lies in θ: (slice of W, slice of b, shape of W)."""
        places, start = [], 0
        for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False):
            w, b = start + n_in * n_out, start + (n_in + 1) * n_out
            places.append((slice(start, w), slice(w, b), (n_in, n_out)))
            start = b
        return places

    @property
    def num_params(self) -> int:
        """P."""
        return self.slices[-1][1].stop

    def layers(self, theta: Array) -> list[tuple[Array, Array]]:
        """Views [(W, b), ...] of θ (..., P): a write to θ shows in them."""
        return [
            (theta[..., w].reshape(*theta.shape[:-1], *shape), theta[..., b])
            for w, b, shape in self.slices
        ]

    def named(self, theta: Array) -> dict[str, Array]:
        """The layers by name, {"W0": (D, H), "b0": (H,), ...}, as read-only views of θ."""
        names = {f"{k}{i}": x for i, layer in enumerate(self.layers(theta))
                 for k, x in zip("Wb", layer, strict=True)}  # fmt: skip
        for view in names.values():
            view.flags.writeable = False
        return names

    def init(
        self, rng: np.random.Generator, output_gain: float, dtype: DTypeLike = np.float64
    ) -> Array:
        """Orthogonal θ: WᵀW = gain² I (WWᵀ where W is wide), b = 0.

        gain is √2 in hidden layers and `output_gain` in the last.
        Source: Saxe et al. 2014, arXiv 1312.6120.
        """
        theta = np.zeros(self.num_params, dtype)
        gains = [np.sqrt(2.0)] * (len(self.slices) - 1) + [output_gain]
        for (w, _, (n_in, n_out)), gain in zip(self.slices, gains, strict=True):
            tall = rng.standard_normal((max(n_in, n_out), min(n_in, n_out)))
            q, r = np.linalg.qr(tall)
            q = q * np.sign(np.diag(r))  # the sign that makes q uniform over rotations
            theta[w] = (gain * (q if n_in >= n_out else q.T)).ravel()
        return theta

    def forward(self, theta: Array, x: Array) -> tuple[Array, list[Array]]:
        """y (..., K) at x (..., D), and the tape [h_0, ..., h_L] that jvp and vjp read."""
        tape = [x]
        *hidden, (w_out, b_out) = self.layers(theta)
        for w, b in hidden:
            tape.append(np.tanh(tape[-1] @ w + b))
        return tape[-1] @ w_out + b_out, tape

    def jvp(self, theta: Array, tape: list[Array], v: Array) -> Array:
        """J v (..., K): the change of y along the direction v (P,) in θ."""
        (dw, db), *hidden = self.layers(v)
        dy = tape[0] @ dw + db  # x does not move
        for (w, _), (dw, db), h in zip(self.layers(theta)[1:], hidden, tape[1:], strict=True):
            dy = (dy * (1 - h**2)) @ w + h @ dw + db
        return dy

    def vjp(self, theta: Array, tape: list[Array], dy: Array) -> Array:
        """Σ_n J_nᵀ dy_n (..., P) for dy (..., N, K): the sum runs over axis -2 only.

        So x (N, D) gives one gradient, x (B, T, D) one for each b, and x (N, 1, D) one a sample.
        """
        grad = np.empty((*dy.shape[:-2], self.num_params), dy.dtype)
        for (dw, db), (h, delta) in zip(
            reversed(self.layers(grad)), self.backward(theta, tape, dy), strict=True
        ):
            np.matmul(h.swapaxes(-1, -2), delta, out=dw)
            np.sum(delta, axis=-2, out=db)
        return grad

    def backward(self, theta: Array, tape: list[Array], dy: Array) -> Iterator[tuple[Array, Array]]:
        """(h_i, δ_i) of each layer, the last first: its input and dy at its output (..., N, H).

        The gradient of layer i is Σ h_i δ_iᵀ, which is what Kronecker factors are made of (E48).
        """
        for i, ((w, _), h) in reversed(list(enumerate(zip(self.layers(theta), tape, strict=True)))):
            yield h, dy
            if i:
                dy = (dy @ w.T) * (1 - h**2)
