"""An estimator in JAX, audited in its own network's parameters, whatever these are.

python audit_jax.py        needs JAX, which minipg does not: pip install jax

`laboratory` and `own` are all that a network of yours needs; the loss below them is an example.
Axes: L rows of a window, S states, A actions, P parameters. All in float64.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

try:
    import jax
    from jax import numpy as jnp
    from jax.flatten_util import ravel_pytree
except ModuleNotFoundError as absent:
    sys.exit(f"audit_jax: needs {absent.name}: pip install {absent.name}")

from minipg.audit import Laboratory, Own, Window, lake, run

Apply = Callable[[Any, Any], Any]  # (parameters, obs (..., D)) ↦ logits (..., A)


def laboratory(apply: Apply, params: Any) -> Laboratory:
    """The lake on which this network acts: its π (S, A) as a table of logits, without a bias."""
    lab = lake()
    logits = np.asarray(jax.nn.log_softmax(apply(params, lab.points)))
    return replace(lab, theta=np.append(logits.ravel(), np.zeros(logits.shape[1])))


def own(apply: Apply, params: Any, lab: Laboratory) -> Own:
    """The truth in the network's own parameters, and how they move log π and the entropy."""
    flat, back = ravel_pytree(params)

    def log_probs(x: Any, obs: Any) -> Any:
        return jax.nn.log_softmax(apply(back(x), obs))

    def taken(x: Any, obs: Any, actions: Any) -> Any:
        return log_probs(x, obs)[jnp.arange(len(actions)), actions]

    def mean_entropy(x: Any, obs: Any) -> Any:
        each = log_probs(x, obs)
        return -(jnp.exp(each) * each).sum(-1).mean()

    truth = jax.grad(lambda x: (apply(back(x), lab.points) * lab.head_truth).sum())(flat)
    jacobian, slope = jax.jit(jax.jacobian(taken)), jax.jit(jax.grad(mean_entropy))
    return Own(np.asarray(truth), lambda w: np.asarray(jacobian(flat, w.obs, w.actions)),
               lambda w: np.asarray(slope(flat, w.obs[~w.reset])))  # fmt: skip


def main() -> None:
    """GAE with λ = 0 and right endings, without γ^t, a mean over steps."""
    jax.config.update("jax_enable_x64", True)
    keys = jax.random.split(jax.random.key(0), 2)
    params = [jax.random.normal(keys[0], (4, 8)), jax.random.normal(keys[1], (8, 2))]

    def apply(params: Any, obs: Any) -> Any:
        return jax.nn.relu(obs @ params[0]) @ params[1]

    lab = laboratory(apply, params)

    @jax.jit
    def gradient(params: Any, obs: Any, actions: Any, psi: Any) -> Any:
        def gain(params: Any) -> Any:
            every = jax.nn.log_softmax(apply(params, obs))
            return (every[jnp.arange(len(actions)), actions] * psi).mean()

        return ravel_pytree(jax.grad(gain)(params))[0]

    def estimator(w: Window) -> np.ndarray:
        psi = w.rewards + lab.gamma * np.where(w.terminated, 0, w.next_values) - w.values
        return np.asarray(gradient(params, w.obs, w.actions, psi))

    print(run(estimator, lab, own(apply, params, lab), sizes=(2,)))


if __name__ == "__main__":
    main()
