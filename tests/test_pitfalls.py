"""Published bugs, planted in our own source: each property holds, and fails on the planted copy."""

import inspect
import types

import numpy as np
import pytest
from test_rollout import Toy, vector

import minipg.algorithms.actor_critic
import minipg.algorithms.reinforce
import minipg.critic
import minipg.distributions
import minipg.estimators
import minipg.kfac
import minipg.network
import minipg.optim
import minipg.policy
import minipg.returns
import minipg.rollout
from minipg import enumeration, exact
from minipg.batch import Batch
from minipg.check import complex_step
from minipg.mdp import TabularMDP
from minipg.policy import gaussian_policy, softmax_policy

Module = types.ModuleType


def play(rollout: Module, envs, seed=0):
    policy = minipg.rollout.policy_for(envs, ())
    theta = policy.init(np.random.default_rng(seed), 1.0)
    return policy, theta, rollout.play_episodes(envs, policy, theta, np.random.default_rng(seed))


def reset_rows_are_no_data(rollout):
    batch = play(rollout, vector(8))[2]
    assert batch.valid.sum(0).tolist() == batch.obs[0, :, 1].tolist()


def gradient_of_the_discounted_objective(reinforce):
    transition = np.full((2, 2, 2), [0.3, 0.7])
    mdp = TabularMDP.from_arrays(transition, np.arange(4.0).reshape(2, 2), np.eye(2)[0], 0.5)
    mdp, policy = mdp.unroll(3), softmax_policy(2, 2)
    theta = np.linspace(-1, 1, 6)
    batch, _ = enumeration.enumerate_trajectories(mdp, policy.probs(theta, mdp.features))
    got = reinforce.estimate(policy, theta, batch, reinforce.Settings(gamma=0.5, baseline="none"))
    np.testing.assert_allclose(got, exact.policy_gradient(mdp, policy, theta), atol=1e-10)


def log_prob_is_of_the_raw_action(rollout):
    envs = rollout.adapt(vector(4, action_space=minipg.rollout.Box(-0.1, 0.1, (2,), np.float32)))
    policy, theta, batch = play(rollout, envs)
    again = policy.log_prob(theta, batch.obs[:-1], batch.actions)
    np.testing.assert_array_equal(again, batch.log_prob)


def log_std_is_among_the_parameters(policy_module):
    description = gaussian_policy(2, 2)
    policy = policy_module.Policy(description.network, description.head)
    theta, obs = np.linspace(-1, 1, policy.num_params), np.ones((1, 2))
    a = np.array([[0.5, -2.0]])
    score = policy.score(theta, obs, a)[0]
    for e, got in zip(np.eye(len(theta)), score, strict=True):
        assert got == pytest.approx(complex_step(lambda x: policy.log_prob(x, obs, a)[0], theta, e))


def dimensions_add_up(distributions):
    eta, a = np.array([[0.1, 0.2, -0.3, 0.4]]), np.array([[1.0, -1.0]])
    one = distributions.Gaussian(1)
    parts = one.log_prob(eta[:, ::2], a[:, :1]) + one.log_prob(eta[:, 1::2], a[:, 1:])
    assert distributions.Gaussian(2).log_prob(eta, a) == pytest.approx(parts)


def shapes_are_strict(policy_module):
    description = softmax_policy(2, 2)
    policy = policy_module.Policy(description.network, description.head)
    actions, psi = np.array([0, 1, 1]), np.arange(3.0)
    refused = False
    try:
        policy.weighted_score(np.zeros(6), np.ones((3, 2)), actions, psi[:, None])
    except ValueError as error:
        refused = "psi: expected shape (3)" in str(error)
    assert refused


def observations_are_copies(rollout):
    """Columns hold t = 0, 1, 2 … though the environment writes into one buffer."""
    obs = play(rollout, vector(copy=False))[2].obs[:2, 0, 0]
    assert obs.tolist() == [0.0, 1.0]


def the_seed_determines_the_run(rollout):
    one, two = (play(rollout, vector(8))[2] for _ in range(2))
    assert one.obs.tobytes() == two.obs.tobytes()


