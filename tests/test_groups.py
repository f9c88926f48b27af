"""Group estimators on random deterministic trees: prompts are start states, tokens actions."""

import itertools
import json
import statistics
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from strategies import HIDDEN, RNGS

from minipg.commands import groups as script
from minipg.estimators import returns
from minipg.estimators.group_moments import batch_moments
from minipg.estimators.groups import (
    by_group,
    dr_grpo,
    grpo,
    reinforce_plus_plus,
    remax,
    responses,
    rloo,
)
from minipg.estimators.score_function import gradient, gradients
from minipg.experience import enumeration
from minipg.experience.batch import Batch, columns
from minipg.experience.rollout import play_episodes
from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import contract, exact
from minipg.truth.check import check_mean


@dataclass
class Tree:
    """A policy on a tree, its enumerated responses and the exact ∇J."""

    mdp: TabularMDP
    policy: Policy
    theta: np.ndarray

    def __post_init__(self):
        self.pi = self.policy.probs(self.theta, self.mdp.features)
        self.batch, states = enumeration.enumerate_trajectories(self.mdp, self.pi)
        self.prompt, self.prob = states[0], self.batch.weight
        self.returns, self.lengths = responses(self.batch)
        ones = np.ones(self.batch.rewards.shape)
        self.scores = gradients(self.policy, self.theta, self.batch, ones)
        self.gradient = exact.policy_gradient(self.mdp, self.policy, self.theta)
        self.norm = np.linalg.norm(self.gradient)
        # what an error is compared with: the size of a summand, not of a sum that may cancel
        self.scale = np.abs(self.returns).max() * np.abs(self.scores).max()

    def moments(self, method, size, rewards=None):
        r = self.returns if rewards is None else rewards
        return batch_moments(method, r, self.lengths, self.scores, self.prompt, self.prob, size)

    def of_prompt(self, q):
        """The same tree and policy, from this prompt only."""
        start = np.eye(self.mdp.num_states)[q]
        return Tree(self.mdp.with_start(start), self.policy, self.theta)

    def greedy(self):
        """R of the greedy response to each prompt (Q,)."""
        best = np.eye(self.mdp.num_actions)[self.pi.argmax(1)]
        return exact.state_values(self.mdp, best)[np.unique(self.prompt)]


@st.composite
def trees(draw, prompts=2, binary=False) -> Tree:
    """Two or three tokens, each prompt's tree grown at random leaves to at most five responses."""
    n, a, rng = draw(st.integers(1, prompts)), draw(st.integers(2, 3)), draw(RNGS)
    rows = {(q, b): None for q in range(n) for b in range(a)}  # None: the response ends there
    nodes = {q: q for q in range(n)}  # of each state its prompt
    for q in range(n):
        for _ in range(draw(st.integers(0, 3 if a == 2 else 1))):
            leaves = [k for k, v in rows.items() if v is None and nodes[k[0]] == q]
            child = rows[leaves[rng.integers(len(leaves))]] = len(nodes)
            nodes[child] = q
            rows |= {(child, b): None for b in range(a)}
    state, token = np.array(list(rows)).T
    end = np.array([v is None for v in rows.values()])
    next_state = np.array([s if v is None else v for (s, _), v in rows.items()])
    if binary:
        reward = rng.integers(0, 2, len(end)).astype(float)
    else:
        reward = draw(st.sampled_from([1.0, 100.0])) * rng.standard_normal(len(end))
    start = np.zeros(len(nodes))
    start[:n] = rng.dirichlet(np.full(n, 5.0))
    features = None if draw(st.booleans()) else rng.standard_normal((len(nodes), 3))
    mdp = TabularMDP.from_entries(state * a + token, next_state, np.ones(len(end)), reward * end,
                                  end, start, 1.0, features, a)  # fmt: skip
    policy = softmax_policy(mdp.features.shape[1], a, draw(HIDDEN))
    return Tree(mdp, policy, rng.standard_normal(policy.num_params))


def written_tree() -> Tree:
    """The script's tree: easy and hard prompt, lengths 1 to 4."""
    mdp = script.tree()
    policy = softmax_policy(mdp.num_states, mdp.num_actions)
    return Tree(mdp, policy, policy.init(np.random.default_rng(0), 1.0))


