"""Attribution: each contribution against another computation of it, and their sum."""

import dataclasses
import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from strategies import RNGS, problems

from minipg import algorithms
from minipg.algorithms import acktr, actor_critic, npg, ppo, reinforce, trpo
from minipg.claims import Problem
from minipg.commands import attribution, estimators
from minipg.commands.attribution import Recipe, attribute, estimate, moments
from minipg.commands.ingredients import ingredients, settings_of
from minipg.estimators.critics import td_errors, value_critic
from minipg.estimators.returns import gae
from minipg.experience.batch import Batch
from minipg.experience.rollout import collect, play_episodes, start_stream
from minipg.policies.build import softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import contract, exact
from minipg.truth.check import complex_step

LAMBDAS = st.sampled_from([0.0, 0.5, 0.95, 1.0])
LOOPS = {"npg": npg, "trpo": trpo, "ppo": ppo, "acktr": acktr}
ALL_ON = "actor_critic --normalize --entropy 0.1 --max-norm 0.3 --normalize-rewards"


def arrays(seed=0):
    """A random table of two states and two actions, as of an .npz."""
    rng = np.random.default_rng(seed)
    return {"transition": rng.dirichlet(np.ones(2), (2, 2)), "start": np.eye(2)[0], "gamma": 0.8,
            "reward": rng.standard_normal((2, 2))}  # fmt: skip


def own_table():
    """It, a policy and a θ."""
    mdp, policy = TabularMDP.from_arrays(**arrays()), softmax_policy(2, 2)
    return mdp, policy, policy.init(np.random.default_rng(0), 1.0)


@pytest.fixture
def short(monkeypatch):
    """No more than two steps on FrozenLake and three on one's own table."""
    monkeypatch.setattr(attribution, "MOST_CALLS", 1_200)


@st.composite
def small_problems(draw, most=40):
    """Any table as long as `most` trajectories allow; or one of two or three steps, with ties.

    40: every pair of games can be written out.
    """
    p = draw(problems())
    if draw(st.booleans()):
        rng = draw(RNGS)
        row, ends = np.repeat(np.arange(4), 2), np.tile([False, True], 4)
        next_state = np.where(ends, 1, rng.integers(2, size=8))
        mdp = TabularMDP.from_entries(
            row, next_state, rng.dirichlet(np.ones(2), 4).ravel(), rng.integers(2, size=8) * 1.0,
            ends, rng.dirichlet(np.ones(2)), draw(st.sampled_from([0.5, 0.9])), None, 2,
        )  # fmt: skip
        policy = softmax_policy(2, 2)
        p = Problem(mdp, mdp, policy, rng.standard_normal(policy.num_params), 0)
    for horizon in (3, 2, 1):
        p = dataclasses.replace(p, start=p.mdp.unroll(horizon))
        if len(p.batch.weight) <= most:
            break
    assume(len(p.batch.weight) <= most and np.abs(p.gradient).max() > 1e-6)
    return p


def close(p, got, expected):
    size = max(
        np.abs(expected).max(), np.abs(p.gradient).max(), 1e-4 * np.abs(p.start.reward).max()
    )
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10 * size)


def bootstrapped(p, error, lam, discounted_visits=True):
    """∇J or its form without γ^t, and the bias of GAE with V^π + error, by dense inverses."""
    gamma, n = p.start.gamma, p.start.num_states
    after = p.start.continuing.toarray()
    chain = (p.pi.reshape(-1, 1) * after).reshape(n, -1, n).sum(1)
    y = np.linalg.inv(np.eye(n) - gamma * lam * chain) @ error
    psi = exact.advantages(p.start, p.pi) + gamma * (1 - lam) * (after @ y).reshape(n, -1)
    return exact.expected_score(p.start, p.policy, p.theta, psi, discounted_visits)


