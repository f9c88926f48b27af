"""Sections 3 and 4 as they train: returns at every ending, critics, shared networks, A2C."""

import dataclasses

import numpy as np
import pytest
from gymnasium.spaces import Box
from hypothesis import given, strategies as st
from strategies import GAMMAS, RNGS, policies, problems
from test_reinforce import corridor

from minipg.algorithms.actor_critic import Settings, actor_critic, ascent_direction
from minipg.estimators.action_critics import (
    CompatibleCritic,
    compatible_advantage,
    make_critic,
)
from minipg.estimators.critics import SharedCritic, VCritic, td_errors
from minipg.estimators.fits import least_squares, lstd
from minipg.estimators.returns import gae, gae_ensemble, n_step_advantage, normalize, td_error
from minipg.estimators.score_function import gradients
from minipg.experience import enumeration
from minipg.experience.environments import adapt, policy_for, recent_returns
from minipg.experience.rollout import collect, start_stream
from minipg.museum.toy import vector
from minipg.policies.build import absorb_normalization, gaussian_policy, softmax_policy
from minipg.policies.network import MLP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.steps.optim import adam, adam_init, clip_norm
from minipg.truth import exact
from minipg.truth.check import complex_step

LAMBDAS = st.sampled_from([0.0, 0.3, 0.95, 1.0])


@st.composite
def windows(draw):
    """rewards, values, terminated, truncated, valid with any pattern of endings and resets."""
    t, b, rng = draw(st.integers(1, 8)), draw(st.integers(1, 3)), draw(RNGS)
    chance = draw(st.sampled_from([0.0, 0.3, 1.0]))
    terminated, truncated = (rng.random((t, b)) < chance for _ in range(2))
    valid = np.ones((t, b), bool)
    if draw(st.booleans()):  # as a vector environment: after an ending comes a reset
        for i in range(1, t):
            valid[i] = ~(terminated | truncated)[i - 1]
            terminated[i] &= valid[i]
            truncated[i] &= valid[i]
    rewards = rng.standard_normal((t, b)) * valid
    return rewards, rng.standard_normal((t + 1, b)), terminated, truncated, valid


def written_out(window, gamma, lam, n):
    """A_(n) and GAE of every step from rewards and values alone, one loop in another."""
    rewards, values, terminated, truncated, valid = window
    steps, columns = rewards.shape
    n_step, full = np.zeros((2, steps, columns))
    for t, b in np.argwhere(valid):
        total, estimates = -values[t, b], []
        for i in range(t, steps):
            total += gamma ** (i - t) * rewards[i, b]
            after = 0.0 if terminated[i, b] else gamma ** (i - t + 1) * values[i + 1, b]
            estimates.append(total + after)
            if terminated[i, b] or truncated[i, b]:
                break
        n_step[t, b] = estimates[min(n, len(estimates)) - 1]
        *early, last = estimates
        full[t, b] = sum((1 - lam) * lam**i * a for i, a in enumerate(early))
        full[t, b] += lam ** len(early) * last
    return n_step, full


@given(windows(), GAMMAS, LAMBDAS, st.integers(1, 10))
@pytest.mark.equation("E22", "E23", "E24", "E25", "errata 5")
@pytest.mark.pitfall(1, 2, 3, 4, 5, 6, 31, 32)
def test_gae_and_n_step_are_their_definitions_at_every_ending(window, gamma, lam, n):
    """To 1e-12, terminations, truncations, both at once, resets and the window's end included."""
    rewards, values, terminated, truncated, valid = window
    ends = terminated | truncated | ~valid
    delta = td_error(rewards, values, terminated, valid, gamma)
    n_step, full = written_out(window, gamma, lam, n)
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(n_step_advantage(delta, ends, gamma, n), n_step, **close)
    np.testing.assert_allclose(gae(delta, ends, gamma, lam), full, **close)
    np.testing.assert_allclose(gae_ensemble(delta, ends, gamma, lam), full, **close)
    np.testing.assert_allclose(gae(delta, ends, gamma, 0.0), delta, **close)