SIZES = st.integers(2, 4)


def of_returns(psi):
    """The method of a ψ that asks for no lengths."""
    return lambda r, n: psi(r)


def std_alone(r, n):
    """GRPO without its 1/length."""
    return grpo(r, np.ones_like(n))


def bias(tree: Tree, method, size: int) -> float:
    """Largest error of the mean against ∇J, relative to the largest summand."""
    return np.abs(tree.moments(method, size)[0] - tree.gradient).max() / tree.scale


@given(trees(), SIZES)
@pytest.mark.equation("E08")
@pytest.mark.pitfall(33)
def test_rloo_and_remax_are_unbiased(tree, size):
    assert bias(tree, of_returns(rloo), size) < 1e-9
    greedy = tree.greedy()
    method = of_returns(lambda r: remax(r, np.broadcast_to(greedy, r.shape[:-1])))
    assert bias(tree, method, size) < 1e-9


@given(trees(), st.integers(2, 6))
@pytest.mark.equation("E08")
def test_dr_grpo_is_rloo_made_shorter(tree, size):
    """ψ, mean and covariance: (1 − 1/G) times RLOO, ∇J, and its square times RLOO's."""
    shrink = 1 - 1 / size
    mean, covariance = tree.moments(of_returns(dr_grpo), size)
    np.testing.assert_allclose(mean, shrink * tree.gradient, rtol=0, atol=1e-9 * tree.scale)
    _, of_rloo = tree.moments(of_returns(rloo), size)
    np.testing.assert_allclose(covariance, shrink**2 * of_rloo, atol=1e-9 * tree.scale**2)
    group = tree.returns[:2]
    np.testing.assert_allclose(dr_grpo(group), 0.5 * rloo(group), atol=1e-12 * tree.scale)


