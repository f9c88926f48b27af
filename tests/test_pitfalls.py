"""Published bugs, planted in our own source: each property holds, and fails on the planted copy."""

import inspect
import types

import numpy as np
import pytest
from test_rollout import Toy, vector

import minipg.algorithms.reinforce
import minipg.distributions
import minipg.network
import minipg.policy
import minipg.rollout
from minipg import exact
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
    batch, _ = exact.enumerate_trajectories(mdp, policy.probs(theta, mdp.features))
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


def weights_are_orthogonal_with_their_gain(network):
    """WᵀW = gain² I where W is tall, WWᵀ where it is wide: √2 hidden, as asked in the last."""
    for sizes in ((7, 5, 3), (3, 5, 7)):
        mlp = network.MLP(sizes)
        layers = mlp.layers(mlp.init(np.random.default_rng(0), output_gain=0.3))
        for (w, b), gain in zip(layers, (np.sqrt(2), 0.3), strict=True):
            small = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
            np.testing.assert_allclose(small, gain**2 * np.eye(min(w.shape)), atol=1e-12)
            assert not b.any()


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
    (23, minipg.rollout, observations_are_copies, "np.array(value, dtype)",
     "np.asarray(value, dtype)"),
    (25, minipg.rollout, the_seed_determines_the_run, "seed=int(rng.integers(2**31))", "seed=None"),
    (26, minipg.rollout, actions_start_where_the_space_does, "actions + space.start", "actions"),
    (29, minipg.network, weights_are_orthogonal_with_their_gain, "(gain * (q", "(1.0 * (q"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "check", "right", "wrong"),
    [pytest.param(*row, marks=pytest.mark.pitfall(number), id=str(number))
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