@given(windows(), st.sampled_from([0.5, 0.9]), LAMBDAS)
@pytest.mark.pitfall(1)
def test_a_constant_reward_and_its_value_leave_no_advantage_but_at_terminations(window, gamma, lam):
    rewards, values, _, truncated, valid = window
    truncated = truncated & valid
    constant = np.where(valid, 2.0, 0.0)
    flat = np.full_like(values, 2.0 / (1 - gamma))
    never = np.zeros_like(valid)
    delta = td_error(constant, flat, never, valid, gamma)
    np.testing.assert_allclose(gae(delta, truncated | ~valid, gamma, lam), 0, atol=1e-12)


@given(windows(), st.floats(0.01, 100), GAMMAS, LAMBDAS)
@pytest.mark.pitfall(21)
def test_advantages_scale_with_the_rewards(window, scale, gamma, lam):
    rewards, values, terminated, truncated, valid = window
    ends = terminated | truncated | ~valid
    one = gae(td_error(rewards, values, terminated, valid, gamma), ends, gamma, lam)
    other = gae(
        td_error(scale * rewards, scale * values, terminated, valid, gamma), ends, gamma, lam
    )
    np.testing.assert_allclose(other, scale * one, rtol=1e-9, atol=1e-9 * scale)


@given(RNGS, st.integers(1, 5))
@pytest.mark.pitfall(9)
def test_normalize_is_finite_for_one_sample_and_used(rng, n):
    psi = rng.standard_normal((n, 2))
    valid = np.ones((n, 2), bool)
    valid[-1, 1] = n == 1
    scaled = normalize(psi, valid)
    assert scaled[valid].mean() == pytest.approx(0, abs=1e-7)
    assert scaled[valid].std() == pytest.approx(1, abs=1e-4)
    assert not scaled[~valid].any()
    assert normalize(psi[:1, :1], valid[:1, :1]).tolist() == [[0.0]]


@given(problems())
@pytest.mark.equation("E20")
@pytest.mark.pitfall(9)
def test_the_bias_of_normalization_is_exact(problem):
    """Over every batch of one game of one step the normalised ψ is 0: the bias is −∇J."""
    mdp = problem.mdp.unroll(1)
    batch, _ = enumeration.enumerate_trajectories(
        mdp, problem.policy.probs(problem.theta, mdp.features)
    )
    mean = 0.0
    for b, p in enumerate(batch.weight):
        psi = normalize(batch.rewards[:, [b]], batch.valid[:, [b]])
        one = dataclasses.replace(batch, **{
            f.name: getattr(batch, f.name)[:, [b]] for f in dataclasses.fields(batch)
            if f.name != "weight"}, weight=np.ones(1))  # fmt: skip
        mean = mean + p * gradients(problem.policy, problem.theta, one, psi)[0]
    np.testing.assert_allclose(mean, 0, atol=1e-12)


# critics


def one_window(rng, steps=6):
    envs = adapt(vector(3))
    policy = policy_for(envs, (4,))
    theta = policy.init(rng, 1.0)
    return (
        policy,
        theta,
        collect(envs, policy, theta, rng, steps, start_stream(envs, theta, rng))[0],
    )


