"""Section 5, the theory: E26, E28–E37, a footnote."""

import numpy as np

from minipg.claims.problem import Problem, worst
from minipg.claims.rows import ALPHA, Row, claim, skip
from minipg.estimators.returns import discounts, reward_to_go
from minipg.estimators.surrogate import batch_surrogate, batch_surrogate_gradient, ratio
from minipg.experience import enumeration
from minipg.experience.batch import Batch
from minipg.truth import exact, performance
from minipg.truth.check import check_mean
from minipg.validate import Array


@claim("E26", "sums to 1, with the marginals of the chain")
def trajectory_probabilities(p: Problem) -> Row:
    alive, chain = p.start.start, p.start.chain(p.pi).T.tocsr()
    error = abs(p.batch.weight.sum() - 1)
    for t, states in enumerate(p.states[:-1]):
        weight = p.batch.weight * p.batch.valid[t]
        marginal = np.bincount(states, weight, p.start.num_states)
        error = worst(error, np.abs(marginal - alive).max())
        alive = chain @ alive
    return Row(f"{len(p.batch.weight)} trajectories, each step's states", float(error), 1e-12)


@claim("E28", "E[R | s_0] = V^π(s_0)")
def objective_from_start_values(p: Problem) -> Row:
    by_start = np.bincount(p.states[0], p.batch.weight * p.total[0], p.start.num_states)
    starts = p.start.start > 0
    error = p.error(by_start[starts] / p.start.start[starts], p.values[starts])
    return Row(f"{starts.sum()} start states", error, 1e-10)


@claim("E30", "whole table")
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


def _pair(p: Problem) -> tuple[Array, Array]:
    """π̃ and π on the whole table (S, A)."""
    new, pi = (p.policy.probs(x, p.mdp.features) for x in (p.other(p.rng), p.theta))
    return new, pi


@claim("E29", "whole table and by enumeration")
def performance_identity(p: Problem) -> Row:
    new, pi = _pair(p)
    before = float(exact.objective(p.mdp, pi))
    solved = float(exact.objective(p.mdp, new)) - before
    got = performance.performance_difference(p.mdp, new, pi)
    theta = p.other(p.rng)
    new = p.policy.probs(theta, p.start.features)
    batch, states = enumeration.enumerate_trajectories(p.start, new)
    gamma_t = p.start.gamma ** np.arange(len(batch.rewards))[:, None] * batch.valid
    advantage = p.action_values - p.values[:, None]
    enumerated = batch.weight @ (gamma_t * advantage[states[:-1], batch.actions]).sum(0)
    difference = exact.objective(p.start, new) - exact.objective(p.start, p.pi)
    scale = max(abs(before), abs(solved), 1e-300)
    error = worst(abs(got - solved) / scale, p.error(enumerated, difference))
    return Row(f"difference {solved:.4g}", error, 1e-9)


@claim("E31", "whole table")
def over_visits(p: Problem) -> Row:
    return _over_visits(p, weighted=False)


@claim("E32", "whole table")
def over_visits_weighted(p: Problem) -> Row:
    return _over_visits(p, weighted=True)


def _over_visits(p: Problem, weighted: bool) -> Row:
    new, pi = _pair(p)
    weight = pi * (new / pi) if weighted else new
    gain = (weight * exact.advantages(p.mdp, pi)).sum(1)
    if p.mdp.gamma == 1:  # d_π/(1−γ) is the number of visits, where d_π is 0
        got, slide = (float(exact.visits(p.mdp, x, 1.0) @ gain) for x in (new, pi))
    else:
        d_new, d = (exact.visitation(p.mdp, x)[:-1] for x in (new, pi))
        got, slide = (float(x @ (gain / (1 - p.mdp.gamma))) for x in (d_new, d))
    before = float(exact.objective(p.mdp, pi))
    truth = float(exact.objective(p.mdp, new)) - before
    scale = max(abs(before), abs(truth), 1e-300)
    told = f"{got:.4g}; with d_π, as the slide first writes, {slide:.4g}"
    return Row(told, abs(got - truth) / scale, 1e-9)


