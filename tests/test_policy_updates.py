"""NPG, TRPO and PPO as they train: each update against its definition, and behaviour."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import RNGS, policies
from test_reinforce import corridor

from minipg.algorithms import acktr, cem, npg, ppo, trpo
from minipg.algorithms.loop import AdamSettings, Samples, learn
from minipg.commands.options import ALGORITHMS
from minipg.estimators.critics import td_errors, value_critic
from minipg.estimators.fits import fit_values
from minipg.estimators.returns import gae
from minipg.estimators.surrogate import clipped_surrogate
from minipg.experience.environments import adapt
from minipg.experience.rollout import collect, start_stream
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.policies.gaussian import Gaussian
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.steps.kfac import Factors, average, factors, solve
from minipg.steps.linalg import backtrack, conjugate_gradients
from minipg.steps.natural import SOLVERS, fisher_matrix, natural_gradient
from minipg.steps.optim import adam, adam_init
from minipg.truth import exact
from minipg.truth.check import complex_step

FIRST_STATE = {npg: None, trpo: None, ppo: adam_init, acktr: None}  # of each that has an update
NAMES = [m.__name__.split(".")[-1] for m in FIRST_STATE]


def draw_samples(policy, theta, rng, n=12, scale=1.0):
    obs = rng.standard_normal((n, policy.network.sizes[0]))
    actions, log_prob = policy.sample(theta, obs, rng)
    return Samples(obs, actions, log_prob, scale * rng.standard_normal(n))


@given(policies(), RNGS, st.sampled_from([0.01, 0.1, 1.0]), st.sampled_from(SOLVERS))
@pytest.mark.equation("E43", "E45")
@pytest.mark.pitfall(14)
def test_npg_is_the_damped_dense_solve_with_an_undamped_length(drawn, rng, damping, solver):
    """Whatever the solver; the plain step is α times the same x; one iteration of CG is along g."""
    policy, theta = drawn
    theta = 0.5 * theta
    samples = draw_samples(policy, theta, rng)
    iterations = 200 if solver == "cg" else 1
    settings = npg.Settings(delta=0.02, damping=damping, cg_iterations=iterations, solver=solver)
    new, _, figures = npg.update(policy, theta, samples, settings, None, rng)
    uniform = np.full(12, 1 / 12)
    h = fisher_matrix(policy, theta, samples.obs, uniform)
    g = samples.psi @ policy.score(theta, samples.obs, samples.actions) / 12
    x = np.linalg.solve(h + damping * np.eye(len(g)), g)
    step = new - theta
    assert 0.5 * step @ h @ step == pytest.approx(0.02, rel=1e-6)
    np.testing.assert_allclose(step / np.linalg.norm(step), x / np.linalg.norm(x), atol=1e-5)
    assert figures["gradient_norm"] == pytest.approx(np.linalg.norm(g))
    settings = replace(settings, learning_rate=0.3)
    plain = npg.update(policy, theta, samples, settings, None, rng)[0] - theta
    np.testing.assert_allclose(plain, 0.3 * x, rtol=1e-4, atol=1e-5 * np.abs(x).max())
    settings = replace(settings, solver="cg", cg_iterations=1)
    along = npg.update(policy, theta, samples, settings, None, rng)[0] - theta
    np.testing.assert_allclose(along / np.linalg.norm(along), g / np.linalg.norm(g), atol=1e-6)


@given(policies(), RNGS, st.sampled_from([1e-4, 0.01, 1.0, 30.0]))
@pytest.mark.equation("E38", "E46")
@pytest.mark.pitfall(12, 15, 16)
def test_an_accepted_trpo_step_meets_both_conditions_on_the_whole_batch(drawn, rng, delta):
    """KL(π̃‖π_k) ≤ δ and L ≥ 0, recomputed; else θ is the same to the bit."""
    policy, theta = drawn
    samples = draw_samples(policy, theta, rng, scale=rng.choice([1e-6, 1.0, 1e6]))
    settings = trpo.Settings(delta=delta, damping=rng.choice([0.0, 1e-3, 0.1]))
    before = theta.copy()
    new, _, figures = trpo.update(policy, theta, samples, settings, None, rng)
    np.testing.assert_array_equal(theta, before)
    if not figures["accepted"]:
        assert new.tobytes() == before.tobytes()
        return
    assert policy.kl(new, theta, samples.obs).mean() <= delta
    rho = np.exp(policy.log_prob(new, samples.obs, samples.actions) - samples.log_prob)
    assert ((rho - 1) * samples.psi).mean() >= 0
    refused = sum(v for k, v in figures.items() if k.startswith("refused"))
    assert refused == figures["tried"] - 1


@given(policies(), RNGS, st.sampled_from([0.01, 1.0, 30.0]), st.sampled_from([-3.0, 0.0, 3.0]))
@pytest.mark.equation("E46")
@pytest.mark.pitfall(12, 15, 16)
def test_trpo_takes_the_first_half_of_npg_s_step_that_meets_both(drawn, rng, delta, shift):
    """Also where ψ has another mean than 0: L is of ρ − 1."""
    policy, theta = drawn
    samples = draw_samples(policy, theta, rng)
    samples = samples._replace(psi=samples.psi + shift)
    options = {"delta": delta, "damping": 0.3, "cg_iterations": 2, "solver": rng.choice(SOLVERS)}
    full = npg.update(policy, theta, samples, npg.Settings(**options), None, rng)[0] - theta
    new, _, figures = trpo.update(policy, theta, samples, trpo.Settings(**options), None, rng)
    refused = {"surrogate": 0, "kl": 0, "not_finite": 0}
    for tried in range(1, 11):
        candidate = theta + 0.5 ** (tried - 1) * full
        with np.errstate(over="ignore", invalid="ignore"):
            rho = np.exp(policy.log_prob(candidate, samples.obs, samples.actions)
                         - samples.log_prob)  # fmt: skip
            gain = ((rho - 1) * samples.psi).mean()
            kl = policy.kl(candidate, theta, samples.obs).mean()
        if not np.isfinite([gain, kl]).all():
            refused["not_finite"] += 1
        elif kl > delta:
            refused["kl"] += 1
        elif gain < 0:
            refused["surrogate"] += 1
        else:
            break
    assert {name: figures[f"refused_{name}"] for name in refused} == refused
    accepted = int(sum(refused.values()) < 10)
    assert (figures["accepted"], figures["tried"]) == (accepted, tried)
    np.testing.assert_allclose(new, candidate if accepted else theta, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("module", [npg, trpo])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        (np.float64, 2.0**-530),
        (np.float64, 2.0**530),
        (np.float32, 2.0**-75),
        (np.float32, 2.0**66),
    ],
)
def test_the_step_of_a_trust_region_does_not_depend_on_the_unit_of_the_rewards(
    module, dtype, scale
):  # fmt: skip
    """To the bit, though xᵀHx is 1e-320 or 1e320 (float32: 1e-45, 1e40)."""
    policy = softmax_policy(2, 2)
    theta = np.ones(6, dtype)
    samples = draw_samples(policy, theta, np.random.default_rng(0))
    (step, _, plain), (same, _, scaled) = (
        module.update(policy, theta, samples._replace(psi=samples.psi.astype(dtype) * unit),
                      module.Settings(), None, None)
        for unit in (dtype(1), dtype(scale))
    )  # fmt: skip
    np.testing.assert_array_equal(step, same)
    assert np.abs(step - theta).max() > 1e-3
    assert scaled["gradient_norm"] == plain["gradient_norm"] * scale


def first_state(module, theta):
    return FIRST_STATE[module] and FIRST_STATE[module](theta)


def test_every_algorithm_with_an_update_is_examined_here():
    """Those that `learn` runs: a new one needs a line of FIRST_STATE."""
    loops = [sys.modules[loop.__module__] for loop, _ in ALGORITHMS.values()]
    assert set(FIRST_STATE) == {module for module in loops if hasattr(module, "update")}


@pytest.mark.parametrize("module", FIRST_STATE)
def test_no_gradient_no_step(module):
    policy = softmax_policy(2, 2)
    theta, rng = np.ones(6), np.random.default_rng(0)
    samples, state = draw_samples(policy, theta, rng, scale=0.0), first_state(module, theta)
    new, _, figures = module.update(policy, theta, samples, module.Settings(), state, rng)
    assert new.tobytes() == theta.tobytes()
    assert figures["gradient_norm"] == 0
    assert figures.get("accepted", 0) == figures.get("tried", 0) == 0
    assert not any(value for name, value in figures.items() if name.startswith("refused"))


@given(policies(), RNGS, st.floats(0.05, 0.5))
@pytest.mark.equation("E47")
@pytest.mark.pitfall(11, 39)
def test_the_clipped_surrogate_and_its_gradient(drawn, rng, clip):
    """min(ρψ, clip(ρ)ψ) sample by sample; the gradient is that of the samples inside."""
    policy, theta = drawn
    obs, actions, log_prob, psi = draw_samples(policy, theta, rng)
    other = theta + 0.3 * rng.standard_normal(theta.shape)
    value, gradient, outside = clipped_surrogate(policy, other, obs, actions, log_prob, psi, clip)
    rho = np.exp(policy.log_prob(other, obs, actions) - log_prob)
    terms = [min(r * a, min(max(r, 1 - clip), 1 + clip) * a) for r, a in zip(rho, psi, strict=True)]
    assert value == pytest.approx(np.mean(terms))
    inside = np.array([(r <= 1 + clip) if a > 0 else (r >= 1 - clip)
                       for r, a in zip(rho, psi, strict=True)])  # fmt: skip
    assert outside == pytest.approx(1 - inside.mean())

    def objective(x):
        return (inside * np.exp(policy.log_prob(x, obs, actions) - log_prob) * psi).mean()

    v = rng.standard_normal(theta.shape)
    slope = complex_step(objective, other, v)
    assert gradient @ v == pytest.approx(slope, rel=1e-8, abs=1e-9 * (1 + np.abs(rho).max()))
    _, at_k, none_outside = clipped_surrogate(policy, theta, obs, actions, log_prob, psi, clip)
    np.testing.assert_array_equal(at_k, policy.weighted_score(theta, obs, actions, psi / len(obs)))
    assert none_outside == 0


@pytest.mark.pitfall(11)
def test_what_the_clipped_surrogate_counts_at_its_ends_and_where_a_ratio_is_nan():
    """A sample at 1 ± ε itself is inside; a NaN is refused, whatever the sign of ψ."""
    policy, theta = softmax_policy(1, 2), np.zeros(4)
    obs, actions, half = np.zeros((4, 1)), np.zeros(4, int), np.log(0.5)
    psi = np.array([1.0, -1.0, 1.0, -1.0])
    for i, ratio in enumerate((1.5, 0.5)):
        one = obs[:1], actions[:1], np.array([half - np.log(ratio)])
        rho = np.exp(policy.log_prob(theta, *one[:2]) - one[2])
        clip = abs(float(rho[0]) - 1)  # to the bit
        _, gradient, outside = clipped_surrogate(policy, theta, *one, psi[i : i + 1], clip)
        assert outside == 0
        assert gradient.any()
    for i in range(4):
        broken = np.where(np.arange(4) == i, np.nan, half)
        with pytest.raises(ValueError, match=f"ratio.*1 of 4 that are not, the first nan.*{i},"):
            clipped_surrogate(policy, theta, obs, actions, broken, psi, 0.2)


@pytest.mark.equation("E47")
@pytest.mark.pitfall(37)
def test_an_infinite_ratio_is_clipped_or_refused_and_counts_nothing_where_psi_is_0():
    """Log ratios of ±800: e^800 is no number, e^−800 is 0."""
    policy, theta = softmax_policy(1, 2), np.zeros(4)
    obs, actions, half = np.zeros((3, 1)), np.zeros(3, int), np.log(0.5)

    def of(log_ratio, psi):
        log_prob = half - np.array(log_ratio, float)
        with np.errstate(all="raise", under="ignore"):
            return clipped_surrogate(policy, theta, obs, actions, log_prob, np.array(psi), 0.2)

    value, gradient, outside = of([800, 0, 0], [3.0, 1.0, 1.0])
    assert value == pytest.approx((3 * 1.2 + 1 + 1) / 3)
    assert outside == pytest.approx(1 / 3)
    np.testing.assert_allclose(gradient, of([800, 0, 0], [0.0, 1.0, 1.0])[1])
    assert of([800, 0, 0], [0.0, 1.0, 1.0])[0] == pytest.approx(2 / 3)
    value, gradient, outside = of([-800, 0, 0], [-3.0, 1.0, 1.0])
    assert value == pytest.approx((-3 * 0.8 + 1 + 1) / 3)
    with pytest.raises(ValueError, match="ratio.*no clip bounds it .a smaller learning rate"):
        of([800, 0, 0], [-1.0, 1.0, 1.0])


def test_ppo_counts_its_epochs_and_stops_at_the_kl():
    policy = softmax_policy(2, 2)
    theta, rng = np.zeros(6), np.random.default_rng(0)
    samples = draw_samples(policy, theta, rng, 64)
    for target_kl, epochs in ((0.0, 7), (1e-9, 1)):
        settings = ppo.Settings(epochs=7, minibatch=16, target_kl=target_kl, learning_rate=0.05)
        new, state, figures = ppo.update(policy, theta, samples, settings, adam_init(theta), rng)
        assert figures["epochs"] == epochs
        assert state.steps == 4 * epochs
        assert not np.array_equal(new, theta)
        assert 0 <= figures["clipped"] < 1


def test_ppo_stops_at_the_kl_from_the_new_policy():
    """A target between the two directions of KL tells them apart."""
    policy, rng = gaussian_policy(2, 1), np.random.default_rng(0)
    theta = np.zeros(policy.num_params)
    for scale in (1.0, -1.0):  # σ grows, then falls
        samples = draw_samples(policy, theta, rng, 64)
        samples = samples._replace(psi=-scale * samples.log_prob)
        first = ppo.Settings(epochs=1, minibatch=64, learning_rate=0.5)
        new, _, _ = ppo.update(policy, theta, samples, first, adam_init(theta), rng)
        ours, other = (policy.kl(*x, samples.obs).mean() for x in ((new, theta), (theta, new)))
        settings = replace(first, epochs=3, target_kl=float(ours + other) / 2)
        _, _, figures = ppo.update(policy, theta, samples, settings, adam_init(theta), rng)
        assert (figures["epochs"] == 1) == (ours > other)


def test_ppo_shortens_draws_its_minibatches_anew_and_says_the_share_clipped():
    policy, theta = softmax_policy(2, 2), np.zeros(6)
    samples = draw_samples(policy, theta, np.random.default_rng(0), 64)

    def run(seed, **options):
        settings = ppo.Settings(learning_rate=0.5, clip=0.1, **options)
        rng = np.random.default_rng(seed)
        return ppo.update(policy, theta, samples, settings, adam_init(theta), rng)

    first, state, figures = run(0, epochs=1, max_norm=1e-3)
    assert np.linalg.norm(state.mean) == pytest.approx(0.1 * 1e-3)  # Adam's mean of one gradient
    g = policy.weighted_score(theta, samples.obs, samples.actions, samples.psi / 64)
    assert figures == {"gradient_norm": pytest.approx(np.linalg.norm(g)), "clipped": 0, "epochs": 1}
    *_, figures = run(0, epochs=2, max_norm=1e-3)  # two steps, nothing is clipped in the first
    outside = clipped_surrogate(policy, first, *samples, clip=0.1)[2]
    assert figures["clipped"] == pytest.approx(outside / 2)
    assert figures["clipped"] > 0
    assert figures["gradient_norm"] == pytest.approx(np.linalg.norm(g))  # of the first step
    one, two, other = (run(seed, epochs=1, minibatch=8)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, other)


def train_on_corridor(name, seed, steps=12_000):
    run, settings = ALGORITHMS[name]
    mdp = corridor()
    envs, policy, rng = adapt(TabularVectorEnv(mdp, 8)), softmax_policy(4, 2), None
    rng = np.random.default_rng(seed)
    theta = policy.init(rng, dtype=np.float32)
    own = {"learning_rate": 0.02} if name == "ppo" else {"delta": 0.05}
    chosen = settings(gamma=0.9, n_steps=16, **own)
    return mdp, policy, chosen, list(run(envs, policy, theta, chosen, steps, rng))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.equation("E38", "E45", "E46", "E47")
def test_each_learns_a_corridor_and_says_its_kl(name):
    """J from 1/8 to above 0.9; every trust-region step of TRPO is within δ.

    Of NPG the best iterate: its steps of KL δ along mere noise, which no line search refuses,
    throw half of the seeds back where nothing is left to learn.
    """
    mdp, policy, settings, history = train_on_corridor(name, 0)
    thetas, record = [state.theta for state, _ in history], history[-1][1]
    assert thetas[-1].dtype == np.float32
    reached = max(exact.objective(mdp, policy.probs(theta.astype(float), mdp.features))
                  for theta in (thetas if name == "npg" else thetas[-1:]))  # fmt: skip
    assert reached > 0.9
    assert record["env_steps"] >= 12_000
    if name == "trpo":
        assert all(r["kl"] <= settings.delta * (1 + 1e-4) for _, r in history)
        assert history[0][1]["accepted"]
        assert {r["accepted"] for _, r in history} == {0, 1}  # at the end there is nothing to gain
    if name == "npg":
        assert history[0][1]["kl"] == pytest.approx(0.05, rel=0.5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.pitfall(25)
def test_the_seed_determines_each(name):
    ends = [train_on_corridor(name, seed, 600)[3][-1] for seed in (1, 1, 2)]
    one, two, other = (state.theta.tobytes() for state, _ in ends)
    assert one == two != other
    assert ends[0][1] == ends[1][1]


@given(policies(), RNGS)
@pytest.mark.equation("E48")
@pytest.mark.pitfall(27)
def test_kronecker_factors_are_exact_for_one_sample(drawn, rng):
    """One observation: every layer's block of the exact Fisher matrix is A ⊗ G."""
    policy, theta = drawn
    theta = 0.5 * theta
    obs = rng.standard_normal((1, policy.network.sizes[0]))
    whole = fisher_matrix(policy, theta, obs, np.ones(1))
    for (at, _), (a, g) in zip(policy.network.slices, factors(policy, theta, obs).layers,
                                 strict=True):  # fmt: skip
        block = whole[at, at]
        np.testing.assert_allclose(np.kron(a, g), block, rtol=1e-9,
                                   atol=1e-10 * (1 + np.abs(block).max()))  # fmt: skip