@given(RNGS, st.sampled_from(["v", "q", "compatible"]))
@pytest.mark.equation("E13", "E15")
@pytest.mark.pitfall(30)
def test_each_critic_s_gradient_is_that_of_its_loss_with_the_target_constant(rng, kind):
    """Complex step of ½ mean (critic − y)²; were y followed, the gradient would be another."""
    policy, theta, batch = one_window(rng)
    critic = make_critic(kind, policy)
    phi = critic.init(rng, np.float64) + 0.3 * rng.standard_normal(
        critic.init(rng, np.float64).shape
    )
    obs, actions = batch.obs[:-1][batch.valid], batch.actions[batch.valid]
    delta, values = td_errors(critic, phi, theta, batch, 0.9)
    target, adv = values + delta, rng.standard_normal(batch.rewards.shape)

    def loss(x, follow=False):
        y = target[batch.valid]
        if follow:
            d, v = follow_target(x)
            y = (d + v)[batch.valid]
        if kind == "q":
            q = critic.action_values(x, obs)[np.arange(len(obs)), actions]
            return 0.5 * ((q - y) ** 2).mean()
        v_part, w = critic.split(x) if kind == "compatible" else (x, None)
        v = MLP((2, 4, 1)).forward(v_part, obs)[0][:, 0]
        total = 0.5 * ((v - y) ** 2).mean()
        if w is not None:
            a = policy.score(theta, obs, actions) @ w
            total = total + 0.5 * ((a - adv[batch.valid]) ** 2).mean()
        return total

    def follow_target(x):
        values = (policy.probs(theta, batch.obs) * critic.action_values(x, batch.obs)).sum(-1) \
            if kind == "q" else \
            MLP((2, 4, 1)).forward(critic.split(x)[0] if kind == "compatible" else x,
                                   batch.obs)[0][..., 0]  # fmt: skip
        delta = td_error(batch.rewards, values, batch.terminated, batch.valid, 0.9)
        return delta, values[:-1]

    got = critic.gradient(phi, theta, batch, target, adv)
    directions = np.eye(len(phi))
    semi = np.array([complex_step(loss, phi, e) for e in directions])
    full = np.array([complex_step(lambda x: loss(x, True), phi, e) for e in directions])
    np.testing.assert_allclose(got, semi, rtol=1e-8, atol=1e-10)
    assert np.abs(full - semi).max() > 1e-6  # the planted bug would show


@given(problems())
@pytest.mark.equation("E12", "E13")
def test_values_and_psi_of_each_critic(problem):
    """V of the Q critic is Σ π Q; ψ of q and compatible have mean 0 over actions."""
    policy, theta, batch = problem.policy, problem.theta, problem.batch
    rng = problem.rng
    obs = problem.start.features
    for kind in ("q", "compatible"):
        critic = make_critic(kind, policy)
        phi = critic.init(rng, np.float64)
        phi = phi + rng.standard_normal(phi.shape)
        mean = np.zeros(len(obs))
        for a in range(problem.start.num_actions):
            actions = np.full((1, len(obs)), a)
            one = dataclasses.replace(
                batch, obs=np.stack([obs, obs]), actions=actions, weight=np.ones(len(obs)),
                **{k: np.zeros((1, len(obs)), bool) for k in ("terminated", "truncated")},
                valid=np.ones((1, len(obs)), bool), rewards=np.zeros((1, len(obs))),
                log_prob=np.zeros((1, len(obs))),
            )  # fmt: skip
            mean += problem.pi[:, a] * critic.psi(phi, theta, one, 0.9, 0.5)[0]
        np.testing.assert_allclose(mean, 0, atol=1e-9)
    q = make_critic("q", policy)
    phi = q.init(rng, np.float64)
    expected = (problem.pi * q.action_values(phi, obs)).sum(1)
    np.testing.assert_allclose(q.values(phi, theta, obs), expected, rtol=1e-10, atol=1e-12)


@given(policies(), RNGS)
@pytest.mark.equation("E13")
def test_compatible_advantage_is_w_times_the_score(drawn, rng):
    policy, theta = drawn
    obs = rng.standard_normal((5, policy.network.sizes[0]))
    actions, _ = policy.sample(theta, obs, rng)
    w = rng.standard_normal(theta.shape)
    expected = policy.score(theta, obs, actions) @ w
    got = compatible_advantage(policy, theta, w, obs, actions)
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-9)


@given(RNGS)
@pytest.mark.equation("E15")
def test_linear_fits_solve_their_equations(rng):
    """Normal equations of least squares, E φ(r + γφ′w − φw) = 0 of LSTD, on random features."""
    phi, after = rng.standard_normal((2, 30, 4))
    r, weight = rng.standard_normal(30), rng.dirichlet(np.ones(30))
    w = least_squares(phi, r, weight)
    np.testing.assert_allclose(phi.T @ (weight * (phi @ w - r)), 0, atol=1e-9)
    w = lstd(phi, 0.3 * after, r, weight, 0.9)
    np.testing.assert_allclose(phi.T @ (weight * (r + 0.27 * after @ w - phi @ w)), 0, atol=1e-9)
    with pytest.raises(ValueError, match="gamma"):
        lstd(phi, after, r, weight, 1.1)