def cut(p, limit, values):
    """The table that ends after `limit` steps, there with γ V(s′) added to the reward."""
    size = p.mdp.num_states * p.mdp.num_actions
    last = (p.start.row // size == limit - 1) & ~p.start.terminated
    reward = p.start.reward + p.start.gamma * last * values[p.start.next_state]
    return dataclasses.replace(p.start, reward=reward, terminated=p.start.terminated | last)


# one at a time


@given(small_problems(100), RNGS, LAMBDAS, st.integers(1, 3))
@pytest.mark.equation("E05", "E19", "E20", "E24", "errata 7", "errata 10")
@pytest.mark.pitfall(1, 8)
def test_each_ingredient_alone_has_the_mean_that_is_solved(p, rng, lam, games):
    """By solves on the table, no trajectory among them."""

    def mean(**change):
        return moments(p, Recipe(**change), games)[0]

    def solved(table, **options):
        return exact.policy_gradient(table, p.policy, p.theta, **options)

    close(p, mean(), p.gradient)
    close(p, mean(gamma_t=False), solved(p.start, discounted_visits=False))
    close(p, mean(values=p.values, lam=lam), p.gradient)
    error = rng.standard_normal(p.start.num_states) * (1 + np.abs(p.values).max())
    bias = exact.bootstrap_bias(p.start, p.policy, p.theta, error, lam)
    close(p, mean(values=p.values + error, lam=lam), p.gradient + bias)
    close(p, mean(values=p.values + error), p.gradient)  # λ = 1: a baseline (E21)
    close(p, bootstrapped(p, error, lam), p.gradient + bias)
    close(p, 7.0 * mean(scale=7.0), p.gradient)
    close(p, 7.0 * mean(scale=7.0, values=p.values + error, lam=lam), p.gradient + bias)
    close(p, mean(clip=0.1), p.gradient)
    visited = exact.visits(p.start, p.pi, 1.0)
    bonus = [complex_step(lambda x: visited @ p.policy.entropy(x, p.start.features), p.theta, e)
             for e in np.eye(len(p.theta))]  # fmt: skip
    close(p, mean(entropy=0.3), p.gradient + 0.3 * np.array(bonus))


@given(small_problems(100), RNGS)
@pytest.mark.pitfall(1)
def test_a_time_limit_is_the_table_that_ends_there(p, rng):
    """As an end: ∇J of the shorter table; bootstrapped: with γ V where it cut, V^π or another."""
    horizon = len(p.batch.rewards)
    assume(horizon > 1)
    values = p.values + rng.standard_normal(p.start.num_states)
    for limit in range(1, horizon):
        for bootstrap, used in ((False, values), (True, p.values), (True, values)):
            v = bootstrap * used
            got, _ = moments(p, Recipe(limit=limit, bootstrap=bootstrap, values=used), 1)
            close(p, got, exact.policy_gradient(cut(p, limit, v), p.policy, p.theta))
    shorter = p.mdp.unroll(horizon - 1)
    close(p, moments(p, Recipe(limit=horizon - 1, bootstrap=False), 1)[0],
          exact.policy_gradient(shorter, p.policy, p.theta))  # fmt: skip


def written_out(p, r, games):
    """Mean and summed variance over every tuple of trajectories in every order, by the formulas."""
    values = (np.zeros(p.start.num_states) if r.values is None else r.values) / r.scale
    gamma, got, weights = p.start.gamma, [], []
    entropy_score = np.array([
        complex_step(lambda x: p.policy.entropy(x, p.start.features), p.theta, e)
        for e in np.eye(len(p.theta))
    ])  # (P, S)  # fmt: skip
    each = []
    for b in range(len(p.batch.weight)):
        steps = p.batch.valid[:, b].sum()
        s, a = p.states[:, b], p.batch.actions[:steps, b]
        after = values[s[1:]] * ~p.batch.terminated[:, b]
        delta = p.batch.rewards[:, b] / r.scale + gamma * after - values[s[:-1]]
        psi = [sum((gamma * r.lam) ** (i - t) * delta[i] for i in range(t, steps))
               for t in range(steps)]  # fmt: skip
        scores = p.policy.score(p.theta, p.start.features[s[:steps]], a)
        factor = gamma ** np.arange(steps) if r.gamma_t else np.ones(steps)
        each.append((np.array(psi), scores, factor, entropy_score[:, s[:steps]].sum(1)))
    for chosen in itertools.product(range(len(each)), repeat=games):
        parts = [each[b] for b in chosen]
        psi, factor = (np.concatenate([part[k] for part in parts]) for k in (0, 2))
        if r.normalize:
            psi = (psi - psi.mean()) / (np.sqrt(((psi - psi.mean()) ** 2).mean()) + 1e-8)
        g = (psi * factor) @ np.concatenate([part[1] for part in parts])
        g = g + r.entropy * sum(part[3] for part in parts)
        g = g / (len(psi) if r.per_step else games)
        got.append(g * min(1.0, r.max_norm / max(np.sqrt(g @ g), 1e-300)))
        weights.append(np.prod(p.batch.weight[list(chosen)]))
    mean = np.array(weights) @ got
    return mean, np.array(weights) @ ((np.array(got) - mean) ** 2).sum(1)


@given(small_problems(), RNGS, LAMBDAS, st.data())
@pytest.mark.equation("E20", "E24")
@pytest.mark.pitfall(9)
def test_any_combination_over_every_pair_of_games(p, rng, lam, data):
    """Normalisation, the mean over steps, the shortened norm, …: mean and summed variance."""
    flag = data.draw(st.lists(st.booleans(), min_size=7, max_size=7))
    error = rng.standard_normal(p.start.num_states)
    change = dict(gamma_t=flag[0], normalize=flag[1], per_step=flag[2],
                  max_norm=[np.inf, 0.5 * np.linalg.norm(p.gradient)][flag[3]],
                  entropy=0.2 * flag[4], scale=[1.0, 3.0][flag[5]],
                  values=p.values + error if flag[6] else None, lam=lam if flag[6] else 1.0,
                  clip=0.2 if not flag[4] and flag[5] else 0.0)  # fmt: skip
    games = 2 if len(p.batch.weight) <= 25 else 1
    mean, variance = moments(p, Recipe(**change), games)
    expected_mean, expected_variance = written_out(p, Recipe(**change), games)
    size = np.sqrt(expected_variance) + np.abs(expected_mean).max() + 1e-9
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-7, atol=1e-8 * size)
    np.testing.assert_allclose(variance, expected_variance, rtol=1e-6, atol=1e-9 * size**2)