@given(policies(), RNGS)
@pytest.mark.equation("E48")
def test_kronecker_factors_are_the_means_of_their_samples(drawn, rng):
    """And where they are exact, for a batch of one observation repeated, as above."""
    policy, theta = drawn
    obs = rng.standard_normal((5, policy.network.sizes[0]))
    single = [factors(policy, theta, o[None]) for o in obs]
    together = factors(policy, theta, obs)
    for i, (a, g) in enumerate(together.layers):
        close = {"rtol": 1e-9, "atol": 1e-10 * (1 + np.abs(g).max())}
        np.testing.assert_allclose(a, np.mean([f.layers[i][0] for f in single], 0), **close)
        np.testing.assert_allclose(g, np.mean([f.layers[i][1] for f in single], 0), **close)
    mixed = average(together, single[0], 0.75)
    np.testing.assert_allclose(
        mixed.layers[0][1], 0.75 * together.layers[0][1] + 0.25 * single[0].layers[0][1]
    )
    assert average(None, together, 0.5) is together


@given(policies(), RNGS, st.sampled_from([1e-3, 0.1, 1.0]))
@pytest.mark.equation("E48")
def test_the_factored_solve_is_that_of_the_damped_blocks(drawn, rng, damping):
    """((A + π√λ) ⊗ (G + √λ/π)) x = g block by block, with np.kron; log σ by 2 + λ."""
    policy, theta = drawn
    obs = rng.standard_normal((5, policy.network.sizes[0]))
    kronecker, g = factors(policy, theta, obs), rng.standard_normal(theta.shape)
    x = solve(policy, kronecker, g, damping)
    for (at, _), (a, s) in zip(policy.network.slices, kronecker.layers, strict=True):
        ratio = np.sqrt((np.trace(a) / len(a)) / (np.trace(s) / len(s)))
        left = a + ratio * np.sqrt(damping) * np.eye(len(a))
        right = s + np.sqrt(damping) / ratio * np.eye(len(s))
        expected = np.linalg.solve(np.kron(left, right), g[at])
        np.testing.assert_allclose(x[at], expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())
    log_std = slice(policy.network.num_params, None)
    np.testing.assert_allclose(x[log_std], g[log_std] / (2 + damping))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [1e-24, 1e-14, 1e14, 1e24])