@given(RNGS)
def test_adam_steps_of_the_v_critic_reach_the_least_squares_fit(rng):
    """A linear V, Monte-Carlo targets: 3,000 steps of its gradient end at the closed form."""
    obs, target = rng.standard_normal((20, 2)), rng.standard_normal(20)
    critic = VCritic(MLP((2, 1)))
    phi = critic.init(rng, np.float64)
    state = adam_init(phi)
    for i in range(3000):
        g = critic.error_gradient(phi, obs, target)
        phi, state = adam(phi, -g, state, 0.05 * (1 - i / 3000))
    best = least_squares(np.hstack([obs, np.ones((20, 1))]), target, np.ones(20))
    np.testing.assert_allclose(phi, best, atol=1e-4)


def test_footnote_5_v_is_the_least_complex():
    policy = softmax_policy(8, 4, (16,))
    sizes = [len(make_critic(k, policy).init(np.random.default_rng(0), float))
             for k in ("v", "q", "compatible")]  # fmt: skip
    assert sizes[0] < sizes[1] < sizes[2]


@given(RNGS, st.booleans(), st.floats(0.0, 0.5))
@pytest.mark.equation("E16", "E17")
def test_the_ascent_direction_by_complex_step_alone_and_shared(rng, gaussian, entropy):
    """∇ of mean [log π ψ + β H − c ½ (V − y)²], ψ and y constant, in every parameter."""
    space = {"action_space": Box(-1, 1, (2,), np.float32)} if gaussian else {}
    envs = adapt(vector(3, **space))
    for shared in (False, True):
        policy = policy_for(envs, (3,), value_head=shared)
        theta = policy.init(rng, 1.0) + 0.1 * rng.standard_normal(policy.num_params)
        batch, _ = collect(envs, policy, theta, rng, 5, start_stream(envs, theta, rng))
        psi, target = rng.standard_normal((2, *batch.rewards.shape))
        settings = Settings(entropy=entropy, value_weight=0.7)
        obs, actions = batch.obs[:-1][batch.valid], batch.actions[batch.valid]

        def objective(x, policy=policy, shared=shared, obs=obs, actions=actions, psi=psi,
                      target=target, batch=batch):  # fmt: skip
            total = policy.log_prob(x, obs, actions) * psi[batch.valid]
            total = total + entropy * policy.entropy(x, obs)
            if shared:
                total = total - 0.35 * (policy.values(x, obs) - target[batch.valid]) ** 2
            return total.mean()

        got, mean_entropy = ascent_direction(policy, theta, batch, psi, target, settings)
        expected = [complex_step(objective, theta, e) for e in np.eye(len(theta))]
        np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-9)
        assert mean_entropy == pytest.approx(policy.entropy(theta, obs).mean())


def test_make_critic_refuses():
    with pytest.raises(ValueError, match="critic: expected Discrete actions for q, got Gaussian"):
        make_critic("q", gaussian_policy(2, 1))
    with pytest.raises(ValueError, match="critic: expected v, q or compatible, got 'w'"):
        make_critic("w", softmax_policy(2, 2))
    with pytest.raises(ValueError, match="critic: expected v for a network shared"):
        make_critic("q", softmax_policy(2, 2, value_head=True))
    assert isinstance(make_critic("v", softmax_policy(2, 2, value_head=True)), SharedCritic)
    assert isinstance(make_critic("compatible", gaussian_policy(2, 1)), CompatibleCritic)
    with pytest.raises(ValueError, match="value head"):
        softmax_policy(2, 2).values(np.zeros(6), np.zeros((1, 2)))


# streams