PLANTED = {
    "own sample in the baseline": lambda r, n: r - r.mean(-1, keepdims=True),
    "the group's best as baseline": lambda r, n: r - r.max(-1, keepdims=True),
    "by the length": lambda r, n: rloo(r) / n,
    "by the std": lambda r, n: rloo(r) / (r.std(-1, keepdims=True) + 1e-8),
    "a length-weighted mean of all": lambda r, n: (
        r - (n * r).sum(-1, keepdims=True) / n.sum(-1, keepdims=True)
    ),
    "a median": lambda r, n: r - np.median(r, axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.equation("E08")
def test_power_each_planted_error_is_caught(name):
    """The check of RLOO refuses it by five orders of magnitude and more."""
    for size in (2, 3, 4):
        assert bias(written_tree(), PLANTED[name], size) > 1e-4


def by_hand_grpo(rewards, lengths):
    mean, std = statistics.fmean(rewards), statistics.stdev(rewards)
    return [(r - mean) / std / n if std > 1e-9 else 0.0 for r, n in zip(rewards, lengths,
                                                                        strict=True)]  # fmt: skip


def by_hand_reinforce_plus_plus(rewards, lengths):
    tokens = [r for r, n in zip(rewards, lengths, strict=True) for _ in range(n)]
    mean, std = statistics.fmean(tokens), statistics.pstdev(tokens)
    return [(r - mean) / std if std > 1e-9 else 0.0 for r in rewards]


def by_hand(tree: Tree, psi_of, size: int, whole_batch: bool):
    """Mean and covariance over every ordered tuple of responses, each written out."""
    own = [[int(k) for k in np.flatnonzero(tree.prompt == q)] for q in np.unique(tree.prompt)]
    share = [sum(tree.prob[k] for k in ks) for ks in own]
    tuples = itertools.product(*[itertools.product(ks, repeat=size) for ks in own])
    mean, square = 0.0, 0.0
    for batch in tuples:
        chance, estimate = 1.0, np.zeros(len(tree.theta))
        everyone = [k for group in batch for k in group]
        rest = iter(psi_of(tree.returns[everyone].tolist(), tree.lengths[everyone].tolist()))
        for group, p in zip(batch, share, strict=True):
            k = list(group)
            own_psi = psi_of(tree.returns[k].tolist(), tree.lengths[k].tolist())
            for i, j in enumerate(k):
                chance *= tree.prob[j] / p
                estimate += p / size * (next(rest) if whole_batch else own_psi[i]) * tree.scores[j]
        mean += chance * estimate
        square += chance * np.outer(estimate, estimate)
    return mean, square - np.outer(mean, mean)


@given(trees(), st.integers(2, 3))
def test_grpo_and_reinforce_plus_plus_have_the_bias_counted_by_hand(tree, size):
    """Both moments equal those over all ordered tuples; neither mean is ∇J."""
    assume(len(tree.prob) <= 6)
    size = min(size, 3 if len(np.unique(tree.prompt)) == 1 else 2)
    big = np.abs(tree.scores).max()
    assume(tree.norm > 1e-3 * tree.scale)
    of_batch = (script.whole_batch, by_hand_reinforce_plus_plus, True)
    for method, psi_of, whole in ((grpo, by_hand_grpo, False), of_batch):
        mean, covariance = tree.moments(method, size)
        expected, spread = by_hand(tree, psi_of, size, whole)
        np.testing.assert_allclose(mean, expected, rtol=1e-9, atol=1e-9 * big)
        np.testing.assert_allclose(covariance, spread, rtol=1e-9, atol=1e-9 * big**2)
        assert np.linalg.norm(mean - tree.gradient) > 1e-6 * tree.norm


@given(trees(), SIZES, st.floats(0.01, 100), st.floats(-10, 10))
def test_grpo_and_reinforce_plus_plus_ignore_the_unit_of_the_reward(tree, size, c, d):
    """R → cR + d leaves their mean and multiplies ∇J by c: so they estimate no such gradient."""
    big = np.abs(tree.scores).max()
    for method in (grpo, script.whole_batch):
        mean, _ = tree.moments(method, size)
        other, _ = tree.moments(method, size, c * tree.returns + d)
        np.testing.assert_allclose(other, mean, rtol=1e-6, atol=1e-6 * big)
    _, covariance = tree.moments(of_returns(rloo), size)
    mean, other = tree.moments(of_returns(rloo), size, c * tree.returns + d)
    spread = tree.scale + 10 / c * big
    np.testing.assert_allclose(mean, c * tree.gradient, rtol=0, atol=1e-9 * c * spread)
    np.testing.assert_allclose(other, c**2 * covariance, rtol=0, atol=1e-9 * (c * spread) ** 2)


@given(trees(prompts=1, binary=True), SIZES)
def test_grpo_with_rewards_0_and_1_turns_nothing_within_a_prompt(tree, size):
    """Without 1/length its mean is along ∇V(prompt); what it changes is each prompt's weight."""
    mean, _ = tree.moments(std_alone, size)
    assume(tree.norm > 1e-6)
    along = (mean @ tree.gradient) / tree.norm**2 * tree.gradient
    np.testing.assert_allclose(mean, along, rtol=0, atol=1e-9 * np.abs(tree.scores).max())
    assert mean @ tree.gradient > 0


def coin(rewards, lengths, logit):
    """One prompt with two responses, the second of one or two tokens (the last one is forced)."""
    transition = np.zeros((2, 2, 3))
    transition[0, 0, 2] = transition[1, :, 2] = 1
    transition[0, 1, 1 if lengths[1] == 2 else 2] = 1
    transition = np.concatenate([transition, np.eye(3)[None, None, 2].repeat(2, 1)])
    reward = np.array([[rewards[0], rewards[1] * (lengths[1] == 1)], [rewards[1]] * 2, [0.0] * 2])
    mdp = TabularMDP.from_arrays(transition, reward, np.eye(3)[0], 1.0, np.array([0, 0, 1]) == 1,
                                 np.array([[1.0], [0.0], [0.0]]))  # fmt: skip
    return Tree(mdp, softmax_policy(1, 2), np.array([0.0, logit, 0.0, 0.0]))


@pytest.mark.parametrize("logit", [-1.0, 0.3, 2.0])
@pytest.mark.parametrize("longer", [1, 2])
def test_the_limit_of_large_groups(logit, longer):
    """GRPO without 1/length: ∇ 2 arcsin √p for rewards 0 and 1. REINFORCE++: ∇J/std over tokens."""
    tree = coin((0.0, 1.0), (1, longer), logit)
    p = tree.pi[0, 1]
    of_tokens = longer * p / (longer * p + 1 - p)
    off = []
    for size in (20, 160):
        for method, chance in ((std_alone, p), (script.whole_batch, of_tokens)):
            limit = tree.gradient / np.sqrt(chance * (1 - chance))
            mean, _ = tree.moments(method, size)
            off.append(np.linalg.norm(mean - limit) / np.linalg.norm(limit))
    assert max(off[2:]) < 0.02
    assert off[2] < off[0] / 4
    assert off[3] < off[1] / 4


@given(trees(prompts=1), st.integers(2, 3))
def test_multisets_give_the_moments_of_every_order_through_the_code_that_trains(tree, size):
    """contract.exact_moments calls the Batch code with every tuple of responses in every order."""
    assume(len(tree.prob) ** size <= 125)
    for psi_of in (of_returns(rloo), grpo, reinforce_plus_plus):

        def estimate(batch: Batch, psi_of=psi_of):
            psi = batch.valid * psi_of(*responses(batch))
            return gradient(tree.policy, tree.theta, batch, psi)

        mean, covariance = contract.exact_moments(estimate, tree.batch, games=size)
        got, spread = tree.moments(psi_of, size)
        scale = max(tree.scale, np.abs(tree.scores).max())
        np.testing.assert_allclose(got, mean, rtol=1e-9, atol=1e-9 * scale)
        np.testing.assert_allclose(spread, covariance, rtol=1e-8, atol=1e-9 * scale**2)


@given(trees(), RNGS)
def test_reinforce_plus_plus_is_the_library_s_normalisation_over_tokens(tree, rng):
    batch = columns(tree.batch, rng.integers(len(tree.prob), size=6))
    r, n = responses(batch)
    total = returns.total_return(batch.rewards, batch.ends, 1.0)
    expected = returns.normalize(total, batch.valid)
    got = batch.valid * reinforce_plus_plus(r, n)
    if np.ptp(r) > 1e-3 * tree.scale:
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -1 / 3, 1e9])
@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.pitfall(9)
def test_equal_rewards_give_0_and_no_nan(value, size):
    """(0.1 + 0.1 + 0.1)/3 is not 0.1, and std not 0: noise over noise would be of size 1."""
    r, n = np.full((2, size), value), np.ones((2, size), int)
    r[1, 0] += 1  # the group beside it does differ
    for psi in (grpo(r, n), reinforce_plus_plus(r, n)):
        assert psi[0].tolist() == [0.0] * size
        assert psi[1, 0] > 0.5
    for psi in (rloo(r), dr_grpo(r)):
        np.testing.assert_allclose(psi[0], 0, atol=1e-14 * max(abs(value), 1))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("value", [0.1, -1 / 3, 1000.1, 1e10 / 3, 1e-30])