def test_the_factored_solve_is_the_same_in_every_unit_of_g(unit, dtype):
    """σ of an action in another unit multiplies G and with it λ; G = 0 leaves g/λ."""
    policy, rng = softmax_policy(3, 4, (5,)), np.random.default_rng(0)
    theta = policy.init(rng, output_gain=1.0, dtype=dtype)
    found = factors(policy, theta, rng.standard_normal((9, 3)).astype(dtype))
    g = rng.standard_normal(theta.shape).astype(dtype)
    scaled = Factors([(a, (s * unit).astype(dtype)) for a, s in found.layers])
    wanted = solve(policy, found, g, 0.1)
    got = solve(policy, scaled, g, 0.1 * unit) * dtype(unit)
    np.testing.assert_allclose(got, wanted, rtol=1e-3 if dtype is np.float32 else 1e-9)
    nothing = Factors([(a, 0 * s) for a, s in found.layers])
    np.testing.assert_allclose(solve(policy, nothing, g, 0.5), g / 0.5, rtol=1e-3)


@given(policies(), RNGS, st.sampled_from([1e-3, 0.1]), st.sampled_from([1e-4, 100.0]))
@pytest.mark.equation("E48")
@pytest.mark.pitfall(14)
def test_acktr_is_the_factored_solve_with_an_undamped_length(drawn, rng, damping, delta):
    """½ dᵀHd is δ with the exact H, or the step is α x; the factors are a running mean."""
    policy, theta = drawn
    theta = 0.5 * theta
    first, second = (draw_samples(policy, theta, rng) for _ in range(2))
    settings = acktr.Settings(delta=delta, damping=damping, learning_rate=0.2, factor_decay=0.75)
    kronecker = None
    for samples in (first, second):
        new, state, figures = acktr.update(policy, theta, samples, settings, kronecker, rng)
        kronecker = average(kronecker, factors(policy, theta, samples.obs), 0.75)
        g = samples.psi @ policy.score(theta, samples.obs, samples.actions) / 12
        x = solve(policy, kronecker, g, damping)
        h = fisher_matrix(policy, theta, samples.obs, np.full(12, 1 / 12))
        rate = min(0.2, np.sqrt(2 * delta / (x @ h @ x)))
        np.testing.assert_allclose(new - theta, rate * x, rtol=1e-6, atol=1e-9)
        assert figures["gradient_norm"] == pytest.approx(np.linalg.norm(g))
        for got, expected in zip(state.layers, kronecker.layers, strict=True):
            np.testing.assert_allclose(got[0], expected[0])
            np.testing.assert_allclose(got[1], expected[1])