@pytest.mark.equation("E18")
@pytest.mark.pitfall(7)
def test_a_stream_is_its_windows_one_after_another():
    """Ten steps at once or in windows of 1, 2, 3, 4: the same rows, no reset among the data."""

    def play(cuts):
        envs = adapt(vector(4))
        rng = np.random.default_rng(0)
        policy = softmax_policy(2, 2)
        theta = np.zeros(6)
        stream, parts = start_stream(envs, theta, rng), []
        for steps in cuts:
            batch, stream = collect(envs, policy, theta, rng, steps, stream)
            parts.append(batch)
        return parts, envs

    (whole,), envs = play([10])
    parts, _ = play([1, 2, 3, 4])
    for name in ("actions", "rewards", "terminated", "truncated", "valid", "log_prob"):
        joined = np.concatenate([getattr(p, name) for p in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    np.testing.assert_array_equal(whole.obs[3], parts[2].obs[0])
    after = (whole.terminated | whole.truncated)[:-1]
    np.testing.assert_array_equal(whole.valid[1:], ~after)
    np.testing.assert_array_equal(whole.obs[1:][whole.valid][:, 0],
                                  whole.obs[:-1][whole.valid][:, 0] + 1)  # fmt: skip
    episodes, mean_return, mean_length = recent_returns(envs)
    lengths = whole.obs[1:][whole.terminated | whole.truncated][:, 0]
    assert episodes == len(lengths)
    assert mean_return == mean_length == pytest.approx(lengths.mean())


def test_recent_returns_of_nothing():
    assert recent_returns(TabularVectorEnv(corridor(), 1))[0] == 0
    assert np.isnan(recent_returns(adapt(TabularVectorEnv(corridor(), 1)))[1])


# A2C


def learn(seed, steps=6000, shared=False, **options):
    mdp = corridor()
    envs = adapt(TabularVectorEnv(mdp, 8))
    policy = softmax_policy(4, 2, (8,) if shared else (), value_head=shared)
    rng = np.random.default_rng(seed)
    settings = Settings(**{"gamma": 0.9, "learning_rate": 0.05, "critic_learning_rate": 0.05,
                           "n_steps": 4, **options})  # fmt: skip
    theta = policy.init(rng, dtype=np.float32)
    return mdp, policy, list(actor_critic(envs, policy, theta, settings, steps, rng))


@pytest.mark.equation("E13", "E16", "E17")
@pytest.mark.parametrize(
    "options",
    [{}, {"critic": "q"}, {"critic": "compatible"}, {"target": "mc"}, {"shared": True},
     {"optimiser": "rmsprop", "learning_rate": 0.02}, {"normalize": True}, {"lam": 0.0},
     {"optimiser": "sgd", "learning_rate": 2.0, "max_norm": 5.0}],
    ids=str,
)  # fmt: skip
def test_every_kind_of_actor_critic_learns_a_corridor(options):
    """A2C: get (s, a, r, s′); update critic; evaluate Â; update policy. J from 1/8 to above 0.8."""
    mdp, policy, history = learn(0, **options)
    state, record = history[-1]
    theta = state.theta
    assert theta.dtype == np.float32
    assert exact.objective(mdp, policy.probs(theta.astype(float), mdp.features)) > 0.8
    assert record["env_steps"] >= 6000
    assert record["episodes"] > 100


@pytest.mark.equation("E16")
def test_with_one_step_of_one_game_it_is_the_slide_s_algorithm():
    """Written out: r + V̂(s′), the critic's step, Â with the new critic, ∇log π Â."""
    mdp = corridor()
    settings = Settings(gamma=0.9, lam=0.0, n_steps=1, learning_rate=0.1, critic_learning_rate=0.2,
                        max_norm=1e9)  # fmt: skip
    policy = softmax_policy(4, 2)
    envs = adapt(TabularVectorEnv(mdp, 1))
    rng = np.random.default_rng(3)
    theta = policy.init(rng)
    history = list(actor_critic(envs, policy, theta, settings, 60, rng))
    rng = np.random.default_rng(3)
    policy.init(rng)
    w = MLP((4, 1)).init(rng, 1.0)
    envs.reset(seed=int(rng.integers(2**31)))
    state = mdp.features[0]
    adam_theta, adam_w, done, played = adam_init(theta), adam_init(w), False, 0
    for got, _ in history:
        while True:
            a, _ = policy.sample(theta, state[None], rng)
            following, r, terminated, _, _ = envs.step(a)
            skip, done, rate, played = done, bool(terminated[0]), 1 - played / 60, played + 1
            s, state = state, following[0]
            if not skip:
                break

        def v(s, w=None):
            return s @ w[:4] + w[4]

        y = r[0] + 0.9 * v(state, w) * (not done)
        critic_gradient = (v(s, w) - y) * np.append(s, 1.0)
        w, adam_w = adam(w, -critic_gradient, adam_w, 0.2 * rate)
        advantage_hat = r[0] + 0.9 * v(state, w) * (not done) - v(s, w)
        g = advantage_hat * policy.score(theta, s[None], a)[0]
        theta, adam_theta = adam(theta, g, adam_theta, 0.1 * rate)
        np.testing.assert_allclose(got.theta, theta, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", ["v", "q", "compatible", "shared"])
@pytest.mark.parametrize(("target", "lam"), [("td", 0.7), ("mc", 0.3)])
@pytest.mark.equation("E15", "E16", "E17")
def test_three_iterations_written_out(kind, target, lam):
    """N = 5 steps of three games: targets, both gradients shortened, both steps, the record."""
    settings = Settings(gamma=0.8, lam=lam, n_steps=5, critic="v" if kind == "shared" else kind,
                        target=target, learning_rate=0.1, critic_learning_rate=0.2, max_norm=0.05,
                        entropy=0.1, value_weight=0.4)  # fmt: skip
    envs, rng = adapt(vector(3)), np.random.default_rng(5)
    policy = policy_for(envs, (3,), value_head=kind == "shared")
    theta = policy.init(rng, 1.0)
    history = actor_critic(envs, policy, theta, settings, 60, rng)
    again, rng = adapt(vector(3)), np.random.default_rng(5)
    theta = policy.init(rng, 1.0)
    critic = make_critic(settings.critic, policy)
    phi = critic.init(rng, theta.dtype)
    states, stream = [adam_init(theta), adam_init(phi)], start_stream(again, theta, rng)
    for i, (got, record) in enumerate(history):
        batch, stream = collect(again, policy, theta, rng, 5, stream)
        valid, rate = batch.valid, 1 - 15 * i / 60
        obs, actions = batch.obs[:-1][valid], batch.actions[valid]

        def errors(phi, theta=theta, batch=batch, valid=valid):
            v = critic.values(phi, theta, batch.obs)
            delta = td_error(batch.rewards, v, batch.terminated, valid, 0.8)
            return v[:-1], delta, gae(delta, batch.ends, 0.8, lam)

        v, delta, adv = errors(phi)
        y = v + (delta if target == "td" else gae(delta, batch.ends, 0.8, 1.0))
        d_phi = critic.gradient(phi, theta, batch, y, adv)
        phi, states[1] = adam(phi, -clip_norm(d_phi, 0.05), states[1], 0.2 * rate)
        psi = errors(phi)[2]
        if kind == "q":
            q = critic.action_values(phi, obs)
            psi = np.zeros(valid.shape)
            psi[valid] = q[np.arange(len(obs)), actions] - (policy.probs(theta, obs) * q).sum(1)
        elif kind == "compatible":
            psi[valid] = policy.score(theta, obs, actions) @ critic.split(phi)[1]
        g, mean_entropy = ascent_direction(policy, theta, batch, psi, y, settings)
        theta, states[0] = adam(theta, clip_norm(g, 0.05), states[0], 0.1 * rate)
        np.testing.assert_allclose(got.theta, theta, rtol=1e-9, atol=1e-12)
        assert record["env_steps"] == 15 * (i + 1)
        assert record["entropy"] == pytest.approx(mean_entropy)
        assert record["gradient_norm"] == pytest.approx(np.sqrt((g**2).sum()))
        assert record["critic_error"] == pytest.approx(np.sqrt(((y - v)[valid] ** 2).mean()))
        assert (record["episodes"], record["mean_return"], record["mean_length"]) == (
            recent_returns(again)
        )
    assert i == 3


def test_a_diverging_step_is_named_before_it_is_yielded():
    settings = Settings(optimiser="sgd", max_norm=1e9, critic_learning_rate=1e300)
    envs, policy = adapt(vector(3)), softmax_policy(2, 2)
    loop = actor_critic(envs, policy, np.zeros(6), settings, 10_000, np.random.default_rng(0))
    yielded: list[np.ndarray] = []
    message = "gradient: expected finite|critic after the step"
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        yielded.extend(state.theta for state, _ in loop)
    assert np.isfinite(yielded).all()


@pytest.mark.pitfall(25)
def test_the_seed_determines_it():
    one, two, other = (learn(seed, 300)[2][-1][0].theta.tobytes() for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize(
    ("options", "name"),
    [({"gamma": 1.5}, "gamma"), ({"lam": -0.1}, "lam"), ({"lam": 1.5}, "lam"),
     ({"lam": float("nan")}, "lam"),
     ({"n_steps": 0}, "n_steps"), ({"entropy": -1.0}, "entropy"), ({"target": "best"}, "target"),
     ({"optimiser": "newton"}, "optimiser"), ({"max_norm": float("inf")}, "max_norm")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(options, name):
    with pytest.raises(ValueError, match=f"{name}: expected"):
        Settings(**options)


def test_bad_input_of_the_returns_is_named():
    flags, ones = np.zeros((2, 1), int), np.ones((2, 1))
    got = td_error(ones, np.ones((3, 1)), flags, flags == 0, 0.9)
    assert got.ravel() == pytest.approx([0.9, 0.9])  # 0/1 flags are flags
    for lam in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="lam: expected"):
            gae(ones, flags == 1, 0.9, lam)
    for n in (0, -1):
        with pytest.raises(ValueError, match="n: expected"):
            n_step_advantage(ones, flags == 1, 0.9, n)
    assert not normalize(ones, flags == 1).any()
    with pytest.raises(ValueError, match="gradient: expected finite"):
        clip_norm(np.array([np.inf, 1.0]), 1.0)
    huge = clip_norm(np.full(2, 1e20, np.float32), 1.0)
    assert np.linalg.norm(huge) == pytest.approx(1)


def test_clip_norm():
    g = np.array([3.0, 4.0], np.float32)
    assert clip_norm(g, 10.0).tolist() == [3, 4]
    assert clip_norm(g, 4.0) == pytest.approx([2.4, 3.2])
    assert clip_norm(g, 1.0) == pytest.approx([0.6, 0.8])
    assert clip_norm(g, 1.0).dtype == np.float32


@given(policies(), RNGS)
@pytest.mark.pitfall(22)
def test_absorbed_statistics_act_on_raw_observations(drawn, rng):
    """π_θ′(s) = π_θ((s − mean)/std); so evaluation has no statistics that could learn."""
    policy, theta = drawn
    size = policy.network.sizes[0]
    mean, std = rng.standard_normal(size), rng.uniform(0.1, 3, size)
    obs, before = rng.standard_normal((5, size)), theta.copy()
    absorbed = absorb_normalization(policy, theta, mean, std)
    expected = policy.forward(theta, (obs - mean) / std)[0]
    np.testing.assert_allclose(policy.forward(absorbed, obs)[0], expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_array_equal(theta, before)
    with pytest.raises(ValueError, match="std: expected a number above 0, got 0"):
        absorb_normalization(policy, theta, mean, np.zeros(size))


@pytest.mark.parametrize("kind", ["v", "q"])
@pytest.mark.pitfall(29)
def test_critics_start_orthogonal_the_last_layer_with_gain_1(kind):
    critic = make_critic(kind, softmax_policy(3, 2, (8,)))
    layers = critic.network.layers(critic.init(np.random.default_rng(0), np.float64))
    for layer, gain in zip(layers, (np.sqrt(2), 1), strict=True):
        np.testing.assert_allclose(np.linalg.svd(layer[:-1], compute_uv=False), gain)