@claim("E33", "from a batch of π, with its Σ γ^t")
def surrogate_of_a_batch(p: Problem) -> Row:
    theta, psi = p.other(p.rng), p.q - p.v[:-1]
    first = psi * (np.arange(len(psi)) == 0)[:, None]
    got, bare, one = (batch_surrogate(p.policy, theta, p.batch, x)
                      for x in (p.gamma_t * psi, psi, first))  # fmt: skip
    solved = performance.surrogate(p.start, p.policy.probs(theta, p.start.features), p.pi)
    return Row(f"enumeration vs solve, L = {solved:.4g}; without γ^t {bare:.4g}, the first step "
               f"alone {one:.4g}", p.error(got, solved), 1e-9)  # fmt: skip


@claim("E33", "from rollouts of π alone, without a critic: E Σ γ^t (π̃/π − 1) G_t")
def surrogate_sampled(p: Problem) -> Row:
    theta = p.other(p.rng)
    truth = np.array(
        [performance.surrogate(p.start, p.policy.probs(theta, p.start.features), p.pi)]
    )

    def samples(batch: Batch) -> Array:  # one a game (B, 1)
        to_go = reward_to_go(batch.rewards, batch.ends, p.start.gamma)
        psi = batch.valid * discounts(batch.ends, p.start.gamma) * to_go
        return (psi * (ratio(p.policy, theta, batch) - 1)).sum(0)[:, None]

    width, drawn = np.ptp(samples(p.batch), axis=0), samples(p.played)
    verdict = check_mean(drawn, truth, width, ALPHA)
    power = not check_mean(drawn, 0 * truth, width, ALPHA).accepted
    return Row(f"{len(drawn)} episodes, false alarm ≤ {ALPHA:g}; "
               f"{'refuses' if power else 'too few to refuse'} L = 0",
               verdict.distance, verdict.radius)  # fmt: skip


@claim("E34", "KL(π̃‖π) and KL(π‖π̃) alike")
def error_bound(p: Problem) -> Row:
    new, pi = _pair(p)
    if p.mdp.gamma == 1:
        return skip("γ = 1: C is infinite")
    error = abs(performance.performance_difference(p.mdp, new, pi)
                - performance.surrogate(p.mdp, new, pi))  # fmt: skip
    error = max(0.0, error - 1e-12 * float(np.abs(exact.state_values(p.mdp, pi)).max()))  # rounding
    largest = [float(performance.kl(*x).max()) for x in ((new, pi), (pi, new))]
    bound = performance.penalty(p.mdp, pi) * min(largest)
    return Row(f"whole table: max KL {largest[0]:.3g} and {largest[1]:.3g}, error {error:.3g}, "
               f"bound {bound:.3g}; error: their ratio",
               error / max(bound, 1e-300), 1.0)  # fmt: skip


@claim("E35")
def surrogate_gradient(p: Problem) -> Row:
    got = batch_surrogate_gradient(p.policy, p.theta, p.batch, p.gamma_t * (p.q - p.v[:-1]))
    return Row("enumeration vs exact ∇J", p.error(got, p.gradient), 1e-9)


@claim("E36", "its steps are tiny (footnote 6)")
def monotone(p: Problem) -> Row:
    pi = p.policy.probs(p.theta, p.mdp.features)
    if p.mdp.gamma == 1:
        return skip("γ = 1: C is infinite, no step")
    objectives, moved = [float(exact.objective(p.mdp, pi))], 0.0
    for _ in range(3):
        new = performance.improve(p.mdp, pi)
        moved = max(moved, float(np.abs(new - pi).max()))
        objectives.append(float(exact.objective(p.mdp, new)))
        pi = new
    fall = max(0.0, -float(np.diff(objectives).min())) / max(abs(objectives[0]), 1e-300)
    return Row(f"three steps, J {objectives[0]:.6g} → {objectives[-1]:.6g}, largest change of a "
               f"probability {moved:.2g}; error: how far J fell", fall, 1e-12)  # fmt: skip


@claim("E37")
def mean_below_max(p: Problem) -> Row:
    new, pi = _pair(p)
    mean, largest = performance.mean_kl(p.mdp, new, pi, pi), performance.kl(new, pi).max()
    return Row(
        f"whole table: mean {mean:.3g}, maximum {largest:.3g}; error: their ratio",
        mean / largest,
        1.0,
    )