@given(policies(), RNGS)
@pytest.mark.equation("E48")
def test_the_critic_s_step_is_gauss_newton_where_v_is_linear(drawn, rng):
    """There A ⊗ G is the exact F: one full step is the least-squares fit, a bounded one moves V by
    2δσ² in the mean square, σ² that of its error."""
    critic = value_critic(softmax_policy(3, 2))
    phi, obs, y = rng.standard_normal(4), rng.standard_normal((9, 3)), rng.standard_normal(9)
    free = acktr.Settings(critic_epochs=1, damping=1e-20, critic_delta=1e6, factor_decay=0.75)
    fitted, state = acktr.refit(critic, phi, None, obs, y, free, rng)
    design = np.hstack([obs, np.ones((9, 1))])
    np.testing.assert_allclose(fitted, np.linalg.lstsq(design, y, rcond=None)[0], atol=1e-6)
    bound = acktr.Settings(critic_epochs=1, damping=1e-20, critic_delta=1e-3)
    moved, _ = acktr.refit(critic, phi, None, obs, y, bound, rng)
    change, error = design @ (moved - phi), y - design @ phi
    assert (change**2).mean() == pytest.approx(2e-3 * (error**2).mean(), rel=1e-6)
    halved = acktr.Settings(critic_epochs=1, damping=1e-20, critic_delta=1e6,
                            critic_learning_rate=0.5)  # fmt: skip
    half, _ = acktr.refit(critic, phi, None, obs, y, halved, rng)
    np.testing.assert_allclose(half, (fitted + phi) / 2, atol=1e-6)
    again, later = acktr.refit(critic, phi, state, 2 * obs, y, free, rng)
    mixed = 0.75 * state.layers[0][0] + 0.25 * 4 * design.T @ design / 9
    np.testing.assert_allclose(later.layers[0][0][:3, :3], mixed[:3, :3])
    perfect, _ = acktr.refit(critic, phi, None, obs, design @ phi, free, rng)
    np.testing.assert_allclose(perfect, phi)
    still, _ = acktr.refit(critic, 0 * phi, None, obs, 0 * y, acktr.Settings(), rng)  # no error
    assert not still.any()