def actions_start_where_the_space_does(rollout):
    play(rollout, vector(8, action_space=minipg.rollout.Discrete(2, start=5)))  # the toy asserts


def the_fisher_factor_is_of_the_policy_s_own_actions(kfac):
    """G of a linear softmax policy at one observation is diag(π) − ππᵀ."""
    policy, theta = softmax_policy(2, 3), np.linspace(-1, 1, 9)
    obs = np.array([[0.5, -1.0]])
    g = kfac.factors(policy, theta, obs).layers[0][1]
    pi = policy.probs(theta, obs)[0]
    np.testing.assert_allclose(g, np.diag(pi) - np.outer(pi, pi))


def weights_are_orthogonal_with_their_gain(network):
    """WᵀW = gain² I where W is tall, WWᵀ where it is wide: √2 hidden, as asked in the last."""
    for sizes in ((7, 5, 3), (3, 5, 7)):
        mlp = network.MLP(sizes)
        layers = mlp.layers(mlp.init(np.random.default_rng(0), output_gain=0.3))
        for (w, b), gain in zip(layers, (np.sqrt(2), 0.3), strict=True):
            small = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
            np.testing.assert_allclose(small, gain**2 * np.eye(min(w.shape)), atol=1e-12)
            assert not b.any()


def ending_batch() -> Batch:
    """Two columns of five steps: a truncation, a termination, both at once, resets between."""
    rng = np.random.default_rng(0)
    terminated, truncated, valid = (np.zeros((5, 2), bool) for _ in range(3))
    truncated[1, 0] = terminated[2, 1] = terminated[4, 0] = truncated[4, 0] = True
    valid[:] = True
    valid[2, 0] = valid[3, 1] = False
    return Batch(
        rng.standard_normal((6, 2, 2)), np.zeros((5, 2), int), np.where(valid, 1.0, 0.0),
        terminated, truncated, valid, np.zeros((5, 2)), np.full(2, 0.5),
    )  # fmt: skip


def advantages_of(module, values):
    """The module's λ = 0.5, γ = 0.9 advantages of ending_batch under a critic's values (6, 2)."""

    class Table:
        def values(self, phi, theta, obs):
            return values

    return module.advantage(Table(), None, None, ending_batch(), 0.9, 0.5)


def a_constant_reward_leaves_no_advantage_at_a_truncation(critic):
    got = advantages_of(critic, np.full((6, 2), 10.0))
    assert got[0, 0] == pytest.approx(0)
    assert got[1, 0] == pytest.approx(0)


def episodes_do_not_leak(critic):
    """What happens after an ending does not change what came before."""
    values = np.random.default_rng(1).standard_normal((6, 2))
    later = values.copy()
    later[3:, 0] += 100.0
    np.testing.assert_allclose(advantages_of(critic, values)[:2, 0],
                               advantages_of(critic, later)[:2, 0])  # fmt: skip


def a_terminal_on_the_time_limit_has_no_value_after_it(critic):
    values = np.zeros((6, 2))
    values[5, 0] = 100.0
    assert advantages_of(critic, values)[4, 0] == pytest.approx(1.0)


def gae_is_its_sum(returns):
    """δ and Σ (γλ)^i δ written out with a V that differs in every state, no ending."""
    r, v = np.arange(4.0)[:, None], 1.0 + np.arange(5.0)[:, None] ** 2
    ends = np.array([[False], [False], [True], [False]])
    delta = returns.td_error(r, v, ends, np.ones((4, 1), bool), 0.5)
    expected = np.array([0 + 0.5 * 2 - 1, 1 + 0.5 * 5 - 2, 2 - 5, 3 + 0.5 * 17 - 10])
    np.testing.assert_allclose(delta[:, 0], expected)
    sums = [expected[0] + 0.25 * expected[1] + 0.0625 * expected[2],
            expected[1] + 0.25 * expected[2], expected[2], expected[3]]  # fmt: skip
    np.testing.assert_allclose(returns.gae(delta, ends, 0.5, 0.5)[:, 0], sums)