@pytest.mark.usefixtures("short")
def test_games_that_act_on_each_other_need_their_batch():
    """The bias of normalisation alone is another for one game and for two; with γ^t it is 0."""
    p = attribution.problem(*own_table(), 0, 2)
    one, two = (moments(p, Recipe(normalize=True), m)[0] for m in (1, 2))
    assert np.abs(one - two).max() > 1e-2 * np.abs(p.gradient).max()
    assert moments(p, Recipe(), 1)[1] == pytest.approx(2 * moments(p, Recipe(), 2)[1])


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("baseline", ["time", "optimal"])
def test_reinforce_s_baseline_is_of_the_other_games(baseline):
    """Mean and variance are those of reinforce's own estimate, by the contract's enumeration."""
    p = attribution.problem(*own_table(), 0, 2)
    settings = reinforce.Settings(gamma=p.start.gamma, baseline=baseline, gamma_t=True)
    expected, covariance = contract.exact_moments(
        lambda batch: reinforce.estimate(p.policy, p.theta, batch, settings), p.batch, 2
    )
    mean, variance = moments(p, Recipe(baseline=baseline), 2)
    close(p, mean, expected)
    assert variance == pytest.approx(np.trace(covariance))


@pytest.mark.usefixtures("short")
def test_the_rewards_are_divided_by_the_deviation_of_their_discounted_sum_so_far():
    """By a loop over the steps of every game."""
    p = attribution.problem(*own_table(), 0, 1)
    seen, weights = [], []
    for b, weight in enumerate(p.batch.weight):
        total = 0.0
        for t in range(int(p.batch.valid[:, b].sum())):
            total = 0.8 * total + p.batch.rewards[t, b]
            seen.append(total)
            weights.append(weight)
    mean = np.average(seen, weights=weights)
    expected = np.sqrt(np.average((np.array(seen) - mean) ** 2, weights=weights))
    rows = ingredients(p, settings_of("npg", 0.8), p.values)
    (got,) = (row.change["scale"] for row in rows if "scale" in row.change)
    assert got == pytest.approx(expected)


# what is attributed is what trains


