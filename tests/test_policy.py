"""Policies: scores by complex step, strict shapes, files that survive or refuse."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import RNGS, policies

from minipg.policies import blocks
from minipg.policies.build import gaussian_policy, multi_softmax_policy, softmax_policy
from minipg.policies.gaussian import Gaussian
from minipg.policies.network import MLP
from minipg.policies.policy import Policy
from minipg.policies.policy_file import load_policy, save_policy
from minipg.policies.softmax import Softmax
from minipg.steps.kfac import factors
from minipg.steps.natural import fisher_product
from minipg.truth.check import complex_step, gradient_error


def draw_samples(policy, theta, rng, n=5):
    obs = rng.standard_normal((n, policy.network.sizes[0]))
    actions, log_prob = policy.sample(theta, obs, rng)
    return obs, actions, log_prob


@given(policies(), RNGS)
@pytest.mark.equation("E03", "E05")
@pytest.mark.pitfall(17)
def test_score_is_the_gradient_of_log_prob_in_every_parameter(drawn, rng):
    policy, theta = drawn
    obs, actions, _ = draw_samples(policy, theta, rng)
    score = policy.score(theta, obs, actions)
    assert score.shape == (5, policy.num_params)
    for i, e in enumerate(np.eye(policy.num_params)):
        expected = complex_step(lambda x: policy.log_prob(x, obs, actions), theta, e)
        np.testing.assert_allclose(score[:, i], expected, rtol=1e-9, atol=1e-10)


@given(policies(), RNGS)
def test_weighted_score_is_the_weighted_sum_of_scores(drawn, rng):
    policy, theta = drawn
    obs, actions, _ = draw_samples(policy, theta, rng)
    psi = rng.standard_normal(5)
    expected = psi @ policy.score(theta, obs, actions)
    got = policy.weighted_score(theta, obs, actions, psi)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


@given(policies(), RNGS, st.integers(1, 8), st.sampled_from([np.float32, np.float64]))
def test_samples_in_several_blocks_are_those_in_one(drawn, rng, fit, dtype):
    """η, the gradient and H v of seven samples, `fit` a block; one block is what others test."""
    policy, theta = drawn[0], 0.5 * drawn[1].astype(dtype)
    obs, actions, _ = draw_samples(policy, theta, rng, 7)
    weight, psi = rng.dirichlet(np.ones(7)), rng.standard_normal(7)
    v = rng.standard_normal(len(theta)).astype(dtype)

    def everything():
        return (
            policy.eta(theta, obs),
            policy.eta(theta, obs[:6].reshape(2, 3, -1)),
            policy.weighted_score(theta, obs, actions, psi),
            fisher_product(policy, theta, obs, weight)(v),
            policy.score(theta, obs, actions),  # not summed over blocks
        )

    once = everything()
    np.testing.assert_allclose(once[0], policy.forward(theta, obs)[0], rtol=1e-5)
    np.testing.assert_allclose(once[2], psi @ policy.score(theta, obs, actions), atol=1e-4)
    with pytest.MonkeyPatch.context() as patch:
        sample = max(policy.network.sizes[1:]) * theta.itemsize
        patch.setattr(blocks, "BLOCK", fit * sample + sample - 1)
        assert len(policy.network.blocks(7, dtype)) == -(-7 // fit)
        parts = everything()
    for one, several in zip(once, parts, strict=True):
        assert one.dtype == several.dtype == dtype
        scale = 1 + np.abs(one).max()
        np.testing.assert_allclose(several, one, atol=100 * np.finfo(dtype).eps * scale)


@given(policies(), RNGS)
def test_a_value_head_changes_nothing_of_the_policy(drawn, rng):
    """The same θ with another output and its weights: these get no score and no Fisher matrix."""
    policy, theta = drawn
    *others, outputs = policy.network.sizes
    shared = Policy(MLP((*others, outputs + 1)), policy.head, True)
    both, is_value = np.zeros((2, shared.num_params))
    shared.network.layers(is_value)[-1][:, -1] = 1
    is_value = is_value == 1
    both[~is_value], both[is_value] = theta, rng.standard_normal(is_value.sum())
    obs, actions, log_prob = draw_samples(policy, theta, rng)
    psi, v = rng.standard_normal(5), rng.standard_normal(len(both))
    np.testing.assert_allclose(shared.log_prob(both, obs, actions), log_prob, atol=1e-12)
    np.testing.assert_allclose(shared.forward(both, obs)[0], policy.eta(theta, obs), atol=1e-12)
    for found, wanted in (
        (shared.weighted_score(both, obs, actions, psi),
         policy.weighted_score(theta, obs, actions, psi)),
        (fisher_product(shared, both, obs, psi)(v),
         fisher_product(policy, theta, obs, psi)(v[~is_value])),
    ):  # fmt: skip
        np.testing.assert_allclose(found[~is_value], wanted, atol=1e-10)
        np.testing.assert_array_equal(found[is_value], 0)
    pairs = zip(factors(shared, both, obs).layers, factors(policy, theta, obs).layers, strict=True)
    for (a, g), (wanted_a, wanted_g) in pairs:
        np.testing.assert_allclose(a, wanted_a, atol=1e-12)
        bigger = np.zeros_like(g)
        bigger[: len(wanted_g), : len(wanted_g)] = wanted_g
        np.testing.assert_allclose(g, bigger, atol=1e-10)


@given(policies(), RNGS)
def test_of_no_samples_there_is_nothing_and_its_sum_is_0(drawn, rng):
    policy, theta = drawn
    obs = np.zeros((0, policy.network.sizes[0]))
    actions, log_prob = policy.sample(theta, obs, rng)
    assert policy.log_prob(theta, obs, actions).shape == log_prob.shape == (0,)
    assert policy.score(theta, obs, actions).shape == (0, policy.num_params)
    for total in (policy.weighted_score(theta, obs, actions, log_prob),
                  fisher_product(policy, theta, obs, log_prob)(theta)):  # fmt: skip
        np.testing.assert_array_equal(total, np.zeros(policy.num_params))


@given(policies(), RNGS)
@pytest.mark.pitfall(20)
def test_a_permuted_batch_gives_the_same_gradient(drawn, rng):
    policy, theta = drawn
    obs, actions, _ = draw_samples(policy, theta, rng)
    psi, order = rng.standard_normal(5), rng.permutation(5)
    a = policy.weighted_score(theta, obs, actions, psi)
    b = policy.weighted_score(theta, obs[order], actions[order], psi[order])
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    for wrong in (psi[:, None], psi[None], psi[:4]):
        with pytest.raises(ValueError, match="psi: expected shape"):
            policy.weighted_score(theta, obs, actions, wrong)


@given(policies(), RNGS)
def test_jvp_and_vjp_of_the_head_parameters(drawn, rng):
    policy, theta = drawn
    obs = rng.standard_normal((5, policy.network.sizes[0]))
    eta, tape = policy.forward(theta, obs)
    v, deta = rng.standard_normal(theta.shape), rng.standard_normal(eta.shape)
    change = policy.jvp(theta, tape, v)
    expected = complex_step(lambda x: policy.forward(x, obs)[0], theta, v)
    np.testing.assert_allclose(change, expected, rtol=1e-9, atol=1e-10)
    assert policy.vjp(theta, tape, deta) @ v == pytest.approx((deta * change).sum(), abs=1e-8)


@given(policies(), RNGS)
@pytest.mark.pitfall(10)
def test_log_prob_of_a_sample_is_recomputed_to_the_bit(drawn, rng):
    policy, theta = drawn
    obs, actions, log_prob = draw_samples(policy, theta, rng)
    np.testing.assert_array_equal(policy.log_prob(theta, obs, actions), log_prob)


@given(policies())
def test_acting_draws_what_sample_draws(drawn):
    policy, theta = drawn
    obs, actions, _ = draw_samples(policy, theta, np.random.default_rng(3), 20)
    twin = np.random.default_rng(3)
    twin.standard_normal(obs.shape)
    np.testing.assert_array_equal(policy.actor(theta)(obs, twin), actions)


@given(policies(), RNGS)
def test_any_leading_axes_and_a_single_observation(drawn, rng):
    policy, theta = drawn
    obs = rng.standard_normal((2, 3, policy.network.sizes[0]))
    actions, log_prob = policy.sample(theta, obs, rng)
    assert log_prob.shape == actions.shape[:2] == (2, 3)
    one, _ = policy.sample(theta, obs[0, 0], rng)
    assert one.shape == actions.shape[2:]
    alone = policy.log_prob(theta, obs[1, 2], actions[1, 2])
    assert alone == pytest.approx(log_prob[1, 2], rel=1e-9)


@given(policies(), RNGS)
def test_kl_is_of_the_first_to_the_second_and_entropy_matches_the_head(drawn, rng):
    policy, p = drawn
    q = rng.standard_normal(p.shape)
    obs = rng.standard_normal((5, policy.network.sizes[0]))
    eta_p, eta_q = policy.forward(p, obs)[0], policy.forward(q, obs)[0]
    np.testing.assert_array_equal(policy.kl(p, q, obs), policy.head.kl(eta_p, eta_q))
    np.testing.assert_array_equal(policy.entropy(p, obs), policy.head.entropy(eta_p))


@given(policies())
def test_init_and_named_parameters(drawn):
    policy, _ = drawn
    theta = policy.init(np.random.default_rng(0), output_gain=0.5)
    names = policy.named(theta)
    np.testing.assert_array_equal(np.concatenate([x.ravel() for x in names.values()]), theta)
    assert ("log_std" in names) == (policy.num_log_std > 0)
    assert not names.get("log_std", np.zeros(1)).any()
    with pytest.raises(ValueError, match="read-only"):
        names[list(names)[-1]][0] = 1


@pytest.mark.parametrize("state_dependent", [False, True])
@pytest.mark.parametrize("value_head", [False, True])
def test_the_first_deviation_is_the_one_asked_for(state_dependent, value_head):
    policy = gaussian_policy(3, 2, (4,), state_dependent, value_head)
    theta = policy.init(np.random.default_rng(0), 1e-9, std=0.4)
    eta, _ = policy.forward(theta, np.ones((5, 3)))
    np.testing.assert_allclose(eta, np.tile([0, 0, np.log(0.4), np.log(0.4)], (5, 1)), atol=1e-6)
    if value_head:
        np.testing.assert_allclose(policy.values(theta, np.ones((5, 3))), 0, atol=1e-6)
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="std: expected"):
            policy.init(np.random.default_rng(0), std=bad)
    with pytest.raises(ValueError, match="std: expected with a Gaussian head"):
        softmax_policy(3, 2).init(np.random.default_rng(0), std=0.4)


@given(policies(), RNGS)
def test_saved_and_loaded(tmp_path_factory, drawn, rng):
    policy, theta = drawn
    path = tmp_path_factory.mktemp("p") / "parameters.npz"
    save_policy(path, policy, theta.astype(np.float32))
    loaded, loaded_theta = load_policy(path)
    assert loaded == policy
    assert loaded_theta.dtype == np.float32
    np.testing.assert_array_equal(loaded_theta, theta.astype(np.float32))
    assert [p.name for p in path.parent.iterdir()] == ["parameters.npz"]


def test_a_truncated_or_foreign_file_is_refused(tmp_path):
    path = tmp_path / "parameters.npz"
    policy = softmax_policy(3, 2, (4,))
    theta = policy.init(np.random.default_rng(0))
    save_policy(path, policy, theta)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"parameters\.npz: expected a whole \.npz file"):
            load_policy(path)
    with pytest.raises(ValueError, match="expected a whole"):
        load_policy(tmp_path / "none.npz")
    np.save(tmp_path / "x.npy", theta)
    with pytest.raises(ValueError, match="expected a whole"):
        load_policy(tmp_path / "x.npy")
    np.savez(path, theta=np.array([object()]), sizes=[3, 2], head="Softmax")
    with pytest.raises(ValueError, match="expected a whole"):
        load_policy(path)  # a pickle is not loaded
    for wrong, message in (
        ({"theta": theta}, "lacks"),
        (
            {"theta": theta[1:], "sizes": [3, 4, 2], "head": "Softmax", "value_head": False},
            "theta: expected shape",
        ),
        (
            {"theta": theta * np.nan, "sizes": [3, 4, 2], "head": "Softmax", "value_head": False},
            "theta: expected fini",
        ),
        ({"theta": theta, "sizes": [3.5, 2.5], "head": "Softmax", "value_head": False}, "whole"),
        (
            {
                "theta": theta.astype(int),
                "sizes": [3, 4, 2],
                "head": "Softmax",
                "value_head": False,
            },
            "theta: expected floating",
        ),
        ({"theta": theta, "sizes": [3], "head": "Softmax", "value_head": False}, "sizes"),
        ({"theta": theta, "sizes": [3, 4, 2], "head": "Beta", "value_head": False}, "head"),
        *(
            (
                {
                    "theta": theta,
                    "sizes": [3, 4, 2],
                    "head": "MultiSoftmax",
                    "value_head": False,
                    **nvec,
                },
                message,
            )
            for nvec, message in (
                ({}, r"head: expected the fields \['nvec'\] of MultiSoftmax"),
                ({"nvec": np.zeros(0, int)}, r"nvec: expected 1 or more whole numbers, got \[\]"),
                ({"nvec": [2, 0]}, "nvec: expected a whole number of 1 or more, got 0"),
                ({"nvec": [[2]]}, r"nvec: expected a whole number of 1 or more, got \[2\]"),
                ({"nvec": [2.0]}, "nvec: expected a whole number of 1 or more, got 2.0"),
                (
                    {"nvec": [True, True, True, True]},
                    "nvec: expected a whole number of 1 or more, got T",
                ),
                ({"nvec": [2, 1]}, "network: expected 3 outputs"),
                ({"nvec": [2**63 - 1, 2]}, "network: expected"),
            )
        ),
    ):
        np.savez(path, **wrong)
        with pytest.raises(ValueError, match=message):
            load_policy(path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "parameters.npz"
    policy = softmax_policy(3, 2)
    save_policy(path, policy, np.zeros(8))

    def full_disk(*args, **kwargs):
        raise OSError("no space")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_policy(path, policy, np.ones(8))
    assert not load_policy(path)[1].any()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "policy", [softmax_policy(3, 2, (4,)), gaussian_policy(3, 2), multi_softmax_policy(3, (2, 3))]
)
def test_bad_input_is_named(policy):
    theta = policy.init(np.random.default_rng(0))
    obs = np.zeros((5, 3))
    actions, _ = policy.sample(theta, obs, np.random.default_rng(0))
    psi = np.zeros(5)
    broken = theta.copy()
    broken[-1] = np.nan
    for arguments, message in (
        ((theta[1:], obs, actions, psi), r"theta: expected shape \(\d+,\), got"),
        ((theta[None], obs, actions, psi), "theta: expected shape"),
        ((broken, obs, actions, psi), r"theta: expected finite numbers, got 1 of \d+"),
        ((theta, obs[:, :2], actions, psi), "obs: expected 3 numbers"),
        ((np.ones(theta.shape, int), obs, actions, psi), "theta: expected floating-point"),
        ((theta, obs * np.nan, actions, psi), "obs: expected finite"),
        ((theta, obs, actions, psi * np.nan), "psi: expected finite"),
        ((theta, np.float64(1), actions, psi), "obs: expected 3 numbers"),
        ((theta, obs, actions[:4], psi), "actions: expected shape"),
        ((theta, obs, actions[..., None], psi), "actions: expected shape"),
    ):
        with pytest.raises(ValueError, match=message):
            policy.weighted_score(*arguments)
        if message.startswith(("theta", "obs")):
            for call in (policy.eta, lambda theta, obs: policy.actor(theta)(obs, None)):
                with pytest.raises(ValueError, match=message):
                    call(*arguments[:2])


@pytest.mark.parametrize("policy", [softmax_policy(3, 3, (4,)), gaussian_policy(3, 2, (4,))])
def test_head_parameters_and_scores_lie_features_first(policy):
    rng = np.random.default_rng(0)
    theta, obs = policy.init(rng), rng.standard_normal((5, 3))
    eta, _ = policy.forward(theta, obs)
    score = policy.head.score(eta, policy.head.sample(eta, rng))
    for array in (eta, policy.eta(theta, obs), score):
        assert array.T.flags.c_contiguous


def test_the_parameters_by_name_are_read_only_parts_of_theta():
    policy = gaussian_policy(3, 2, (4,))
    theta = np.arange(policy.num_params, dtype=float)
    names = policy.named(theta)
    assert list(names) == ["W0", "b0", "W1", "b1", "log_std"]
    np.testing.assert_array_equal(np.concatenate([x.ravel() for x in names.values()]), theta)
    for view in names.values():
        with pytest.raises(ValueError, match="read-only"):
            view += 1
    theta += 1  # θ itself is the caller's


def test_bad_actions_are_named():
    softmax, gaussian = softmax_policy(1, 2), gaussian_policy(1, 1)
    obs, one = np.zeros((1, 1)), np.zeros(1)
    for actions, message in ((np.array([2]), "0 … 1"), (np.array([-1]), "0 … 1"), (one, "whole")):
        with pytest.raises(ValueError, match=f"actions: expected .*{message}"):
            softmax.log_prob(np.zeros(4), obs, actions)
    with pytest.raises(ValueError, match="actions: expected finite"):
        gaussian.log_prob(np.zeros(3), obs, np.full((1, 1), np.nan))
    many, zeros = multi_softmax_policy(1, (2, 3)), np.zeros(10)
    for actions, message in (([2, 2], "below"), ([-1, 0], "below"), ([0.0, 1.0], "whole")):
        with pytest.raises(ValueError, match=f"actions: expected .*{message}"):
            many.log_prob(zeros, obs, np.array([actions]))
    with pytest.raises(ValueError, match=r"expected shape \(1, 2\), got \(1, 1\)"):
        many.log_prob(zeros, obs, np.zeros((1, 1), int))
    with pytest.raises(ValueError, match="softmax head"):
        many.probs(zeros, obs)
    with pytest.raises(ValueError, match="softmax head"):
        gaussian.probs(np.zeros(3), obs)
    with pytest.raises(ValueError, match="network: expected 4 outputs"):
        Policy(MLP((1, 3)), Gaussian(2))
    with pytest.raises(ValueError, match="network: expected 4 outputs"):
        Policy(MLP((1, 3)), Softmax(4))


def test_mean_log_prob_by_finite_differences_in_float64_of_a_large_network():
    rng = np.random.default_rng(0)
    policy = softmax_policy(8, 4, (64, 64))
    theta = policy.init(rng, 1.0)
    obs, actions, _ = draw_samples(policy, theta, rng, 100)
    gradient = policy.weighted_score(theta, obs, actions, np.full(100, 0.01))
    error = gradient_error(lambda x: policy.log_prob(x, obs, actions).mean(), gradient, theta, rng)
    assert error < 1e-8


@pytest.mark.parametrize("depends", [False, True])
def test_a_gaussian_s_file_of_before_its_head_wrote_its_fields_is_read(tmp_path, depends):
    """Its d is what the network's outputs leave: all of them, or half where σ is among them."""
    policy = gaussian_policy(3, 2, (4,), state_dependent_std=depends)
    theta = policy.init(np.random.default_rng(0), 1.0)
    path = tmp_path / "parameters.npz"
    np.savez(path, theta=theta, sizes=np.array(policy.network.sizes), head=np.array("Gaussian"),
             value_head=np.array(False))  # fmt: skip
    loaded, kept = load_policy(path)
    assert loaded == policy
    np.testing.assert_array_equal(kept, theta)