@pytest.mark.pitfall(34)
def test_returns_equal_up_to_rounding_give_0_at_every_dtype(value, dtype):
    """Also two that differ by the last digit, as sums in another order do."""
    r = np.full(7, value, dtype)
    nearly = r.copy()
    nearly[3] = np.nextafter(r[3], dtype_of(r, np.inf))
    for equal in (r, nearly):
        for psi in (grpo(equal, np.ones(7, int)), reinforce_plus_plus(equal, np.ones(7, int))):
            assert psi.tolist() == [0.0] * 7
            assert psi.dtype == dtype
    nearly[3] = r[3] * dtype_of(r, 1 + 100 * np.finfo(dtype).eps)  # that is a difference
    assert np.abs(grpo(nearly, np.ones(7, int))).max() > 1


def dtype_of(array, number):
    return array.dtype.type(number)


@pytest.mark.parametrize("unit", [1e-200, 1e-160, 1e160, 1e200, 1e307])
def test_no_square_over_or_underflows(unit):
    """Rewards of 1e200: their squares are infinite, their ψ is not 0; lengths are left out."""
    r, n = np.array([1.0, 0.0, 0.25, 0.5]), np.array([1, 2, 3, 4])
    with np.errstate(all="raise"):
        np.testing.assert_allclose(grpo(unit * r, n), grpo(r, n))
        np.testing.assert_allclose(reinforce_plus_plus(unit * r, n), reinforce_plus_plus(r, n))
        for method in (rloo, dr_grpo):
            np.testing.assert_allclose(method(unit * r), unit * method(r))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.pitfall(35)