@given(small_problems(), RNGS, st.sampled_from(["time", "none", "optimal"]), st.booleans())
@pytest.mark.equation("E05", "E10")
def test_reinforce_s_own_estimate_is_the_recipe(p, rng, baseline, gamma_t):
    batch = play_episodes(TabularVectorEnv(p.start, 3), p.policy, p.theta, rng)
    settings = reinforce.Settings(gamma=p.start.gamma, baseline=baseline, gamma_t=gamma_t)
    expected = reinforce.estimate(p.policy, p.theta, batch, settings)
    to_go = gae(batch.rewards, batch.ends, p.start.gamma, 1.0)
    words = f"reinforce --baseline {baseline} {'' if gamma_t else '--no-gamma-t'}"
    got = estimate(p.policy, p.theta, batch, to_go, p.start.gamma, configured(p, words))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def configured(p, words):
    """The recipe of an algorithm with all its ingredients."""
    rows = ingredients(p, settings_of(words, p.start.gamma), p.values)
    changes = {k: v for row in rows if row.on for k, v in row.change.items()}
    return Recipe(**changes)


@given(small_problems(), st.integers(0, 99), st.booleans(), st.booleans(), LAMBDAS)
@pytest.mark.equation("E16")
@pytest.mark.pitfall(9)
def test_the_first_step_of_actor_critic_is_the_recipe(p, seed, normalize, entropy, lam):
    """Plain ascent of rate 1 with a critic that stands still: the step is the estimate."""
    settings = actor_critic.Settings(
        gamma=p.start.gamma, lam=lam, n_steps=3, learning_rate=1.0, critic_learning_rate=0.0,
        optimiser="sgd", normalize=normalize, entropy=0.3 * entropy, max_norm=0.4,
    )  # fmt: skip
    envs, rng = TabularVectorEnv(p.start, 3), np.random.default_rng(seed)
    state, _ = next(actor_critic.actor_critic(envs, p.policy, p.theta, settings, 9, rng))
    words = (f"actor_critic --lam {lam} --entropy {settings.entropy} --max-norm 0.4"
             f"{' --normalize' if normalize else ''}")  # fmt: skip
    np.testing.assert_allclose(
        state.theta - p.theta, replayed(p, words, seed, lam), rtol=1e-9, atol=1e-12
    )


def replayed(p, words, seed, lam, **change):
    """The estimate of the configured recipe on the batch that the loop collected first."""
    envs, rng = TabularVectorEnv(p.start, 3), np.random.default_rng(seed)
    critic = value_critic(p.policy)
    phi = critic.init(rng, p.theta.dtype)
    batch, _ = collect(envs, p.policy, p.theta, rng, 3, start_stream(envs, p.theta, rng))
    psi = gae(td_errors(critic, phi, p.theta, batch, p.start.gamma)[0], batch.ends,
              p.start.gamma, lam)  # fmt: skip
    recipe = configured(p, words)._replace(**change)
    return estimate(p.policy, p.theta, batch, psi, p.start.gamma, recipe)


@given(small_problems(), st.integers(0, 99), st.sampled_from(list(LOOPS)))
@pytest.mark.equation("E45", "E46", "E47", "E48")
def test_the_gradient_of_the_loop_s_methods_is_the_recipe(p, seed, name):
    settings = LOOPS[name].Settings(gamma=p.start.gamma, lam=0.5, n_steps=3)
    loop = getattr(LOOPS[name], name)
    envs, rng = TabularVectorEnv(p.start, 3), np.random.default_rng(seed)
    _, record = next(loop(envs, p.policy, p.theta, settings, 9, rng))
    expected = replayed(p, f"{name} --lam 0.5", seed, 0.5, max_norm=np.inf)
    assert record["gradient_norm"] == pytest.approx(np.linalg.norm(expected), rel=1e-7, abs=1e-12)
    assert configured(p, name).max_norm == getattr(settings, "max_norm", np.inf)


# the sum


