"""minipg's formulas in PyTorch, and sb3-contrib's Fisher product: one thread, on the CPU.

Written as lean as PyTorch allows: parameters in a tuple, addmm, no modules, no distributions
except where a peer's own form is what is measured.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sb3_contrib.common.utils import flat_grad
from torch.distributions import Categorical, Normal, kl_divergence
from torch.func import grad, jvp, linearize, vjp, vmap

from bench.kernels import Problem
from bench.timing import Piece
from minipg.policies.gaussian import LOG_2PI
from minipg.policies.softmax import Softmax

torch.set_num_threads(1)
Tensors = tuple[torch.Tensor, ...]


def net(params: Tensors, x: torch.Tensor) -> torch.Tensor:
    """The network's outputs of one observation (D,) or of many (N, D)."""
    for w, b in zip(params[:-2:2], params[1:-2:2], strict=True):
        x = torch.tanh(x @ w + b if x.ndim == 1 else torch.addmm(b, x, w))
    return x @ params[-2] + params[-1] if x.ndim == 1 else torch.addmm(params[-1], x, params[-2])


def parts(p: Problem) -> tuple[Tensors, int]:
    """W0, b0, … and log σ of a Gaussian, and how many of them are the network's."""
    weights = tuple(torch.tensor(x) for x in p.policy.named(p.theta).values())
    return weights, len(weights) - (not isinstance(p.policy.head, Softmax))


def torch_pieces(p: Problem) -> dict[str, Piece]:
    """What PyTorch differentiates by itself."""
    (weights, layers), obs, actions = parts(p), torch.tensor(p.obs), torch.tensor(p.actions)

    def log_prob(params: Tensors, obs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        y = net(params[:layers], obs)
        if layers == len(params):
            return torch.log_softmax(y, -1).gather(-1, actions[..., None])[..., 0]
        z = (actions - y) * torch.exp(-params[-1])
        return (-0.5 * z * z - params[-1] - 0.5 * LOG_2PI).sum(-1)

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return net(weights[:layers], obs)

    leaves = tuple(x.clone().requires_grad_() for x in weights)

    def gradient() -> Tensors:
        return torch.autograd.grad(log_prob(leaves, obs, actions).mean(), leaves)

    one_score = vmap(grad(log_prob), (None, 0, 0))
    return {"forward": forward, "gradient": gradient,
            "score matrix": lambda: one_score(weights, obs, actions)}  # fmt: skip


def kernels(p: Problem) -> dict[str, dict[str, Piece]]:
    """side → what is measured → its piece, with minipg's θ, observations and direction."""
    (weights, layers), obs = parts(p), torch.tensor(p.obs)
    softmax = layers == len(weights)
    ends = np.cumsum([len(x.reshape(-1)) for x in weights])[:-1]
    v = tuple(torch.tensor(part).reshape(x.shape)
              for part, x in zip(np.split(p.v, ends), weights, strict=True))  # fmt: skip
    leaves = tuple(x.clone().requires_grad_() for x in weights)
    return {
        "torch": torch_pieces(p),
        "sb3-contrib": {"Fisher product": double_backprop(leaves, layers, softmax, obs, p.v)},
        **fisher_products(weights, v, layers, softmax, obs),
    }


def double_backprop(
    leaves: Tensors, layers: int, softmax: bool, obs: torch.Tensor, v: np.ndarray
) -> Piece:
    """sb3-contrib 2.9.2's TRPO.hessian_vector_product, without its damping."""

    def distribution() -> Any:
        y = net(leaves[:layers], obs)
        if softmax:
            return Categorical(logits=y)
        return Normal(y, torch.ones_like(y) * leaves[-1].exp())

    with torch.no_grad():
        old = distribution()
    kl = kl_divergence(distribution(), old)
    kl = (kl if softmax else kl.sum(-1)).mean()
    first = flat_grad(kl, leaves, create_graph=True, retain_graph=True)
    direction = torch.tensor(v)
    return lambda: flat_grad((first * direction).sum(), leaves, retain_graph=True)


def fisher_products(
    weights: Tensors, v: Tensors, layers: int, softmax: bool, obs: torch.Tensor
) -> dict[str, dict[str, Piece]]:
    """Jᵀ M J v with the head's closed form M: three ways to J v, all differentiated once.

    Of a Gaussian J is the mean's; the block of log σ is 2 v.
    """
    inner, dv, n = weights[:layers], v[:layers], len(obs)
    y, pull = vjp(lambda params: net(params, obs), inner)
    with warnings.catch_warnings():  # of torch's own tracing
        warnings.simplefilter("ignore")
        _, push = linearize(lambda params: net(params, obs), inner)
    pi = torch.softmax(y, -1)
    precision = None if softmax else torch.exp(-2 * weights[-1])
    rest = () if softmax else (2 * v[-1],)

    def fisher(u: torch.Tensor) -> torch.Tensor:
        return pi * (u - (pi * u).sum(-1, keepdim=True)) / n if softmax else u * precision / n

    leaves = tuple(x.clone().requires_grad_() for x in inner)
    output = net(leaves, obs)
    dummy = torch.zeros_like(output, requires_grad=True)
    pulled = torch.autograd.grad(output, leaves, dummy, create_graph=True)

    def twice_backwards() -> Tensors:
        (u,) = torch.autograd.grad(pulled, dummy, dv, retain_graph=True)
        return (*torch.autograd.grad(output, leaves, fisher(u), retain_graph=True), *rest)

    def linearized() -> Tensors:
        return (*pull(fisher(push(dv)))[0], *rest)

    def forward_mode() -> Tensors:
        u = jvp(lambda params: net(params, obs), (inner,), (dv,))[1]
        return (*pull(fisher(u))[0], *rest)

    def by_hand() -> Tensors:
        return (*hand_written(inner, dv, tape, fisher), *rest)

    tape = [obs]
    with torch.no_grad():
        for w, b in zip(inner[:-2:2], inner[1:-2:2], strict=True):
            tape.append(torch.tanh(torch.addmm(b, tape[-1], w)))
    ways = {"lean twice backwards": twice_backwards, "lean linearize": linearized,
            "lean jvp": forward_mode, "no autograd, in torch": by_hand}  # fmt: skip
    return {side: {"Fisher product": piece} for side, piece in ways.items()}


def hand_written(
    params: Tensors, v: Tensors, tape: list[torch.Tensor],
    fisher: Callable[[torch.Tensor], torch.Tensor],
) -> list[torch.Tensor]:  # fmt: skip
    """minipg's own formulas, in torch: what is left of PyTorch without its autograd."""
    with torch.no_grad():
        dy = torch.addmm(v[1], tape[0], v[0])
        for h, w, dw, db in zip(tape[1:], params[2::2], v[2::2], v[3::2], strict=True):
            dy = torch.addmm(db, h, dw).addmm_(dy * (1 - h * h), w)
        dy, grads = fisher(dy), []
        for i in reversed(range(len(tape))):
            grads += [dy.sum(0), tape[i].t() @ dy]
            if i:
                dy = (dy @ params[2 * i].t()) * (1 - tape[i] * tape[i])
    return grads[::-1]