def test_what_is_no_return_is_no_return_of_0(wrong):
    r, n = np.array([1.0, wrong, 3.0]), np.ones(3, int)
    greedy = np.array(1.0)
    for psi in (lambda: rloo(r), lambda: dr_grpo(r), lambda: grpo(r, n), lambda: remax(r, greedy),
                lambda: reinforce_plus_plus(r, n), lambda: by_group(rloo, n, r)):  # fmt: skip
        with pytest.raises(ValueError, match="returns: expected finite numbers, got 1 of 3"):
            psi()
    with pytest.raises(ValueError, match="greedy: expected finite"):
        remax(n, np.array(wrong))
    for method in (grpo, reinforce_plus_plus):
        for lengths in ([1, 0, 2], [1, -1, 2], [1, wrong, 2]):
            with pytest.raises(ValueError, match="lengths: expected"):
                method(np.arange(3.0), np.array(lengths))
    with pytest.raises(ValueError, match="ddof: expected a whole number from 0 to 1, got 2"):
        grpo(np.arange(3.0), n, ddof=2)


@given(RNGS, st.integers(1, 4))
def test_groups_of_unlike_size_are_their_groups_one_by_one(rng, prompts):
    """In any order of the responses; the std over n where it is asked for."""
    sizes = rng.integers(2, 5, prompts)
    group = rng.permutation(np.repeat(rng.permutation(9)[:prompts], sizes))
    r, n = rng.standard_normal(len(group)), rng.integers(1, 9, len(group))
    got, other = by_group(grpo, group, r, n), by_group(lambda r: grpo(r, 0 * r + 1, 0), group, r)
    for i, g in enumerate(group):
        own = r[group == g]
        assert got[i] == pytest.approx((r[i] - own.mean()) / own.std(ddof=1) / n[i])
        assert other[i] == pytest.approx((r[i] - own.mean()) / own.std())
    with pytest.raises(ValueError, match="group 9: returns: expected groups of 2.*or remax"):
        by_group(rloo, np.append(group, 9), np.append(r, 1.0))
    with pytest.raises(ValueError, match="group: expected shape"):
        by_group(rloo, group[1:], r)


def test_a_response_or_a_prompt_of_no_probability_changes_nothing():
    tree = written_tree()
    arguments = [tree.returns, tree.lengths, tree.scores, tree.prompt, tree.prob]
    more = [np.append(x, x[:1], 0) for x in arguments]
    more[4][-1] = 0
    other = [x.copy() for x in more]
    other[3][-1] = 77
    for added in (more, other):
        for got, expected in zip(batch_moments(grpo, *added, 2),
                                 batch_moments(grpo, *arguments, 2), strict=True):  # fmt: skip
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    for wrong in (-0.1, np.nan, 0.5):
        more[4][-1] = wrong
        with pytest.raises(ValueError, match="prob: (its sum: )?expected"):
            batch_moments(grpo, *more, 2)


def test_sampled_groups_have_the_mean_and_spread_enumerated():
    """20,000 groups of four played on the easy prompt; wrongly refused with probability ≤ 2e-6.

    The power: ψ without its 1/length has a mean that is refused.
    """
    tree = written_tree().of_prompt(0)
    envs = TabularVectorEnv(tree.mdp, 80_000)
    batch = play_episodes(envs, tree.policy, tree.theta, np.random.default_rng(0))
    r, n = (x.reshape(-1, 4) for x in responses(batch))
    psi = grpo(r, n).ravel()
    each = gradients(tree.policy, tree.theta, batch, batch.valid * psi)
    got = each.reshape(-1, 4, each.shape[1]).mean(1)
    mean, covariance = tree.moments(grpo, 4)
    most = 2 * 1.5 * np.abs(tree.scores).max(0)  # |ψ| ≤ (G − 1)/√G: one of four differs
    assert check_mean(got, mean, most + 1e-12, alpha=1e-6).accepted
    square = ((got - mean) ** 2).sum(1, keepdims=True)
    width = np.array([(most**2).sum()])
    assert check_mean(square, np.trace(covariance)[None], width, alpha=1e-6).accepted
    wrong, _ = tree.moments(std_alone, 4)
    assert not check_mean(got, wrong, most + 1e-12, alpha=1e-6).accepted


