"""Section 5, TRPO: E26, E28, E30."""

import numpy as np

from claims.problem import Problem, Row, claim, worst
from minipg import exact


@claim("E26", "P(T|π) = p(s_0) Π π p sums to 1, with the marginals of the chain")
def trajectory_probabilities(p: Problem) -> Row:
    alive, chain = p.start.start, p.start.chain(p.pi).T.tocsr()
    error = abs(p.batch.weight.sum() - 1)
    for t, states in enumerate(p.states[:-1]):
        weight = p.batch.weight * p.batch.valid[t]
        marginal = np.bincount(states, weight, p.start.num_states)
        error = worst(error, np.abs(marginal - alive).max())
        alive = chain @ alive
    return Row(f"{len(p.batch.weight)} trajectories, each step's states", float(error), 1e-12)


@claim("E28", "J = E_{s_0} V^π(s_0): E[R | s_0] = V^π(s_0)")
def objective_from_start_values(p: Problem) -> Row:
    by_start = np.bincount(p.states[0], p.batch.weight * p.total[0], p.start.num_states)
    starts = p.start.start > 0
    error = p.error(by_start[starts] / p.start.start[starts], p.values[starts])
    return Row(f"{starts.sum()} start states", error, 1e-10)


@claim("E30", "d_π = (1−γ) Σ γ^t P(s_t = s) is a distribution, whole table")
def visitation_is_a_distribution(p: Problem) -> Row:
    pi = p.policy.probs(p.theta, p.mdp.features)
    d = exact.visitation(p.mdp, pi)
    chain, steps = p.mdp.chain(pi).T.tocsr(), 1000
    rest, alive, summed = d[:-1], p.mdp.start, np.zeros(p.mdp.num_states)
    for t in range(steps):
        summed += (1 - p.mdp.gamma) * p.mdp.gamma**t * alive
        rest, alive = p.mdp.gamma * (chain @ rest), chain @ alive
    ended = 1.0  # with γ = 1 all of it lies after the end
    if p.mdp.gamma < 1:
        ends = 1 - p.mdp.chain(pi).sum(1)  # P(end | s)
        ended = p.mdp.gamma * (d[:-1] @ ends) / (1 - p.mdp.gamma)
    error = worst(np.abs(d[:-1] - summed - rest).max(), -d.min(), abs(d[-1] - ended))
    return Row(f"solve vs Σ of {steps} steps + the rest, and the mass that ended", error, 1e-10)
