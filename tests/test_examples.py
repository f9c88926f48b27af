"""Examples with other frameworks: skipped where a framework is not installed, never needed."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import RNGS, mdps

from minipg.estimators.baselines import constant_baseline
from minipg.estimators.returns import discounts, reward_to_go
from minipg.estimators.score_function import gradient
from minipg.policies.build import softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.truth.contract import exact_moments

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="module")
def torch_estimator():
    pytest.importorskip("torch")
    import torch_estimator

    return torch_estimator


@pytest.fixture(scope="module")
def sb3_a2c():
    pytest.importorskip("stable_baselines3")
    import sb3_a2c

    return sb3_a2c


def found(te, mdp, horizon, rng):
    """∇J, what else a test compares with, and the exact mean of each row by its name and size."""
    mdp = replace(mdp, given_features=None)
    policy = softmax_policy(mdp.num_states, mdp.num_actions, (3,))
    theta = rng.standard_normal(policy.num_params)
    batch, truth, rows = te.problem(mdp, horizon, policy, theta)

    def mean(name, games=1):
        (estimator,) = [e for n, g, e in rows if (n, g) == (name, games)]
        return exact_moments(estimator, batch, games)[0]

    return mdp.unroll(horizon), policy, theta, batch, truth, mean


@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 4), RNGS)
def test_torch_s_parameters_are_theta_in_the_documented_order(torch_estimator, d, h, a, rng):
    torch = pytest.importorskip("torch")
    policy = softmax_policy(d, a, (h,))
    theta, obs = rng.standard_normal(policy.num_params), rng.standard_normal((7, d))
    net = torch_estimator.network(policy, theta)
    assert (torch_estimator.flat(net.parameters()) == theta).all()
    logits = net(torch.tensor(obs)).detach().numpy()
    np.testing.assert_allclose(logits, policy.forward(theta, obs)[0], rtol=0, atol=1e-12)


@given(mdps(gammas=st.just(0.9)), RNGS)
@settings(max_examples=8)
@pytest.mark.equation("E05", "E10", "E47")
@pytest.mark.pitfall(8, 11)
def test_torch_s_reinforce_and_ppo_have_mean_grad_j(torch_estimator, mdp, rng):
    start, policy, theta, _, truth, mean = found(torch_estimator, mdp, 2, rng)
    tolerance = 1e-9 * max(1.0, np.abs(start.reward).max())
    for name in ("REINFORCE γ^t G", "PPO γ^t A"):
        np.testing.assert_allclose(mean(name), truth, rtol=0, atol=tolerance)
    undiscounted = exact.policy_gradient(start, policy, theta, discounted_visits=False)
    np.testing.assert_allclose(mean("PPO A, γ^t dropped"), undiscounted, rtol=0, atol=tolerance)


@pytest.mark.equation("E08")
@pytest.mark.pitfall(9)
@pytest.mark.filterwarnings("ignore:std:UserWarning")
def test_torch_s_baselines_have_their_exact_bias(torch_estimator):
    lake = TabularMDP.from_env(gym.make("FrozenLake-v1", desc=["SF", "HG"], is_slippery=False), 0.9)
    rng = np.random.default_rng(0)
    _, policy, theta, batch, truth, mean = found(torch_estimator, lake, 2, rng)

    def ours(leave_one_out):
        def estimator(batch):
            to_go = reward_to_go(batch.rewards, batch.ends, 0.9)
            psi = to_go - constant_baseline(batch, to_go, leave_one_out)
            return gradient(policy, theta, batch, discounts(batch.ends, 0.9) * psi)

        return exact_moments(estimator, batch, 2)[0]

    np.testing.assert_allclose(mean("REINFORCE γ^t (G − mean of the other)", 2), truth, atol=1e-9)
    naive = mean("REINFORCE γ^t (G − mean of both)", 2)
    np.testing.assert_allclose(naive, ours(leave_one_out=False), rtol=0, atol=1e-9)
    assert np.linalg.norm(naive - truth) > 0.3 * np.linalg.norm(truth)
    for name in ("REINFORCE G normalised", "PPO γ^t A normalised"):
        assert np.linalg.norm(mean(name, 2) - truth) > 0.1 * np.linalg.norm(truth)
    with pytest.raises(ValueError, match="for other rewards: a constant"):
        mean("PPO γ^t A, bug: π_old not detached")  # it is 0 for every episode
    with pytest.raises(ValueError, match="estimate: expected finite numbers"):
        mean("REINFORCE G normalised", 1)  # torch's std of an episode of one step is NaN


@pytest.mark.equation("E18", "E19", "E22")
@pytest.mark.pitfall(8)
def test_the_bias_of_sb3_s_a2c_is_what_its_parts_are_in_closed_form(sb3_a2c):
    torch, n = pytest.importorskip("torch"), 2
    model, mdp = sb3_a2c.make_model(seed=1, n_steps=n, gamma=0.9)
    policy, theta = sb3_a2c.policy_of(model, mdp)
    rows = sb3_a2c.attribution(model, mdp)
    pi = policy.probs(theta, mdp.features)
    with torch.no_grad():
        states = torch.arange(mdp.num_states)
        np.testing.assert_allclose(
            model.policy.get_distribution(states).distribution.probs.numpy(), pi, atol=1e-6
        )
        error = model.policy.predict_values(states).numpy()[:, 0] - exact.state_values(mdp, pi)
    # Step i of a window sees γ^{n−i} e of the state where the window ends, if it gets there.
    chain, ahead, psi = mdp.chain(pi), error, exact.advantages(mdp, pi)
    for k in range(1, n + 1):
        psi = psi + 0.9**k / n * (mdp.continuing @ ahead).reshape(pi.shape)
        ahead = chain @ ahead
    length = exact.visits(mdp, pi, 1.0).sum()
    closed = exact.expected_score(mdp, policy, theta, psi, discounted_visits=False) / length
    found = dict(rows)
    window = found["windows of 2 steps, GAE λ = 1, V^π"]
    scaled = found["mean over steps, not a sum over an episode"]
    np.testing.assert_allclose(window, scaled, rtol=0, atol=1e-6)  # SB3 computes in float32
    np.testing.assert_allclose(found["its critic in place of V^π"], closed, rtol=0, atol=1e-6)
    assert np.linalg.norm(closed - scaled) > 0.01
    plain, mdp = sb3_a2c.make_model(seed=1, n_steps=n, gamma=0.9)
    first = exact.visits(mdp, pi, 1.0) / length
    (defaults,) = sb3_a2c.mean_gradients(plain, first, plain.policy.predict_values, [{}])
    np.testing.assert_allclose(
        defaults, found["the value loss in that norm, vf_coef 0.5"], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("script", "framework"),
    [("torch_estimator", "torch"), ("sb3_a2c", "stable_baselines3")],
)
def test_an_example_without_its_framework_says_so_in_one_line(script, framework):
    code = f"import sys; sys.modules['{framework}'] = None; import {script}"
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS / "examples", text=True,
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"{script}: needs {framework}: pip install {framework}\n"


@pytest.mark.parametrize(("framework", "told"), [
    ("torch", "GAE λ = 0, truncation treated as termination | γ^t dropped | mean over steps"),
    ("jax", "GAE λ = 0 | γ^t dropped | mean over steps"),
])  # fmt: skip
def test_an_estimator_is_audited_in_its_own_network_s_parameters(framework, told, capsys):
    pytest.importorskip(framework)
    importlib.import_module(f"audit_{framework}").main()
    assert capsys.readouterr().out.startswith(f"biased: {told}")