def test_a_mistake_is_named():
    tree = written_tree()
    r, n = np.ones((3, 4)), np.ones((3, 4), int)
    for method in (rloo, dr_grpo, lambda r: grpo(r, np.ones_like(r))):
        with pytest.raises(ValueError, match="returns: expected groups of 2 or more"):
            method(r[:, :1])
    for method in (grpo, reinforce_plus_plus):
        with pytest.raises(ValueError, match="lengths: expected shape"):
            method(r, n[:, :1])
    with pytest.raises(ValueError, match="greedy: expected shape"):
        remax(r, np.ones(4))
    with pytest.raises(ValueError, match="size: expected at most 10 batches, got 225"):
        batch_moments(grpo, tree.returns, tree.lengths, tree.scores, tree.prompt, tree.prob, 2, 10)
    with pytest.raises(ValueError, match="psi: expected finite"):
        tree.moments(lambda r, n: np.full(r.shape, np.nan), 2)
    with pytest.raises(ValueError, match="prompt: expected shape"):
        batch_moments(grpo, tree.returns, tree.lengths, tree.scores, tree.prompt[1:], tree.prob, 2)


def test_only_whole_episodes_are_responses():
    tree = written_tree()
    batch = tree.batch
    assert sorted(tree.lengths.tolist()) == [1, 1, 2, 2, 3, 3, 4, 4, 4, 4]
    fields = {name: getattr(batch, name) for name in ("obs", "actions", "truncated", "log_prob",
                                                      "weight", "rewards")}  # fmt: skip
    open_ended = batch.terminated.copy()
    open_ended[:, 3] = False
    two = np.ones_like(batch.valid)
    for terminated, valid, column in ((open_ended, batch.valid, 3), (batch.terminated, two, 2)):
        with pytest.raises(ValueError, match=f"whole episode a column, column {column} is not"):
            responses(Batch(**fields, terminated=terminated, valid=valid))


def test_the_command_prints_the_table(capsys, monkeypatch):
    monkeypatch.setattr(script, "SIZES", (2, 4))
    assert script.main(["--json"]) == 0
    table = {(r["method"], r["G"]): r for r in json.loads(capsys.readouterr().out)["rows"]}
    for size in (2, 4):
        for name in ("RLOO", "ReMax", "REINFORCE, no baseline"):
            assert table[name, size]["unbiased"] == "yes"
        dr = table["Dr. GRPO", size]
        assert dr["unbiased"] == "up to its length"
        assert dr["bias"] == pytest.approx(1 / size)
        assert dr["variance"] == pytest.approx(table["RLOO", size]["variance"])
        for name in ("GRPO", "GRPO, 1/std alone", "GRPO, 1/length alone", "REINFORCE++"):
            assert table[name, size]["unbiased"] == "no"
    verdicts = {name: r["unbiased"] for (name, size), r in table.items() if size is None}
    no = dict.fromkeys(("GRPO", "GRPO, 1/std alone", "GRPO, 1/length alone"), "no")
    assert verdicts == no | {"Dr. GRPO": "yes", "REINFORCE++": "up to its length"}
    assert script.main(["--seed", "1"]) == 0
    assert "∞" in capsys.readouterr().out
    assert script.main(["--seed", "-1"]) == 2
    with pytest.raises(SystemExit, match="2"):
        script.main(["--sed", "1"])