def advantages_scale_with_rewards_and_values(returns):
    r, v, flags = np.ones((3, 1)), np.arange(4.0)[:, None], np.zeros((3, 1), bool)
    one = returns.td_error(r, v, flags, ~flags, 0.9)
    np.testing.assert_allclose(returns.td_error(10 * r, 10 * v, flags, ~flags, 0.9), 10 * one)


def one_sample_normalizes_to_zero(returns):
    with np.errstate(all="ignore"):
        assert returns.normalize(np.array([[3.0]]), np.array([[True]])).tolist() == [[0.0]]


def normalization_is_used(algorithm):
    """With ψ scaled the first step of plain ascent is another."""
    steps = []
    for normalize in (False, True):
        envs = minipg.rollout.adapt(vector(4))
        settings = algorithm.Settings(normalize=normalize, optimiser="sgd", n_steps=8)
        loop = algorithm.actor_critic(envs, softmax_policy(2, 2), np.zeros(6), settings, 32,
                                      np.random.default_rng(0))  # fmt: skip
        steps.append(next(loop)[0].theta)
    assert not np.allclose(*steps)


def the_ratio_starts_at_one_to_the_bit(estimators):
    policy, theta, batch = play(minipg.rollout, vector(8))
    assert (estimators.importance_weight(policy, theta, batch) == 1).all()


def the_density_integrates_to_one(distributions):
    a = np.linspace(-40, 40, 200_001)[:, None]
    eta = np.tile([0.3, 0.2], (len(a), 1))
    total = np.exp(distributions.Gaussian(1).log_prob(eta, a)).sum() * (a[1, 0] - a[0, 0])
    assert total == pytest.approx(1, abs=1e-9)


def absorbing_statistics_changes_no_argument(policy_module):
    theta = np.ones(6)
    description = softmax_policy(2, 2)
    policy = policy_module.Policy(description.network, description.head)
    policy_module.absorb_normalization(policy, theta, np.ones(2), np.full(2, 2.0))
    assert theta.tolist() == [1.0] * 6


def rmsprop_is_its_closed_form(optim):
    new, square = optim.rmsprop(np.zeros(1), np.array([2.0]), np.ones(1), 0.5, 0.9, 0.1)
    assert square == pytest.approx([0.9 + 0.1 * 4])
    assert new == pytest.approx([0.5 * 2 / (np.sqrt(1.3) + 0.1)])


def the_critic_s_gradient_keeps_its_target_constant(critic):
    """Complex step of ½ (V − y)²; were y = r + γV(s′) followed, a term of −γ would come in."""
    v = critic.VCritic(minipg.network.MLP((2, 1)))
    phi, obs, y = np.array([0.3, -0.2, 0.1]), np.ones((1, 2)), np.array([2.0])
    got = v.gradient(phi, np.zeros(0), obs, np.zeros(1), y, y)
    for e, g in zip(np.eye(3), got, strict=True):
        slope = complex_step(lambda x: 0.5 * (obs[0] @ x[:2] + x[2] - y[0]) ** 2, phi, e)
        assert g == pytest.approx(slope)


