"""Hypothesis strategies: random tables, policies, problems and patterns of endings."""

from functools import reduce

import numpy as np
from hypothesis import strategies as st

from minipg.claims import Problem
from minipg.policies.build import gaussian_policy, multi_softmax_policy, softmax_policy
from minipg.policies.multi_softmax import MultiSoftmax
from minipg.policies.policy import Policy
from minipg.policies.softmax import Softmax
from minipg.problems.mdp import TabularMDP

SEEDS = st.integers(0, 2**32 - 1)
RNGS = SEEDS.map(np.random.default_rng)
NVECS = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
HIDDEN = st.lists(st.integers(1, 4), max_size=2).map(tuple)
GAMMAS = st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0])


@st.composite
def mdps(draw: st.DrawFn, gammas: st.SearchStrategy[float] = GAMMAS) -> TabularMDP:
    """2–4 states, 2–3 actions; the end is a flag of the transition, rewards are of any sign."""
    n, a = draw(st.integers(2, 4)), draw(st.integers(2, 3))
    gamma, rng = draw(gammas), draw(RNGS)
    s, act, s2, end = (x.ravel() for x in np.indices((n, a, n, 2)))
    prob = rng.exponential(size=(n * a, 2 * n)) * (rng.random((n * a, 2 * n)) < 0.5)
    prob[:, 1] += 0.1  # every row may end, so that γ = 1 is allowed
    prob = (prob / prob.sum(1, keepdims=True)).ravel()
    reward = draw(st.sampled_from([1.0, 100.0])) * rng.standard_normal(len(prob))
    start = rng.dirichlet(np.ones(n)) * (rng.random(n) < 0.7)
    start = start / start.sum() if start.any() else np.eye(n)[0]
    features = None if draw(st.booleans()) else rng.standard_normal((n, draw(st.integers(1, 3))))
    return TabularMDP.from_entries(s * a + act, s2, prob, reward, end == 1, start, gamma, features,
                                   a)  # fmt: skip


@st.composite
def problems(draw: st.DrawFn, **kwargs: object) -> Problem:
    """A random table unrolled 1–3 steps under a linear, one- or two-hidden-layer softmax policy."""
    mdp = draw(mdps(**kwargs))  # type: ignore[arg-type]
    policy = softmax_policy(mdp.features.shape[1], mdp.num_actions, draw(HIDDEN))
    theta = draw(RNGS).standard_normal(policy.num_params)
    most = 3 if mdp.num_states * mdp.num_actions <= 6 else 2
    return Problem(mdp, mdp.unroll(draw(st.integers(1, most))), policy, theta, draw(SEEDS), 2_000)


@st.composite
def policies(draw: st.DrawFn, actions: str = "any") -> tuple[Policy, np.ndarray]:
    """A policy of any head (or of one: "softmax", "multi", "gaussian") and a θ."""
    obs_size, hidden = draw(st.integers(1, 3)), draw(HIDDEN)
    kinds = ["softmax", "multi", "gaussian"] if actions == "any" else [actions]
    kind = draw(st.sampled_from(kinds))
    if kind == "softmax":
        policy = softmax_policy(obs_size, draw(st.integers(2, 4)), hidden)
    elif kind == "multi":
        policy = multi_softmax_policy(obs_size, draw(NVECS.filter(lambda n: max(n) > 1)), hidden)
    else:
        policy = gaussian_policy(obs_size, draw(st.integers(1, 3)), hidden, draw(st.booleans()))
    return policy, draw(RNGS).standard_normal(policy.num_params)


@st.composite
def endings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """rewards and ends (T, B), T and B from 1, with any pattern of endings."""
    shape = (draw(st.integers(1, 8)), draw(st.integers(1, 3)))
    rng = draw(RNGS)
    return rng.standard_normal(shape), rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 1.0]))


def nodes(head, eta, order=8):
    """Actions (M, n or M, d) and weights (M,) with E f = Σ w f, for one η (K,)."""
    if isinstance(head, Softmax):
        return np.arange(head.n), head.probs(eta)
    if isinstance(head, MultiSoftmax):
        actions = np.stack(np.meshgrid(*map(np.arange, head.nvec), indexing="ij"), -1)
        logits = np.split(eta, np.cumsum(head.nvec)[:-1])
        probs = [Softmax(n).probs(x) for n, x in zip(head.nvec, logits, strict=True)]
        return actions.reshape(-1, len(probs)), reduce(np.multiply.outer, probs).ravel()
    z, w = np.polynomial.hermite_e.hermegauss(order)
    grid = np.stack(np.meshgrid(*[z] * head.d, indexing="ij"), -1).reshape(-1, head.d)
    weights = np.stack(np.meshgrid(*[w / w.sum()] * head.d, indexing="ij"), -1)
    mu, log_std = head.split(eta)
    return mu + np.exp(log_std) * grid, weights.reshape(-1, head.d).prod(1)