@given(small_problems(), RNGS, st.sampled_from([ALL_ON, "actor_critic", "ppo --lam 0.5", "trpo"]))
@pytest.mark.equation("E16", "E20", "errata 7")
@pytest.mark.pitfall(8, 9)
def test_contributions_are_solved_in_their_order_and_add_up_to_the_total_bias(p, rng, words):
    """The first by solves; the sum is the bias of the whole, by the contract's enumeration."""
    learned = p.values + rng.standard_normal(p.start.num_states)
    settings = settings_of(words, p.start.gamma)
    chosen = ingredients(p, settings, learned)
    games = 2 if len(p.batch.weight) <= 12 else 1
    every = list(attribute(p, chosen, games))
    alone = next(row["alone"] for row in every if row["ingredient"] == "learned V for V^π")
    bias = exact.bootstrap_bias(p.start, p.policy, p.theta, learned - p.values, settings.lam)
    close(p, alone["bias"], np.linalg.norm(bias))
    rows = {row["ingredient"]: row["in_order"] for row in every if row["on"]}
    names = list(rows)
    assert names[:4] == ["REINFORCE, γ^t kept", "γ^t dropped",
                         f"GAE of V^π, λ = {settings.lam:g}", "learned V for V^π"]  # fmt: skip
    own = [np.array(rows[name]["contribution"]) for name in names]
    dropped = exact.policy_gradient(p.start, p.policy, p.theta, discounted_visits=False)
    with_error = bootstrapped(p, learned - p.values, settings.lam, discounted_visits=False)
    for got, expected in zip(own, (0 * dropped, dropped - p.gradient, 0 * dropped,
                                   with_error - dropped), strict=False):  # fmt: skip
        close(p, got, expected)

    def whole(batch: Batch) -> np.ndarray:
        """The configured algorithm's gradient, its steps in the order of its loop."""
        values = learned[np.round(batch.obs[..., -1]).astype(int)]
        c = scale if getattr(settings, "normalize_rewards", False) else 1.0
        batch = dataclasses.replace(batch, rewards=batch.rewards / c, obs=batch.obs[..., :-1])
        table = SimpleNamespace(values=lambda *_: values / c)
        delta, _ = td_errors(table, None, None, batch, p.start.gamma)
        psi = gae(delta, batch.ends, p.start.gamma, settings.lam)
        if getattr(settings, "normalize", True):
            psi = algorithms.actor_critic.normalize(psi, batch.valid)
        s = actor_critic.Settings(entropy=getattr(settings, "entropy", 0.0))
        g, _ = actor_critic.ascent_direction(p.policy, p.theta, batch, psi, psi, s)
        return actor_critic.clip_norm(g, getattr(settings, "max_norm", np.inf))

    names_of_scale = [name for name in names if name.startswith("rewards")]
    scale = next((i.change["scale"] for i in chosen if i.name in names_of_scale), 1.0)
    numbered = np.concatenate([p.batch.obs, p.states[..., None]], -1)
    try:
        total, covariance = contract.exact_moments(
            whole, dataclasses.replace(p.batch, obs=numbered), games
        )
    except ValueError as error:  # ψ of one game of one step, normalised, is 0 whatever it is
        assume("a constant" not in str(error))
        raise
    close(p, sum(own), total - p.gradient)
    assert rows[names[-1]]["variance"] == pytest.approx(np.trace(covariance), rel=1e-6, abs=1e-12)
    bias = np.linalg.norm(sum(own))
    assert rows[names[-1]]["bias"] == pytest.approx(bias, rel=1e-12, abs=1e-14)
    along = sum(row["along"] for row in rows.values())
    assert along == pytest.approx(sum(own) @ p.gradient / (p.gradient @ p.gradient), rel=1e-9)


# the command


def run(capsys, *arguments):
    status = estimators.main(list(arguments))
    return status, *capsys.readouterr()