PLANTED = [
    (7, minipg.rollout, reset_rows_are_no_data,
     "truncated & valid, valid, log_prob)", "truncated & valid, valid | True, log_prob)"),
    (8, minipg.algorithms.reinforce, gradient_of_the_discounted_objective,
     "settings.gamma if settings.gamma_t else 1.0", "1.0"),
    (10, minipg.rollout, log_prob_is_of_the_raw_action,
     "        received, rewards,",
     "        log_prob = policy.log_prob(theta, obs, np.clip(actions, -0.1, 0.1))\n"
     "        received, rewards,"),
    (17, minipg.policy, log_std_is_among_the_parameters,
     "deta[..., self.num_outputs :].sum(-2)", "0 * deta[..., self.num_outputs :].sum(-2)"),
    (18, minipg.distributions, dimensions_add_up,
     "0.5 * LOG_2PI).sum(-1)", "0.5 * LOG_2PI).mean(-1)"),
    (20, minipg.policy, shapes_are_strict,
     'check_shape("psi", psi, obs.shape[:-1])', "pass"),
    (23, minipg.rollout, observations_are_copies, "np.array(obs, theta.dtype)",
     "np.asarray(obs, theta.dtype)"),
    (25, minipg.rollout, the_seed_determines_the_run, "seed=int(rng.integers(2**31))", "seed=None"),
    (26, minipg.rollout, actions_start_where_the_space_does, "actions + space.start", "actions"),
    (1, minipg.critic, a_constant_reward_leaves_no_advantage_at_a_truncation,
     "values, batch.terminated,", "values, batch.terminated | batch.truncated,"),
    (2, minipg.critic, episodes_do_not_leak,
     "gae(delta, batch.ends,", "gae(delta, 0 * batch.ends,"),
    (3, minipg.critic, a_terminal_on_the_time_limit_has_no_value_after_it,
     "values, batch.terminated,", "values, batch.terminated & ~batch.truncated,"),
    (4, minipg.returns, gae_is_its_sum, "going_on * values[1:]", "going_on * values[:-1]"),
    (5, minipg.returns, gae_is_its_sum, "after * going_on[t]", "after * going_on[t - 1]"),
    (6, minipg.returns, gae_is_its_sum, "after = np.zeros_like(total[0])", "after = 1.0 * x[-1]"),
    (9, minipg.returns, one_sample_normalizes_to_zero, "(chosen.std() + 1e-8)", "chosen.std()"),
    (9, minipg.algorithms.actor_critic, normalization_is_used,
     "psi = normalize(psi, batch.valid)", "psi = psi"),
    (11, minipg.estimators, the_ratio_starts_at_one_to_the_bit,
     "batch.obs[:-1], batch.actions) - batch.log_prob",
     "batch.obs[1:], batch.actions) - batch.log_prob"),
    (19, minipg.distributions, the_density_integrates_to_one,
     "z = (actions - mu) * np.exp(-log_std)\n        return (-0.5",
     "z = (np.arcsinh(actions) - mu) * np.exp(-log_std)\n        return (-0.5"),
    (21, minipg.returns, advantages_scale_with_rewards_and_values,
     "- values[:-1])", "- np.clip(values[:-1], -1, 1))"),
    (22, minipg.policy, absorbing_statistics_changes_no_argument,
     "absorbed = theta.astype(np.float64)", "absorbed = theta"),
    (24, minipg.optim, rmsprop_is_its_closed_form,
     "gradient / (np.sqrt(square) + eps)", "gradient / np.sqrt(square + eps)"),
    (30, minipg.critic, the_critic_s_gradient_keeps_its_target_constant,
     "error = (y[:, 0] - target)", "error = (1 - 0.9) * (y[:, 0] - target)"),
    (27, minipg.kfac, the_fisher_factor_is_of_the_policy_s_own_actions,
     "root = policy.head.fisher_root(eta)[..., : policy.num_outputs, :]",
     "root = policy.head.score(eta, np.zeros(len(eta), int))[..., None]"),
    (29, minipg.network, weights_are_orthogonal_with_their_gain, "(gain * (q", "(1.0 * (q"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "check", "right", "wrong"),
    [pytest.param(*row, marks=pytest.mark.pitfall(number), id=f"{number} {row[1].__name__}")
     for number, *row in PLANTED],
)  # fmt: skip
def test_the_property_holds_and_catches_the_planted_bug(module, check, right, wrong):
    check(module)
    source = inspect.getsource(module)
    assert source.count(right) == 1
    planted = types.ModuleType(module.__name__)
    planted.__file__ = module.__file__
    exec(compile(source.replace(right, wrong), module.__file__, "exec"), planted.__dict__)
    with pytest.raises((AssertionError, IndexError)):
        check(planted)


def test_the_toy_says_what_it_is_told():
    """The action check that row 26 relies on."""
    env = Toy(action_space=minipg.rollout.Discrete(2, start=-1))
    env.reset(seed=0)
    with pytest.raises(AssertionError):
        env.step(1)
