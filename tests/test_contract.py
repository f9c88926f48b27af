"""What a stranger's estimator is given and must return: exact moments, verdicts, refusals."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from strategies import RNGS, problems
from test_lqr import problems as lqr_problems
from test_reinforce import two_step_tables

from minipg.claims import Problem
from minipg.estimators.baselines import constant_baseline
from minipg.estimators.returns import discounts, gae, reward_to_go, td_error, total_return
from minipg.estimators.score_function import gradient, gradients
from minipg.experience import enumeration
from minipg.experience.batch import columns, moments
from minipg.experience.rollout import play_episodes
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.problems import lqr
from minipg.problems.lqr_env import LQRVectorEnv
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import exact
from minipg.truth.contract import check_exact, estimates, exact_moments, sampler
from minipg.truth.verdict import assert_unbiased, check_unbiased


def total(p, batch):
    return total_return(batch.rewards, batch.ends, p.start.gamma)


def reinforce(p):
    """One estimate an episode (B, P)."""
    return lambda batch: gradients(p.policy, p.theta, batch, total(p, batch))


def of_batch(p, baseline=lambda batch, psi: 0.0):
    """One estimate a batch (P,)."""

    def estimator(batch):
        psi = total(p, batch)
        return gradient(p.policy, p.theta, batch, psi - baseline(batch, psi))

    return estimator


def shared(leave_one_out):
    return lambda batch, psi: constant_baseline(batch, psi, leave_one_out)


@st.composite
def small(draw):
    """At most 16 trajectories of two steps, two parameters a state or a hidden layer."""
    mdp, rng = draw(two_step_tables()), draw(RNGS)
    policy = softmax_policy(2, 2, draw(st.sampled_from([(), (2,)])))
    return Problem(mdp, mdp, policy, rng.standard_normal(policy.num_params), 0)


def close(got, want, scale=1.0):
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * scale)


@given(problems())
@pytest.mark.equation("E05", "E06")
def test_the_exact_mean_is_grad_j_and_both_forms_agree(p):
    assume(len(p.batch.weight) <= 300)
    scale = np.abs(p.estimates).max(initial=1.0)
    want = moments(p.estimates, p.batch.weight)
    for estimator in (reinforce(p), of_batch(p)):
        mean, covariance = exact_moments(estimator, p.batch)
        close(mean, p.gradient, scale)
        close(mean, want[0], scale)
        close(covariance, want[1], scale**2)
        verdict = check_exact(estimator, p.batch, p.gradient)
        assert_unbiased(verdict)
        assert verdict.n == len(p.batch.weight)


@given(problems(), RNGS)
@pytest.mark.pitfall(8)
def test_a_known_bias_is_found_exactly(p, rng):
    """γ^t dropped; ∇J doubled; a shift. The distance is the bias, refused where above rounding."""
    truth, scale = p.gradient, np.abs(p.estimates).max(initial=1.0)
    dropped = exact.policy_gradient(p.start, p.policy, p.theta, discounted_visits=False)
    shift = rng.standard_normal(len(truth))
    for estimator, mean in (
        (lambda batch: gradients(p.policy, p.theta, batch, reward_to_go(
            batch.rewards, batch.ends, p.start.gamma)), dropped),
        (lambda batch: 2 * reinforce(p)(batch), 2 * truth),
        (lambda batch: reinforce(p)(batch) + shift, truth + shift),
    ):  # fmt: skip
        verdict = check_exact(estimator, p.batch, truth)
        close(verdict.mean, mean, scale)
        assert verdict.distance == pytest.approx(np.linalg.norm(mean - truth), abs=1e-9 * scale)
        if np.linalg.norm(mean - truth) > 1e-7 * scale:
            assert not verdict.unbiased


@given(small())
@pytest.mark.equation("E06", "E08")
@pytest.mark.pitfall(38)
def test_two_games_that_share_a_baseline(p):
    """The mean of both halves ∇J: E ½ Σ_i y_i (R_i − R_j)/2; that of the other game does not."""
    scale = np.abs(p.estimates).max(initial=1.0)

    def mean_of_both(batch, psi):
        return psi[0].mean()

    close(exact_moments(of_batch(p, mean_of_both), p.batch, 2)[0], p.gradient / 2, scale)
    right = check_exact(of_batch(p, shared(True)), p.batch, p.gradient, 2)
    assert_unbiased(right)
    close(right.mean, p.gradient, scale)
    one, two = exact_moments(reinforce(p), p.batch), exact_moments(of_batch(p), p.batch, 2)
    close(two[1], one[1] / 2, scale**2)
    close(exact_moments(reinforce(p), p.batch, 2)[1], one[1] / 2, scale**2)


@given(lqr_problems(horizons=(1, 2), most=1))
@pytest.mark.equation("E05")
def test_the_exact_mean_of_gaussian_reinforce_is_grad_j(drawn):
    problem, policy, theta = drawn
    batch = enumeration.quadrature(problem, policy, theta, nodes=6)

    def estimator(batch):
        return gradients(policy, theta, batch, total_return(batch.rewards, batch.ends,
                                                            problem.gamma))  # fmt: skip

    assert check_exact(estimator, batch, lqr.policy_gradient(problem, theta)).unbiased
    assert not check_exact(lambda b: 1.001 * estimator(b), batch,
                           lqr.policy_gradient(problem, theta)).unbiased  # fmt: skip


@given(small())
def test_an_estimator_may_write_to_its_batch(p):
    def careless(batch):
        each = reinforce(p)(batch)
        batch.rewards[:] = 7.0
        batch.obs[:] = 0.0
        return each

    before = [getattr(p.batch, f.name).copy() for f in dataclasses.fields(p.batch)]
    close(exact_moments(careless, p.batch)[0], p.gradient, np.abs(p.estimates).max(initial=1))
    for f, was in zip(dataclasses.fields(p.batch), before, strict=True):
        np.testing.assert_array_equal(getattr(p.batch, f.name), was)


@pytest.fixture(scope="module")
def p():
    """Two steps, rewards on every transition, 32 trajectories."""
    table = TabularMDP.from_arrays(
        np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.1, 0.9]]]),
        np.array([[1.0, 0.0], [-1.0, 2.0]]), np.array([0.7, 0.3]), 0.5,
    ).unroll(2)  # fmt: skip
    policy = softmax_policy(2, 2)
    return Problem(table, table, policy, policy.init(np.random.default_rng(0), 1.0), 0)


NOT_ESTIMATES = [
    (lambda each, batch: each * np.nan, "estimate: expected finite"),
    (lambda each, batch: np.where(batch.rewards[0][:, None] > 1, np.inf, each), "expected finite"),
    (lambda each, batch: each[:, :, None], r"estimate: expected shape \(P,\) or \(B, P\)"),
    (lambda each, batch: each[:, :0], "estimate: expected shape"),
    (lambda each, batch: each.sum(), "estimate: expected shape"),
    (lambda each, batch: np.vstack([each, each[:1]]), "estimate: expected shape"),
    (lambda each, batch: [[1.0], [1.0, 2.0]], "estimate: expected shape"),
    (lambda each, batch: None, "estimate: expected shape"),
    (lambda each, batch: each * 1j, "estimate: expected real"),
]


@pytest.mark.parametrize(("change", "message"), NOT_ESTIMATES)
def test_what_is_no_gradient_is_refused(p, change, message):
    def estimator(batch):
        return change(reinforce(p)(batch), batch)

    with pytest.raises(ValueError, match=message):
        exact_moments(estimator, p.batch)
    with pytest.raises(ValueError, match=message):
        exact_moments(estimator, p.batch, 2)
    with pytest.raises(ValueError, match=message):
        sampler(estimator, play(p))(50, np.random.default_rng(0))


def test_gradients_of_unlike_length_are_refused(p):
    def estimator(batch):
        return np.ones(2 + (batch.rewards[0, 0] > 0)) * batch.rewards[0, 0]

    with pytest.raises(ValueError, match="estimate: expected shape"):
        exact_moments(estimator, p.batch)


@pytest.mark.parametrize(
    "baseline",
    [shared(False), shared(True), lambda batch, psi: psi.max(), lambda batch, psi: psi[:, :1],
     lambda batch, psi: psi * (1 - 1 / (1e-8 + psi.std()))],
)  # fmt: skip
def test_one_estimate_an_episode_must_not_depend_on_the_others(p, baseline):
    """As (B, P) it is refused, by enumeration and by sampling; as (P,) it has moments."""

    def estimator(batch):
        psi = total(p, batch)
        return gradients(p.policy, p.theta, batch, psi - baseline(batch, psi))

    for attempt in (
        lambda: exact_moments(estimator, p.batch),
        lambda: estimates(estimator, columns(p.batch, np.arange(3))),
        lambda: sampler(estimator, play(p))(50, np.random.default_rng(0)),
    ):
        with pytest.raises(ValueError, match="where episodes share something"):
            attempt()
    exact_moments(lambda batch: estimator(batch).mean(0), p.batch, 2)


def test_a_baseline_of_the_episode_before_is_refused(p):
    """The first has none and is the largest here: asked alone it does not change."""
    order = np.abs(reinforce(p)(p.batch)).max(1).argsort()[::-1]

    def estimator(batch):
        psi = total(p, batch)
        psi[:, 1:] -= 1e-3 * psi[:, :-1]
        return gradients(p.policy, p.theta, batch, psi)

    batch = columns(p.batch, order)
    assert np.abs(estimator(batch)).max(1).argmax() == 0
    with pytest.raises(ValueError, match="where episodes share something"):
        estimates(estimator, batch)


def test_rounding_that_depends_on_the_batch_is_no_dependence(p):
    """A sum in another order, 1e-7 of the largest estimate, beside an estimate of 0."""

    def estimator(batch):
        each = reinforce(p)(batch)
        return each + 1e-7 * largest / len(batch.weight) * np.arange(each.shape[1])

    size = np.abs(reinforce(p)(p.batch)).max(1)
    batch, largest = columns(p.batch, size.argsort()), size.max()
    batch = dataclasses.replace(
        batch, rewards=batch.rewards * (np.arange(len(size)) > 0)
    )  # the first has none
    np.testing.assert_array_equal(reinforce(p)(batch)[0], 0)
    assert estimates(estimator, batch).shape == (len(size), p.theta.size)


def test_a_dependence_among_tiny_estimates_is_refused(p):
    def estimator(batch):
        psi = total(p, batch)
        return 1e-12 * gradients(p.policy, p.theta, batch, psi - psi.mean())

    with pytest.raises(ValueError, match="where episodes share something"):
        exact_moments(estimator, p.batch)


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_a_constant_is_refused_even_the_right_one(p, scale):
    constant = scale * p.gradient
    for estimator in (lambda batch: constant,
                      lambda batch: np.tile(constant, (len(batch.weight), 1))):  # fmt: skip
        for games in (1, 2):
            with pytest.raises(ValueError, match="a constant"):
                exact_moments(estimator, p.batch, games)
        with pytest.raises(ValueError, match="times the same"):
            check_unbiased(sampler(estimator, play(p)), p.gradient, 0.1, np.random.default_rng(0))


def test_a_right_estimator_without_variance_is_none(p):
    """Rewards all 0: every estimate is 0, and right. One trajectory: nothing else could happen."""
    free = dataclasses.replace(p.batch, rewards=np.zeros_like(p.batch.rewards))
    for estimator, games in ((reinforce(p), 1), (of_batch(p), 1), (of_batch(p, shared(True)), 2)):
        assert check_exact(estimator, free, np.zeros_like(p.theta), games).unbiased
    one = TabularMDP.from_arrays(np.ones((1, 1, 1)), np.ones((1, 1)), np.ones(1), 0.5).unroll(3)
    batch, _ = enumeration.enumerate_trajectories(one, np.ones((one.num_states, 1)))
    assert len(batch.weight) == 1
    assert check_exact(lambda batch: np.zeros(2), batch, np.zeros(2)).unbiased
    assert not check_exact(lambda batch: np.ones(2), batch, np.zeros(2)).unbiased


def test_what_is_no_enumeration_is_refused(p):
    half = dataclasses.replace(p.batch, weight=p.batch.weight / 2)
    with pytest.raises(ValueError, match="sum of the batch's weight"):
        exact_moments(reinforce(p), half)
    with pytest.raises(ValueError, match="games"):
        exact_moments(reinforce(p), p.batch, 0)
    with pytest.raises(ValueError, match=f"at most 100 calls, got {len(p.batch.weight) ** 2}"):
        exact_moments(of_batch(p), p.batch, 2, most=100)
    with pytest.raises(ValueError, match="truth: expected shape"):
        check_exact(reinforce(p), p.batch, p.gradient[:-1])


def test_where_all_estimates_are_rounding_the_reward_is_the_scale(p):
    """Rewards 0.05 and 0.1 at γ = ½: R − V and ∇J are 0, whatever is left of them is rounding."""
    same = dataclasses.replace(p.batch, rewards=np.array([[0.05], [0.1]]) * p.batch.valid)

    def off_by(error):
        def estimator(batch):
            return gradients(p.policy, p.theta, batch, total(p, batch) - 0.1) + error

        return check_exact(estimator, same, np.zeros_like(p.theta))

    assert off_by(1e-17).unbiased
    assert not off_by(1e-12).unbiased
    for share, unbiased in ((0.9, True), (1.1, False)):  # of 1e-9 · 1e-4 · 0.1
        assert off_by(share * 1e-14 * np.eye(len(p.theta))[0]).unbiased is unbiased


def test_the_tolerance_is_1e_9_of_the_root_mean_square_of_an_estimate(p):
    size = np.sqrt(p.batch.weight @ (reinforce(p)(p.batch) ** 2).sum(1))
    for share, unbiased in ((0.9e-9, True), (1.1e-9, False)):
        shift = share * size * np.eye(len(p.gradient))[0]
        verdict = check_exact(lambda batch, by=shift: reinforce(p)(batch) + by, p.batch, p.gradient)
        assert verdict.unbiased is unbiased


def test_float32_needs_its_own_tolerance(p):
    def single(batch):
        return reinforce(p)(batch).astype(np.float32)

    assert not check_exact(single, p.batch, p.gradient).unbiased
    assert check_exact(single, p.batch, p.gradient, tolerance=1e-5).unbiased


def play(p):
    return lambda n, rng: play_episodes(TabularVectorEnv(p.start, n), p.policy, p.theta, rng)


def test_the_bridge_gives_each_group_of_games_its_estimate(p):
    batch = play(p)(12, np.random.default_rng(3))
    for games in (1, 3):
        for estimator in (reinforce(p), of_batch(p), of_batch(p, shared(True))):
            got = sampler(estimator, play(p), games)(12 // games, np.random.default_rng(3))
            want = [np.atleast_2d(estimator(columns(batch, np.arange(i, i + games)))).mean(0)
                    for i in range(0, 12, games)]  # fmt: skip
            close(got, np.stack(want))
    with pytest.raises(ValueError, match="play: expected 8 columns, got 12"):
        sampler(reinforce(p), lambda n, rng: batch, 2)(4, np.random.default_rng(0))
    with pytest.raises(ValueError, match="games"):
        sampler(reinforce(p), play(p), 0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.equation("E05", "E24")
def test_sampled_verdicts_on_a_table(p, seed):
    """Six right ones are refused with probability ≤ 6e-6; each wrong one is missed with ≤ 1e-3."""
    truth, gamma = p.gradient, p.start.gamma

    def psi_of(batch, late=0):
        states = np.where(batch.obs[:, :, 0] > 0.5, 0, 1) + 2 * np.arange(len(batch.obs))[:, None]
        delta = td_error(batch.rewards, p.values[states], batch.terminated, batch.valid, gamma)
        delta = np.vstack([delta[late:], np.zeros_like(delta[:late])])
        return discounts(batch.ends, gamma) * gae(delta, batch.ends, gamma, 0.5)

    def verdict(estimator, off, games=1):
        sample = sampler(estimator, play(p), games)
        return check_unbiased(sample, truth, off, np.random.default_rng(seed))

    size = 0.5 * np.linalg.norm(truth)
    assert_unbiased(verdict(reinforce(p), size))
    assert_unbiased(verdict(lambda b: gradients(p.policy, p.theta, b, psi_of(b)), size))

    def off_by_one(batch):
        return gradients(p.policy, p.theta, batch, psi_of(batch, late=1))

    bias = check_exact(off_by_one, p.batch, truth).distance
    assert not verdict(off_by_one, bias).unbiased
    assert not verdict(lambda batch: reinforce(p)(batch) / 2, size, 2).unbiased


def test_sampled_verdicts_on_a_linear_quadratic_problem():
    """Refused though right with probability ≤ 1e-6; the dropped half of log σ missed ≤ 1e-3."""
    problem = lqr.LQR(F=np.array([[0.9]]), G=np.array([[0.5]]), Q=np.eye(1), R=np.eye(1),
                      W=0.1 * np.eye(1), mean=np.ones(1), C=0.1 * np.eye(1), gamma=0.9,
                      horizon=2)  # fmt: skip
    policy, theta = gaussian_policy(1, 1), np.array([-0.3, 0.1, -0.5])
    truth = lqr.policy_gradient(problem, theta)

    def estimator(batch):
        psi = discounts(batch.ends, 0.9) * reward_to_go(batch.rewards, batch.ends, 0.9)
        return gradients(policy, theta, batch, psi)

    def games(n, rng):
        return play_episodes(LQRVectorEnv(problem, n), policy, theta, rng)

    rng, bias = np.random.default_rng(0), np.linalg.norm(truth) / 2
    assert_unbiased(check_unbiased(sampler(estimator, games), truth, bias, rng))
    wrong = sampler(lambda batch: estimator(batch) * [1, 1, 0], games)
    assert not check_unbiased(wrong, truth, abs(truth[2]), rng).unbiased


def test_the_limits_of_an_exact_verdict(p):
    """Weights of 1 ± 2e-6, tolerances outside [0, 1]; at the limits it judges; n counts batches."""
    for off in (-2e-6, 2e-6):
        with pytest.raises(ValueError, match="sum of the batch's weight"):
            exact_moments(
                reinforce(p), dataclasses.replace(p.batch, weight=p.batch.weight * (1 + off))
            )
    for tolerance in (-1e-12, 1.0001, np.nan):
        with pytest.raises(ValueError, match="tolerance"):
            check_exact(reinforce(p), p.batch, p.gradient, tolerance=tolerance)
    assert not check_exact(of_batch(p, shared(False)), p.batch, p.gradient, 2, tolerance=0).unbiased
    assert check_exact(reinforce(p), p.batch, 1.5 * p.gradient, tolerance=1).unbiased
    count = len(p.batch.weight)
    assert check_exact(reinforce(p), p.batch, p.gradient).n == count
    assert check_exact(of_batch(p, shared(True)), p.batch, p.gradient, games=2).n == count**2


@pytest.mark.parametrize("unit", [1e-200, 1e-160, 1e160, 1e200])
def test_verdicts_are_the_same_in_every_unit_of_the_rewards(p, unit):
    """Estimates whose squares over- or underflow: the right one passes, γ^t dropped does not."""
    batch = dataclasses.replace(p.batch, rewards=p.batch.rewards * unit)
    right, wrong = reinforce(p), lambda batch: 1.01 * reinforce(p)(batch)
    for estimator in (right, wrong):
        plain = check_exact(estimator, p.batch, p.gradient)
        got = check_exact(estimator, batch, p.gradient * unit)
        assert got.unbiased == plain.unbiased == (estimator is right)
        if not plain.unbiased:
            assert got.distance == pytest.approx(plain.distance * unit, rel=1e-6)
    mean, _ = exact_moments(right, p.batch)
    if unit > 1:
        with pytest.raises(ValueError, match="covariance .estimates are too large: another unit"):
            exact_moments(right, dataclasses.replace(batch, rewards=batch.rewards * 1e50))
    else:
        np.testing.assert_allclose(exact_moments(right, batch)[0], mean * unit, rtol=1e-9)

    def sample(n, rng, factor):
        return unit * (factor + rng.random((n, 2)) - 0.5)

    truth = np.array([unit, 0.0])
    for factor, unbiased in ((np.array([1.0, 0]), True), (np.array([1.0, 0.1]), False)):
        got = check_unbiased(lambda n, rng, f=factor: sample(n, rng, f), truth, 0.05 * unit,
                             np.random.default_rng(0))  # fmt: skip
        assert got.unbiased == unbiased
        assert 0 < got.radius < 0.1 * unit
        np.testing.assert_allclose(got.mean, unit * factor, atol=0.05 * unit)


def test_an_estimator_that_draws_at_random_itself_is_refused():
    """Its mean would not be exact; one that shares episodes, and one that has one each."""
    table = TabularMDP.from_arrays(
        np.full((2, 2, 2), 0.5), np.eye(2), np.array([1.0, 0.0]), 0.5
    ).unroll(1)
    batch, _ = enumeration.enumerate_trajectories(table, np.full((table.num_states, 2), 0.5))
    rng = np.random.default_rng(0)
    for estimator in (lambda b: (b.rewards.sum(0) * rng.random())[:, None],
                      lambda b: b.rewards.sum()[None] * rng.random()):  # fmt: skip
        with pytest.raises(ValueError, match="when asked again|among fewer"):
            check_exact(estimator, batch, np.zeros(1))
