"""A multilayer perceptron without autodiff: forward, jvp and vjp over one flat θ.

Axes: N samples, D inputs, K outputs, P parameters; `...` any leading axes, M samples in all.
Inside, features come first, (H, M): a layer is one product of matrices, all of it contiguous.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from minipg.validate import Array

BLOCK = 1 << 18  # bytes of a layer's outputs that stay in the cache


@dataclass(frozen=True)
class Tape:
    """What a forward pass leaves: each layer's input h̃_i = (h_i, 1) (n_in + 1, M), and `...`."""

    inputs: list[Array]
    leading: tuple[int, ...]

    def slope(self, i: int) -> Array:
        """tanh′ = 1 − h² (H, M) of hidden layer i; made anew until `slopes` keeps all."""
        if "slopes" in vars(self):
            return self.slopes[i]
        h = self.inputs[i + 1][:-1]
        square = h * h
        return np.subtract(1, square, out=square)

    @cached_property
    def slopes(self) -> list[Array]:
        """Of each hidden layer, kept for the products to come."""
        return [self.slope(i) for i in range(len(self.inputs) - 1)]


def samples_first(y: Array, leading: tuple[int, ...]) -> Array:
    """(*leading, K) of y (K, M), a view."""
    return y.T.reshape(*leading, len(y))


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
    def slices(self) -> list[tuple[slice, tuple[int, int]]]:
        """Where layer i lies in θ, and its shape (n_in + 1, n_out): W above b."""
        places, start = [], 0
        for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False):
            stop = start + (n_in + 1) * n_out
            places.append((slice(start, stop), (n_in + 1, n_out)))
            start = stop
        return places

    @property
    def num_params(self) -> int:
        """P."""
        return self.slices[-1][0].stop

    def layers(self, theta: Array) -> list[Array]:
        """Views (..., n_in + 1, n_out) of θ (..., P), W above b: a write to θ shows in them."""
        return [theta[..., at].reshape(*theta.shape[:-1], *shape) for at, shape in self.slices]

    def named(self, theta: Array) -> dict[str, Array]:
        """The layers by name, {"W0": (D, H), "b0": (H,), ...}, as read-only views of θ."""
        names = {f"{k}{i}": x for i, layer in enumerate(self.layers(theta))
                 for k, x in (("W", layer[..., :-1, :]), ("b", layer[..., -1, :]))}  # fmt: skip
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
        for layer, gain in zip(self.layers(theta), gains, strict=True):
            n_in, n_out = len(layer) - 1, layer.shape[1]
            tall = rng.standard_normal((max(n_in, n_out), min(n_in, n_out)))
            q, r = np.linalg.qr(tall)
            q = q * np.sign(np.diag(r))  # the sign that makes q uniform over rotations
            layer[:-1] = gain * (q if n_in >= n_out else q.T)
        return theta

    def block(self, dtype: DTypeLike) -> int:
        """How many samples, one at least, are few enough for the cache."""
        return max(1, BLOCK // (max(self.sizes[1:]) * np.dtype(dtype).itemsize))

    def blocks(self, count: int, dtype: DTypeLike) -> list[slice]:
        """`count` samples (of 0 too) in parts of a block each."""
        size = self.block(dtype)
        return [slice(i, i + size) for i in range(0, max(1, count), size)]

    def at(self, theta: Array) -> Callable[[Array], Array]:
        """x (..., D) ↦ y (..., K), without the tape; θ is read as a view."""
        layers, size = self.layers(theta), self.block(theta.dtype)

        def output(x: Array) -> Array:
            samples = x.reshape(-1, x.shape[-1])
            starts = range(0, max(1, len(samples)), size)
            y = [self.columns(layers, samples[i : i + size])[0] for i in starts]
            return samples_first(y[0] if len(y) == 1 else np.concatenate(y, 1), x.shape[:-1])

        return output

    def forward(self, theta: Array, x: Array) -> tuple[Array, Tape]:
        """y (..., K) at x (..., D), in θ's dtype, and the tape that jvp and vjp read."""
        y, inputs = self.columns(self.layers(theta), x.reshape(-1, x.shape[-1]))
        return samples_first(y, x.shape[:-1]), Tape(inputs, x.shape[:-1])

    def columns(self, layers: list[Array], x: Array) -> tuple[Array, list[Array]]:
        """y (K, M) at x (M, D), and each layer's input (h, 1) (n_in + 1, M)."""
        *hidden, last = layers
        h = np.empty((x.shape[1] + 1, len(x)), last.dtype)
        h[:-1], h[-1] = x.T, 1
        inputs = [h]
        for w in hidden:
            h = np.empty((w.shape[1] + 1, len(x)), last.dtype)
            z = h[:-1]
            np.tanh(np.matmul(w.T, inputs[-1], out=z), out=z)
            h[-1] = 1
            inputs.append(h)
        return last.T @ h, inputs

    def jvp(self, theta: Array, tape: Tape, v: Array) -> Array:
        """J v (..., K): the change of y along the direction v (P,) in θ."""
        dw, *others = self.layers(v)
        dy = dw.T @ tape.inputs[0]  # x does not move
        for w, dw, h, slope in zip(
            self.layers(theta)[1:], others, tape.inputs[1:], tape.slopes, strict=True
        ):
            dy *= slope
            dy = w[:-1].T @ dy
            dy += dw.T @ h
        return samples_first(dy, tape.leading)

    def vjp(self, theta: Array, tape: Tape, dy: Array, more: int = 0) -> Array:
        """Σ_n J_nᵀ dy_n (..., P) for dy (..., N, K): the sum runs over axis -2 only.

        So x (N, D) gives one gradient, x (B, T, D) one for each b, and x (N, 1, D) one a sample.
        `more` entries after each P are left unset, for the caller's.
        """
        *groups, n, _ = dy.shape
        count = prod(groups)
        grad = np.empty((self.num_params + more, count), dy.dtype)
        places = reversed(self.slices)
        for (at, shape), (h, delta) in zip(places, self.backward(theta, tape, dy), strict=True):
            dw = grad[at].reshape(*shape, count)
            if count == 1:
                np.matmul(h, delta.T, out=dw[..., 0])
            elif n == 1:
                np.multiply(h[:, None], delta, out=dw)
            else:
                h, delta = (a.reshape(len(a), count, n).swapaxes(0, 1) for a in (h, delta))
                np.matmul(h, delta.swapaxes(1, 2), out=np.moveaxis(dw, -1, 0))
        return grad.T.reshape(*groups, len(grad))

    def backward(self, theta: Array, tape: Tape, dy: Array) -> Iterator[tuple[Array, Array]]:
        """(h̃_i, δ_i) of each layer, the last first: its input (h, 1) and dy at its output (H, M).

        The gradient of layer i is Σ h̃_i δ_iᵀ, which is what Kronecker factors are made of (E48).
        """
        layers = self.layers(theta)
        delta = dy.transpose(-1, *range(dy.ndim - 1)).reshape(dy.shape[-1], -1)
        for i in reversed(range(len(layers))):
            yield tape.inputs[i], delta
            if i:
                delta = layers[i][:-1] @ delta
                delta *= tape.slope(i - 1)