@given(policies(), RNGS)
@pytest.mark.equation("E48")
def test_a_deep_critic_s_steps_lower_its_error(drawn, rng):
    """Its factors are those of the policy's own network with a unit Gaussian for a head."""
    network = drawn[0].network
    critic = value_critic(softmax_policy(network.sizes[0], 2, network.sizes[1:-1]))
    phi = critic.init(rng, np.float64)
    obs = rng.standard_normal((12, network.sizes[0]))
    y = 50 + 10 * np.tanh(obs.sum(1))
    settings = acktr.Settings(critic_epochs=20)
    fitted, state = acktr.refit(critic, phi, None, obs, y, settings, rng)
    before, after = (((critic.values(x, x, obs) - y) ** 2).mean() for x in (phi, fitted))
    assert after < 0.2 * before
    first = acktr.refit(critic, phi, None, obs, y, acktr.Settings(critic_epochs=1), rng)[1]
    gaussian = Policy(critic.network, Gaussian(1))
    expected = factors(gaussian, np.append(phi, 0.0), obs)
    for (a, g), (a2, g2) in zip(first.layers, expected.layers, strict=True):
        np.testing.assert_allclose(a, a2)
        np.testing.assert_allclose(g, g2)


@pytest.mark.equation("E02")
def test_cem_climbs_without_a_gradient():
    mdp, rng = corridor(), np.random.default_rng(0)
    policy = softmax_policy(4, 2)
    envs = TabularVectorEnv(mdp, 4)
    loop = cem.cem(envs, policy, np.zeros(10, np.float32), cem.Settings(), 6000, rng)
    history = list(loop)
    state, record = history[-1]
    theta = state.theta
    assert theta.dtype == np.float32
    assert exact.objective(mdp, policy.probs(theta.astype(float), mdp.features)) > 0.9
    assert record["episodes"] == 160 * len(history)
    assert record["best_return"] >= record["mean_return"]


