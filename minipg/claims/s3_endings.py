"""Section 3: its critics' sizes, and on a stream that ends and begins again E14 and E15."""

import numpy as np

from minipg.claims.problem import Problem, worst
from minipg.claims.rows import Row, claim
from minipg.estimators.action_critics import make_critic
from minipg.estimators.critics import td_errors, value_critic
from minipg.experience.batch import Batch
from minipg.truth.check import complex_step, gradient_error


def stream(p: Problem, rng: np.random.Generator) -> Batch:
    """Twelve steps of eight columns with every ending, a reset after each; of random states."""
    shape = 12, 8
    terminated, truncated = rng.random((2, *shape)) < 0.25
    valid = np.ones(shape, bool)
    for t in range(1, len(valid)):
        valid[t] = ~(valid[t - 1] & (terminated | truncated)[t - 1])
    rewards = np.where(valid, rng.standard_normal(shape), 0.0)
    obs = p.mdp.features[rng.integers(p.mdp.num_states, size=(13, 8))]
    obs = obs / max(1.0, float(np.abs(obs).max()))
    none = np.zeros(shape)
    return Batch(obs, none.astype(int), rewards, terminated & valid, truncated & valid, valid,
                 none, np.full(8, 1 / 8))  # fmt: skip


@claim("E14", "V counts where a time limit or the window cuts, not after a termination")
def ends_of_episodes(p: Problem) -> Row:
    rng = p.own_rng("E14")
    batch, critic, gamma = stream(p, rng), value_critic(p.policy), p.mdp.gamma
    phi = rng.standard_normal(critic.network.num_params)
    got, _ = td_errors(critic, phi, p.theta, batch, gamma)
    v, error = critic.values(phi, p.theta, batch.obs), np.abs(got * ~batch.valid).max()
    for t, b in np.argwhere(batch.valid):  # written out
        after = 0.0 if batch.terminated[t, b] else v[t + 1, b]
        error = worst(error, abs(got[t, b] - (batch.rewards[t, b] + gamma * after - v[t, b])))
    ends = batch.terminated.sum(), (batch.truncated & ~batch.terminated).sum()
    return Row(f"δ of a critic on a stream, {ends[0]} terminations and {ends[1]} truncations, "
               "each row", float(error / np.abs(v).max()), 1e-12)  # fmt: skip


@claim("E13", "V has one output and the fewest parameters (footnote 5)")
def the_least_complex(p: Problem) -> Row:
    found = {kind: make_critic(kind, p.policy).init(p.own_rng("E13"), float).size
             for kind in ("v", "q", "compatible")}  # fmt: skip
    more = [size for kind, size in found.items() if kind != "v"]
    return Row(f"parameters: V(s) {found['v']}, Q(s, ·) {found['q']}, A_w beside its V "
               f"{found['compatible']}; error: 1 if V has not the fewest",
               float(found["v"] >= min(more)), 0.0)  # fmt: skip


@claim("E15", "a step's gradient is that of ½ mean (V − y)², y held")
def step_of_the_critic(p: Problem) -> Row:
    rng = p.own_rng("E15")
    batch, critic = stream(p, rng), value_critic(p.policy)
    phi = rng.standard_normal(critic.network.num_params)
    y = 3 * rng.standard_normal(batch.rewards.shape)
    obs = batch.obs[:-1][batch.valid]

    def loss(x: np.ndarray) -> np.ndarray:
        return 0.5 * ((critic.values(x, p.theta, obs) - y[batch.valid]) ** 2).mean()

    g = critic.gradient(phi, p.theta, batch, y, y)
    error = gradient_error(loss, g, phi, rng, difference=complex_step) / float(np.linalg.norm(g))
    return Row(f"vs complex step, {len(obs)} samples", error, 1e-9)
