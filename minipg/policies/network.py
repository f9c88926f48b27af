"""A multilayer perceptron without autodiff: forward, jvp and vjp over one flat θ.

Axes: N samples, D inputs, K outputs, P parameters; `...` any leading axes, M samples in all.
Inside, features come first, (H, M): a layer is one product of matrices, all of it contiguous.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from minipg.policies.blocks import block_size, blocks, samples_first, sum_of_products
from minipg.validate import Array, array, check_counts, check_range, floats


@dataclass(frozen=True)
class Tape:
    """What a forward pass leaves: each layer's input h̃_i = (h_i, 1) (n_in + 1, M), and `...`.

    slopes: of every hidden layer where they are kept, for several products with one J.
    """

    inputs: list[Array]
    leading: tuple[int, ...]
    slopes: tuple[Array, ...] = ()

    def slope(self, i: int) -> Array:
        """tanh′ = 1 − h² (H, M) of hidden layer i."""
        if self.slopes:
            return self.slopes[i]
        h = self.inputs[i + 1][:-1]
        square = h * h
        return np.subtract(1, square, out=square)

    def kept(self) -> "Tape":
        """The same tape with its slopes, made once: the same products, in more memory."""
        return replace(self, slopes=tuple(self.slope(i) for i in range(len(self.inputs) - 1)))


@dataclass(frozen=True)
class MLP:
    """y = h_L W_L + b_L, h_{i+1} = tanh(h_i W_i + b_i), h_0 = x; owns no numbers.

    sizes: (D, hidden ..., K); (D, K) is the linear map, on one-hot inputs a table.
    θ (P,) holds W0 (D, H) row by row, b0, W1, b1, ...
    """

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", check_counts("sizes", self.sizes, 2))

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
        """Views (..., n_in + 1, n_out) of θ (..., P), W above b: a write to θ shows in them.

        Of whole numbers, views of a copy.
        """
        theta = floats(theta)
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
        output_gain = check_range("output_gain", output_gain)
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
        """How many samples' outputs of the widest layer stay in the cache."""
        return block_size(max(self.sizes[1:]), np.dtype(dtype).itemsize)

    def blocks(self, count: int, dtype: DTypeLike) -> list[slice]:
        """`count` samples in parts of such a block each."""
        return blocks(count, self.block(dtype))

    def at(self, theta: Array) -> Callable[[Array], Array]:
        """x (..., D) ↦ y (..., K), without the tape; θ is read as a view."""
        layers = self.layers(theta)
        size = self.block(layers[0].dtype)

        def output(x: Array) -> Array:
            x = array(x)
            samples = x.reshape(-1, x.shape[-1])
            y = [self.columns(layers, samples[part])[0] for part in blocks(len(samples), size)]
            return samples_first(y[0] if len(y) == 1 else np.concatenate(y, 1), x.shape[:-1])

        return output

    def forward(self, theta: Array, x: Array) -> tuple[Array, Tape]:
        """y (..., K) at x (..., D), in θ's dtype, and the tape that jvp and vjp read."""
        x = array(x)
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
        for i, (w, dw) in enumerate(zip(self.layers(theta)[1:], others, strict=True)):
            dy *= tape.slope(i)
            dy = w[:-1].T @ dy
            dy += dw.T @ tape.inputs[i + 1]
        return samples_first(dy, tape.leading)

    def vjp(self, theta: Array, tape: Tape, dy: Array) -> Array:
        """Σ_n J_nᵀ dy_n (..., P) for dy (..., N, K): the sum runs over axis -2 only.

        So x (N, D) gives one gradient, x (B, T, D) one for each b, and x (N, 1, D) one a sample.
        The gradient of layer i is Σ_n h̃_n δ_nᵀ.
        """
        dy = floats(dy)
        groups = dy.shape[:-2]
        grad = np.empty((self.num_params, prod(groups)), dy.dtype)
        self.write_vjp(theta, tape, dy, grad)
        return samples_first(grad, groups)

    def write_vjp(self, theta: Array, tape: Tape, dy: Array, out: Array) -> None:
        """vjp into out (P, B), features first, a column for each of B groups."""
        places = reversed(self.slices)
        for (at, shape), (h, delta) in zip(places, self.backward(theta, tape, dy), strict=True):
            sum_of_products(h, delta, out[at].reshape(*shape, -1))

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