@pytest.mark.equation("E02")
def test_cem_draws_the_next_candidates_around_the_best(monkeypatch):
    """Two iterations written out, on a return that is a known function of θ."""
    rng, played = np.random.default_rng(0), []

    def play(envs, policy, theta, rng):  # five rows, of which seven are data, in two games
        played.append(theta)
        return SimpleNamespace(rewards=np.full((5, 2), theta @ [1.0, -2.0, 0.5]), num_steps=7)

    monkeypatch.setattr(cem, "play_episodes", play)
    settings = cem.Settings(population=6, elite=3, std=2.0, extra_std=0.5)
    start = np.array([1.0, 2.0, 3.0])
    (one, record), (two, _) = cem.cem(SimpleNamespace(num_envs=2), None, start, settings, 80, rng)
    rng, std = np.random.default_rng(0), np.full(3, 2.0)
    for i, state in enumerate((one, two)):
        candidates = start + std * rng.standard_normal((6, 3))
        np.testing.assert_array_equal(played[6 * i : 6 * i + 6], candidates)
        returns = 5 * candidates @ [1.0, -2.0, 0.5]
        best = candidates[np.argsort(returns)[3:]]
        extra = (0.5 * 0.25, 0.0)[i]  # 60 of 80 steps, then more than all
        start, std = best.mean(0), np.sqrt(best.var(0) + extra**2)
        np.testing.assert_allclose(state.theta, start)
        np.testing.assert_allclose(state.theta_state, std)
        assert (state.env_steps, state.episodes) == (60 * (i + 1), 12 * (i + 1))
        if not i:
            assert record == pytest.approx({
                "env_steps": 60, "episodes": 12, "mean_return": returns.mean(), "mean_length": 3.5,
                "best_return": returns.max(), "std": std.mean()})  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "options", "name"),
    [(npg.Settings, {"delta": 0.0}, "delta"), (trpo.Settings, {"delta": -1.0}, "delta"),
     (trpo.Settings, {"delta": float("nan")}, "delta"),
     (npg.Settings, {"damping": -1.0}, "damping"),
     (npg.Settings, {"learning_rate": -1.0}, "learning_rate"),
     (trpo.Settings, {"solver": "lu"}, "solver"),
     (acktr.Settings, {"critic_delta": 0.0}, "critic_delta"),
     (npg.Settings, {"cg_iterations": 0}, "cg_iterations"), (ppo.Settings, {"clip": 0.0}, "clip"),
     (ppo.Settings, {"clip": 1.0}, "clip"), (ppo.Settings, {"epochs": 0}, "epochs"),
     (ppo.Settings, {"gamma": 2.0}, "gamma"), (npg.Settings, {"lam": -1.0}, "lam"),
     (trpo.Settings, {"n_steps": 0}, "n_steps"), (trpo.Settings, {"critic_epochs": 0}, "critic_e"),
     (ppo.Settings, {"critic_learning_rate": -1.0}, "critic_l"),
     (npg.Settings, {"critic_minibatch": 0}, "critic_minibatch"),
     (acktr.Settings, {"critic_epochs": 0}, "critic_e"),
     (acktr.Settings, {"critic_learning_rate": -1.0}, "critic_l"),
     (ppo.Settings, {"learning_rate": float("inf")}, "learning_rate"),
     (acktr.Settings, {"damping": 0.0}, "damping"),
     (acktr.Settings, {"factor_decay": 2.0}, "factor_decay"),
     (cem.Settings, {"elite": 1}, "elite"), (cem.Settings, {"population": 3}, "population")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(settings, options, name):
    with pytest.raises(ValueError, match=f"{name}.*: expected"):
        settings(**options)


@pytest.mark.equation("E15")
@given(RNGS, st.integers(1, 12), st.integers(1, 3))
def test_the_critic_s_fit_is_its_steps_of_adam_written_out(rng, minibatch, epochs):
    """A permutation an epoch, cut into ⌊N/minibatch⌋ parts of nearly one size, at least one."""
    critic = value_critic(softmax_policy(3, 2, (4,)))
    phi, n = critic.init(rng, np.float64), 11
    obs, y = rng.standard_normal((n, 3)), rng.standard_normal(n)
    drawn = np.random.default_rng(5)
    expected, state, steps = phi, adam_init(phi), max(1, n // minibatch)
    for _ in range(epochs):
        order = drawn.permutation(n)
        for part in range(steps):
            size, longer = divmod(n, steps)
            start = part * size + min(part, longer)
            chosen = order[start : start + size + (part < longer)]
            g = critic.error_gradient(expected, obs[chosen], y[chosen])
            expected, state = adam(expected, -g, state, 0.01)
    got, after = fit_values(critic, phi, adam_init(phi), obs, y, epochs, minibatch, 0.01,
                            np.random.default_rng(5))  # fmt: skip
    assert after.steps == epochs * steps
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.pitfall(20)
def test_columns_are_refused_where_the_clipped_surrogate_expects_vectors():
    policy = softmax_policy(2, 2)  # with two samples and two actions all shapes would broadcast
    theta, rng = np.ones(6), np.random.default_rng(0)
    obs, actions, log_prob, psi = (x[:2] for x in draw_samples(policy, theta, rng))
    for name, columns in (
        ("log_prob", (log_prob[:, None], psi)),
        ("psi", (log_prob, psi[:, None])),
    ):
        with pytest.raises(ValueError, match=rf"{name}: expected shape \(2,\), got"):
            clipped_surrogate(policy, theta, obs, actions, *columns, 0.2)


def test_nan_advantages_are_refused():
    policy = softmax_policy(2, 2)
    theta, rng = np.ones(6), np.random.default_rng(0)
    samples = draw_samples(policy, theta, rng)._replace(psi=np.full(12, np.nan))
    for module in FIRST_STATE:
        state = first_state(module, theta)
        with pytest.raises(ValueError, match="psi: expected finite"):
            module.update(policy, theta, samples, module.Settings(), state, rng)


def test_parameters_that_are_not_finite_after_a_step_are_refused():
    def broken(policy, theta, samples, settings, state, rng):
        return theta * np.nan, state, {}

    envs, rng = adapt(TabularVectorEnv(corridor(), 5)), np.random.default_rng(0)
    run = learn(envs, softmax_policy(4, 2), np.ones(10), AdamSettings(), 60, rng, broken)
    with pytest.raises(ValueError, match="parameters after the step: expected finite"):
        next(run)


def test_no_sample_is_refused():
    policy = softmax_policy(2, 2)
    theta, rng = np.ones(6), np.random.default_rng(0)
    none = Samples(*(x[:0] for x in draw_samples(policy, theta, rng)))
    for module in FIRST_STATE:
        state = first_state(module, theta)
        with pytest.raises(ValueError, match="number of samples: expected"):
            module.update(policy, theta, none, module.Settings(), state, rng)


def test_an_iteration_of_nothing_but_resets_is_passed_over():
    """Games of one step: every other row is a reset, and no data."""
    mdp = TabularMDP.from_arrays(np.ones((1, 2, 1)), np.ones((1, 2)), np.ones(1), 0.9,
                                 terminal=np.zeros(1, bool)).unroll(1)  # fmt: skip
    policy, seen, rng = softmax_policy(1, 2), [], np.random.default_rng(0)

    def look(policy, theta, samples, settings, state, rng):
        seen.append(len(samples.obs))
        return theta, state, {}

    envs, theta = adapt(TabularVectorEnv(mdp, 1)), np.ones(4)
    history = list(learn(envs, policy, theta, AdamSettings(n_steps=1), 6, rng, look))
    assert seen == [1, 1, 1]
    assert [record["env_steps"] for _, record in history] == [1, 3, 5]
    assert all(state.theta.tobytes() == theta.tobytes() for state, _ in history)


def test_a_singular_fisher_matrix_leaves_cg_with_a_reason():
    """A direction without curvature: CG stops at it and keeps the iterate before, and a dense
    factorisation is refused: H of one observation has not full rank."""
    policy, rng = softmax_policy(2, 3), np.random.default_rng(0)
    obs, g = np.zeros((1, 2)), np.ones(9)
    with pytest.raises(ValueError, match="damping: expected more than 0.0, H is singular"):
        natural_gradient(policy, np.zeros(9), obs, g, 0.0, "cholesky", 1)
    with pytest.raises(ValueError, match="damping: expected more than 1e-300, H is singular"):
        solve(policy, factors(policy, np.zeros(9), obs + 1), g, 1e-300)
    policy = softmax_policy(2, 2)
    samples = draw_samples(policy, np.zeros(6), rng, 1)
    new, _, figures = trpo.update(
        policy, np.zeros(6), samples, trpo.Settings(damping=0.0), None, rng
    )
    assert np.isfinite(new).all()
    assert policy.kl(new, np.zeros(6), samples.obs).mean() <= 0.01
    result = conjugate_gradients(lambda v: np.diag([1.0, 0.0]) @ v, np.array([0.0, 1.0]))
    assert result.reason == "negative curvature"
    assert not result.x.any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.equation("E24")
def test_the_loop_hands_the_update_scaled_gae_of_the_critic_before_its_refit(seed):
    """Two iterations written out, with an update that halves θ; and the record of each."""
    settings = AdamSettings(0.9, 0.7, n_steps=6, critic_epochs=2, critic_minibatch=9)
    policy, theta, seen = softmax_policy(4, 2), np.linspace(-1, 9, 10), []

    def look(policy, theta, samples, settings, state, rng):
        seen.append(samples)
        return theta / 2, state, {}

    envs, rng = adapt(TabularVectorEnv(corridor(), 5)), np.random.default_rng(seed)
    records = [record for _, record in learn(envs, policy, theta, settings, 60, rng, look)]
    envs, rng = adapt(TabularVectorEnv(corridor(), 5)), np.random.default_rng(seed)
    critic = value_critic(policy)
    phi = critic.init(rng, theta.dtype)
    state, stream = adam_init(phi), start_stream(envs, theta, rng)
    for samples, record in zip(seen, records, strict=True):
        batch, stream = collect(envs, policy, theta, rng, 6, stream)
        delta, values = td_errors(critic, phi, theta, batch, 0.9)
        adv = gae(delta, batch.ends, 0.9, 0.7)
        chosen = adv[batch.valid]
        np.testing.assert_allclose(
            samples.psi, (chosen - chosen.mean()) / (chosen.std() + 1e-8), rtol=1e-9, atol=1e-12
        )
        np.testing.assert_array_equal(samples.obs, batch.obs[:-1][batch.valid])
        np.testing.assert_array_equal(samples.log_prob, batch.log_prob[batch.valid])
        target = (values + adv)[batch.valid]
        before, theta = theta, theta / 2
        assert record["kl"] == pytest.approx(policy.kl(theta, before, samples.obs).mean())
        assert record["entropy"] == pytest.approx(policy.entropy(theta, samples.obs).mean())
        phi, state = fit_values(critic, phi, state, samples.obs, target, 2, 9, 0.003, rng)
    assert len(seen) == 2


@pytest.mark.parametrize("unit", [2.0**-75, 2.0**66])
@pytest.mark.equation("E44")
def test_the_curvature_of_a_step_in_single_precision_is_a_number(unit):
    """xᵀHx is unit², 1e-45 or 1e40, past what float32 holds: in float64 it is not."""
    policy, theta = softmax_policy(2, 2), np.ones(6, np.float32)
    obs = np.random.default_rng(0).standard_normal((9, 2))
    g = np.random.default_rng(1).standard_normal(6).astype(np.float32)
    (x, plain), (large, scaled) = (
        natural_gradient(policy, theta, obs, g * np.float32(u), 0.5, "cg", 9) for u in (1, unit)
    )
    np.testing.assert_array_equal(large, x * np.float32(unit))
    assert scaled == plain * unit**2
    assert (
        natural_gradient(policy, np.ones(6), obs, 1e200 * g.astype(float), 0.5, "cg", 9)[1]
        == np.inf
    )


def test_factors_that_are_no_numbers_are_refused():
    policy, theta = softmax_policy(2, 2), np.ones(6)
    with np.errstate(all="raise"), pytest.raises(ValueError, match="Kronecker factor .smaller obs"):
        factors(policy, theta, np.full((3, 2), 1e200))


def test_steps_of_whole_numbers_are_not_cut_to_them():
    """θ + ½ step is no θ again; K-FAC's solve of an integer gradient is that of the same floats."""
    search = backtrack(np.zeros(2, int), np.ones(2, int), lambda x: (1.0, x @ x), 0.6)
    np.testing.assert_array_equal(search.theta, [0.5, 0.5])
    policy, theta = softmax_policy(2, 2), np.ones(6)
    kronecker, g = factors(policy, theta, np.eye(2)), np.arange(6)
    np.testing.assert_array_equal(*(solve(policy, kronecker, x, 0.1) for x in (g, 1.0 * g)))
