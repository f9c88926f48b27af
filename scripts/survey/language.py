"""Losses of language models: a library's answers on every batch of a tree's responses, named.

Axes: M batches, Q prompts, G responses to each, B = Q·G, T tokens, K possible responses.
"""

from typing import NamedTuple

import numpy as np

from minipg.audit import Named, Probe, Responses, identify, library
from minipg.commands.groups import tree
from minipg.estimators import responses
from minipg.estimators.group_moments import batch_moments
from minipg.estimators.score_function import gradients
from minipg.experience import enumeration
from minipg.policies.build import softmax_policy
from minipg.truth import exact
from minipg.validate import Array

ARRAYS = ("returns", "lengths", "prompt")
PROBES, PROMPTS = 12, 2


class Language(NamedTuple):
    """The tree that `minipg groups` prints, G responses a prompt: what may be said (K,), the
    gradient (P,), and the batches that are asked, PROBES of any numbers and then every one."""

    size: int
    returns: Array
    lengths: Array
    scores: Array
    prompt: Array
    prob: Array
    gradient: Array


def language(size: int, seed: int = 0) -> Language:
    """Of the policy that a seed draws."""
    mdp = tree()
    policy = softmax_policy(mdp.num_states, mdp.num_actions)
    theta = policy.init(np.random.default_rng(seed), 1.0)
    batch, states = enumeration.enumerate_trajectories(mdp, policy.probs(theta, mdp.features))
    returns, lengths = responses(batch)
    scores = gradients(policy, theta, batch, np.ones(batch.rewards.shape))
    gradient = exact.policy_gradient(mdp, policy, theta)
    return Language(size, returns, lengths, scores, states[0], batch.weight, gradient)


def moments(lab: Language, method) -> tuple[Array, Array]:
    """Exact mean (P,) and covariance of the gradient of a loss, whose method is asked for ψ."""
    return batch_moments(method, lab.returns, lab.lengths, lab.scores, lab.prompt, lab.prob,
                         lab.size)  # fmt: skip


def asked(lab: Language) -> dict[str, Array]:
    """returns, lengths, prompt (M, B) of every batch that a library is asked for."""
    rng, kept = np.random.default_rng(0), []

    def keep(returns: Array, lengths: Array) -> Array:
        kept.extend((returns, lengths))
        return returns

    moments(lab, keep)
    shape = PROBES, PROMPTS * lab.size
    some = rng.normal(size=shape) * (rng.random(shape) < 0.7)  # a reward may be 0
    drawn = some, rng.integers(1, 5, shape)
    both = [np.vstack([d, k.reshape(-1, shape[1])]) for d, k in zip(drawn, kept, strict=True)]
    prompt = np.broadcast_to(np.repeat(np.arange(PROMPTS), lab.size), both[0].shape)
    return dict(zip(ARRAYS, (*both, prompt), strict=True))


class Row(NamedTuple):
    """named, and of its exact mean: bias, length in ‖∇J‖, cosine; variance in ‖∇J‖²."""

    named: Named
    bias: float
    length: float
    cosine: float
    variance: float


def charted(lab: Language, files: dict[str, Array], answers: Array) -> Row:
    """From the derivatives by each token's log π (M, B, T), 0 beyond a response's end."""
    within = np.arange(answers.shape[2]) < files["lengths"][:, :, None]
    first = answers[:, :, :1]
    probes = [Probe(Responses(*(files[x][i] for x in ARRAYS))) for i in range(PROBES)]
    named = identify(library(probes, 1.0), [answers[i][within[i]] for i in range(PROBES)])
    size = np.abs(answers).max()
    if np.abs(np.where(within, answers - first, 0)).max() > 1e-5 * size:
        raise ValueError("answers: expected one number for all tokens of a response, got more")
    psi = first[PROBES:, :, 0].reshape(-1, PROMPTS, lab.size) * PROMPTS * lab.size
    mean, covariance = moments(lab, lambda returns, lengths: psi)
    norm, length = np.linalg.norm(lab.gradient), np.linalg.norm(mean)
    return Row(named, float(np.linalg.norm(mean - lab.gradient) / norm), float(length / norm),
               float(mean @ lab.gradient / norm / length),
               float(np.trace(covariance) / norm**2))  # fmt: skip