def test_batches_of_one_response_and_as_many_batches_as_are_allowed():
    """G = 1 without a baseline: the mean is ∇J; `most` itself is not too many."""
    tree = written_tree()
    arguments = (tree.returns, tree.lengths, tree.scores, tree.prompt, tree.prob)
    plain = [batch_moments(lambda r, n: r, *arguments, size) for size in (1, 2)]
    np.testing.assert_allclose(plain[0][0], plain[1][0], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(plain[0][1], 2 * plain[1][1], rtol=1e-9, atol=1e-15)
    many = int(np.prod(np.unique(tree.prompt, return_counts=True)[1]))
    batch_moments(lambda r, n: r, *arguments, 1, most=many)
    with pytest.raises(ValueError, match=f"at most {many - 1} batches, got {many}"):
        batch_moments(lambda r, n: r, *arguments, 1, most=many - 1)


def test_values_a_few_spacings_apart_are_standardised_as_they_are():
    """The mean is rounded in units of the values: by hand, of whole numbers of spacings."""
    for dtype, base in ((np.float32, 1000), (np.float64, 1e10), (np.float64, -3e-7)):
        steps = np.array([0, 1, 2, 9, 0, 0, 3])
        near = (base + np.spacing(dtype(base)) * steps).astype(dtype)
        off = (steps - steps.mean()) * np.sign(np.spacing(base))
        for psi, std in ((grpo(near, np.ones(7)), steps.std(ddof=1)),
                         (reinforce_plus_plus(near, np.ones(7)), steps.std()),
                         (returns.normalize(near, np.ones(7, bool)), steps.std())):  # fmt: skip
            if psi[3]:  # normalize adds 1e-8 to a std of 1e-23
                np.testing.assert_allclose(psi * np.sign(psi[3] * off[3]), off / std,
                                           rtol=1e-2 if base < 0 else 2e-6)  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_groups_of_other_units_beside_each_other_are_their_own(dtype):
    """Each row as it is alone, whatever stands in the next."""
    info = np.finfo(dtype)
    rows = np.array([[info.max / 4, 0], [1, 0], [info.tiny * 4, 0], [0, 0]], dtype)
    for method in (rloo, dr_grpo, lambda r: grpo(r, np.ones_like(r)),
                   lambda r: reinforce_plus_plus(r, np.ones_like(r))):  # fmt: skip
        with np.errstate(all="raise"):
            together = method(rows)
            np.testing.assert_array_equal(together, [method(row) for row in rows])
        assert together[:3].all()
        assert not together[3].any()
    with pytest.raises(ValueError, match="psi .the returns are too large.: expected finite"):
        rloo(np.array([info.max, -info.max], dtype))


def test_what_has_no_probability_and_what_overflows_in_batch_moments():
    """NaN scores, returns or lengths of a response that never comes do not count."""
    one = {"prompt": np.zeros(3, int), "prob": np.array([0.5, 0.5, 0]), "size": 2}
    plain = {"returns": np.array([1.0, 0, 0]), "lengths": np.ones(3), "scores": np.eye(3)}
    expected = batch_moments(lambda r, n: rloo(r), **plain, **one)
    for name, value in plain.items():
        wrong = plain | {name: np.concatenate([value[:2], value[2:] * np.nan])}
        for got, right in zip(batch_moments(lambda r, n: rloo(r), **wrong, **one), expected,
                              strict=True):  # fmt: skip
            np.testing.assert_array_equal(got, right)
    with pytest.raises(ValueError, match="covariance .smaller rewards.*: expected finite"):
        batch_moments(lambda r, n: rloo(r), **plain | {"returns": np.array([1e200, 0, 0])}, **one)


def test_other_mistakes_in_groups_are_named():
    with pytest.raises(ValueError, match=r"others: expected shape \(4,\), got \(2,\)"):
        by_group(grpo, np.array([1, 1, 2, 2]), np.arange(4.0), np.ones(2))
    with pytest.raises(ValueError, match="returns: expected real numbers, got dtype complex"):
        rloo(np.array([1j, 2]))
    for wrong in (0.5, 2, True):
        with pytest.raises(ValueError, match="ddof: expected a whole number from 0 to 1, got"):
            returns.normalize(np.arange(3.0), np.ones(3, bool), wrong)