@pytest.mark.usefixtures("short")
def test_the_command_prints_a_row_an_ingredient_and_draws_them(tmp_path, capsys):
    picture = tmp_path / "attribution.png"
    status, out, error = run(capsys, "--attribute", "actor_critic", "--plot", str(picture))
    assert status == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"picture: {picture}" in error
    enumerated = (
        "all 1176 batches of 2 of the 48 distinct games (111 trajectories) of at most 2 steps"
    )
    assert enumerated + " from state 14" in " ".join(out.split())
    lines = out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("REINFORCE, γ^t kept"))
    names = ["REINFORCE", "γ^t dropped", "time limit 1, bootstrapped (off)",
             "time limit 1, as an end (off)", "GAE of V^π, λ = 0.95", "learned V for V^π",
             "rewards divided by 0.4 (off)", "ψ normalised (off)", "mean over steps, not games",
             "entropy bonus, 0.01 (off)", "norm at most 0.5", "total bias: "]  # fmt: skip
    for name, line in zip(names, lines[first:], strict=True):
        assert line.startswith(name.replace("0.4 ", line.split()[3] + " ")), line
        count = len(line[33:].split())
        assert count == (3 if "(off)" in name else 8) or "total" in name, line
        assert len(line) <= 100


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "words",
    [
        ALL_ON + " --max-episode-steps 1",
        "reinforce",
        "npg",
        "acktr",
        "reinforce --no-gamma-t --max-episode-steps 1",
        "ppo",
        "trpo",
    ],
)
def test_the_json_s_contributions_add_up(tmp_path, words, capsys):
    np.savez(tmp_path / "table.npz", **arrays())
    status, out, _ = run(capsys, str(tmp_path / "table.npz"), "--attribute", words, "--json")
    assert status == 0
    got = json.loads(out)
    on = [row for row in got["rows"] if row["on"]]
    assert all((row["in_order"] is None) == (not row["on"]) for row in got["rows"])
    bias = np.array(on[-1]["in_order"]["mean"]) - got["gradient"]
    contributions = np.sum([row["in_order"]["contribution"] for row in on], axis=0)
    size = np.linalg.norm(got["gradient"])
    np.testing.assert_allclose(contributions, bias, rtol=1e-12, atol=1e-12 * size)
    assert on[-1]["in_order"]["bias"] == pytest.approx(np.linalg.norm(bias), abs=1e-12 * size)
    assert on[0]["alone"]["bias"] < 1e-12 * size
    assert on[0]["alone"]["cosine"] == pytest.approx(1)
    names = " ".join(row["ingredient"] for row in on)
    expected = {"reinforce": "baseline: time", "ppo": "ratio within 1 ± 0.2 norm at most 0.5"}
    assert expected.get(words, "REINFORCE") in names
    assert ("rewards divided" in names) == ("--normalize-rewards" in words)
    assert ("time limit" in names) == ("--max-episode-steps" in words)
    assert ("γ^t dropped" in names) == (words != "reinforce")
    assert ("ψ normalised" in names) == (not words.startswith("reinforce"))
    if words == "reinforce":  # its baseline comes from the other game
        assert on[-1]["in_order"]["bias"] < 1e-12 * size


@pytest.mark.usefixtures("short")
def test_a_table_of_one_s_own(tmp_path, capsys):
    np.savez(tmp_path / "table.npz", **arrays())
    status, out, _ = run(capsys, str(tmp_path / "table.npz"), "--attribute", "actor_critic",
                         "--games", "1")  # fmt: skip
    assert status == 0
    assert "batches of 1 of the" in out
    assert "γ = 0.8" in out


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--attribute", "sarsa"], "--attribute: expected one of reinforce, actor_critic"),
        (["--attribute", ""], "--attribute: expected one of"),
        (["--attribute", "cem"], "--attribute: expected one of"),
        (["--attribute", "actor_critic --lam 2"], "lam: expected a number from 0 to 1"),
        (["--attribute", "actor_critic --max-episode-steps 2"], "--max-episode-steps: expected a"),
        (["--attribute", "ppo", "--games", "0"], "games: expected a number of 1 or more"),
        (["--attribute", "ppo", "--games", "20"], "games: expected at most 1200 batches, got"),
        (["--attribute", "npg", "CartPole-v1"], "env: expected a table P"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments, message, capsys):
    status, out, error = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert message in error
    assert error.count("\n") == 1


def test_an_option_that_no_gradient_uses_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        estimators.main(["--attribute", "actor_critic --gamma 1"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "unknown: --gamma 1; see minipg estimators --attribute 'actor_critic --help'" in error
    with pytest.raises(SystemExit, match="0"):
        estimators.main(["--attribute", "actor_critic --help"])
    assert "--entropy" in capsys.readouterr().out


def test_a_gradient_of_0_has_no_cosine(tmp_path, capsys, monkeypatch):
    """The reward comes in the second step; the first alone has nothing to learn."""
    transition = np.zeros((3, 2, 3))
    transition[0, 0, 1] = transition[0, 1, 2] = transition[1, :, 1] = transition[2, :, 2] = 1
    reward = np.zeros((3, 2))
    reward[1] = 1.0
    np.savez(tmp_path / "late.npz", transition=transition, reward=reward, start=np.eye(3)[0],
             gamma=0.9)  # fmt: skip
    monkeypatch.setattr(attribution, "MOST_CALLS", 5)
    assert estimators.main([str(tmp_path / "late.npz"), "--attribute", "npg"]) == 2
    assert "expected ∇J that is not 0 within 1 steps" in capsys.readouterr().err
