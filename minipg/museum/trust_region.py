"""Bugs of the Fisher matrix, of CG, of the line search and its KL: rows 12–16, 27."""

import numpy as np

from minipg.algorithms import npg, trpo
from minipg.algorithms.loop import Samples
from minipg.museum import wrong_steps
from minipg.museum.bug import Bug, Module, rebuilt
from minipg.museum.problems import lake, lake_samples, off, plant, plant_samples
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.policies.policy import Policy
from minipg.steps import kfac, linalg, natural
from minipg.steps.natural import fisher_product
from minipg.truth import exact
from minipg.validate import Array


def only_what_meets_both_is_accepted_else_theta_stays(linalg: Module, seed: int) -> None:
    """Random measures: accepted ⇒ L ≥ 0 and KL ≤ δ; refused ⇒ θ to the bit."""
    rng = np.random.default_rng(seed)
    for _ in range(50):
        theta, step = rng.standard_normal((2, 3))
        seen: dict[bytes, tuple[float, ...]] = {}

        def measure(x: Array, seen: dict[bytes, tuple[float, ...]] = seen) -> tuple[float, ...]:
            return seen.setdefault(x.tobytes(), tuple(rng.standard_normal(2)))

        result = linalg.backtrack(theta, step, measure, 0.5, most=3)
        if result.accepted:
            surrogate, kl = seen[result.theta.tobytes()]
            assert surrogate >= 0
            assert kl <= 0.5
        else:
            assert result.theta.tobytes() == theta.tobytes()


def an_accepted_step_keeps_the_kl_of_the_whole_batch(trpo: Module, seed: int) -> None:
    """KL(π̃‖π_k) ≤ δ, recomputed; in every other batch rare actions are best, so that σ grows."""
    policy, rng = gaussian_policy(2, 2), np.random.default_rng(seed)
    for i in range(40):
        theta, obs = rng.standard_normal(policy.num_params), rng.standard_normal((16, 2))
        actions, log_prob = policy.sample(theta, obs, rng)
        psi = rng.standard_normal(16) - i % 2 * log_prob
        samples = Samples(obs, actions, log_prob, psi - psi.mean())
        new, _, figures = trpo.update(policy, theta, samples, trpo.Settings(delta=0.1), None, rng)
        assert not figures["accepted"] or policy.kl(new, theta, obs).mean() <= 0.1


def overshoot(trpo: Module, seed: int) -> tuple[float, str]:
    """How far the worst of fifty accepted steps on the plant lies beyond δ = 0.1."""
    worst, (_, policy, theta) = 0.0, plant(seed)
    for samples in plant_samples(seed, 32):
        new, _, _ = trpo.update(policy, theta, samples, trpo.Settings(delta=0.1), None, None)
        worst = max(worst, float(policy.kl(new, theta, samples.obs).mean()) / 0.1 - 1)
    return worst, "KL/δ − 1, worst of 50 steps"


def overshoot_of_search(linalg: Module, seed: int) -> tuple[float, str]:
    return overshoot(rebuilt(trpo, backtrack=linalg.backtrack), seed)


def fall(linalg: Module, seed: int) -> tuple[float, str]:
    """How far J of the lake falls where TRPO's direction points down and every step is refused."""
    p, names = lake(seed), {"backtrack": linalg.backtrack}
    names["trust_region_step"] = lambda x, c, delta: -x * np.sqrt(2 * delta / c)
    searching = rebuilt(trpo, **names)
    new, _, figures = searching.update(p.policy, p.theta, lake_samples(seed, 256),
                                       trpo.Settings(delta=0.1), None, None)  # fmt: skip
    assert not figures["accepted"]
    before, after = (exact.objective(p.mdp, p.policy.probs(x, p.mdp.features))
                     for x in (p.theta, new))  # fmt: skip
    return float(1 - after / before), "fall of J by a refused step"


def product_and_definition(
    natural: Module, policy: Policy, theta: Array, obs: Array, v: Array
) -> tuple[Array, Array]:
    """H v, and E ∇log π (∇log πᵀv) over every action, of observations weighted alike."""
    n = policy.head.size
    score = policy.score(theta, np.repeat(obs, n, 0), np.tile(np.arange(n), len(obs)))
    prob = policy.probs(theta, obs).ravel() / len(obs)
    weight = np.full(len(obs), 1 / len(obs))
    return natural.fisher_product(policy, theta, obs, weight)(v), score.T @ (prob * (score @ v))


def the_product_is_that_of_the_definition(natural: Module, seed: int) -> None:
    policy, rng = softmax_policy(2, 3, (4,)), np.random.default_rng(seed)
    theta, v = rng.standard_normal((2, policy.num_params))
    obs = rng.standard_normal((5, 2))
    got, truth = product_and_definition(natural, policy, theta, obs, v)
    np.testing.assert_allclose(got, truth, atol=1e-10)


def product_error(natural: Module, seed: int) -> tuple[float, str]:
    p = lake(seed)
    g = exact.policy_gradient(p.mdp, p.policy, p.theta)
    got, truth = product_and_definition(natural, p.policy, p.theta, p.mdp.features, g)
    return off(got, truth), "‖error of H∇J‖/‖H∇J‖"


def negative_curvature_is_refused(linalg: Module, seed: int) -> None:
    b = 1 + np.random.default_rng(seed).random(2)
    result = linalg.conjugate_gradients(lambda v: np.diag([1.0, -9.0]) @ v, b)
    assert result.reason == "negative curvature"
    assert not result.x.any()


def against_the_gradient(linalg: Module, seed: int) -> tuple[float, str]:
    """−cos(x, g), g of the lake, where the product is off by a multiple of 1 and so indefinite."""
    p, obs = lake(seed), lake(seed).mdp.features
    g = exact.policy_gradient(p.mdp, p.policy, p.theta)
    h = fisher_product(p.policy, p.theta, obs, np.full(len(obs), 1 / len(obs)))
    shift = 2 * (g @ h(g)) / (g @ g)
    x = linalg.conjugate_gradients(lambda v: h(v) - shift * v, g).x
    length = float(np.linalg.norm(x) * np.linalg.norm(g))
    return max(0.0, -float(x @ g) / length) if length else 0.0, "−cos(step, ∇J)"


def nan_is_refused(linalg: Module, seed: int) -> None:
    b = np.random.default_rng(seed).standard_normal(2)
    with np.errstate(all="ignore"):
        result = linalg.conjugate_gradients(lambda v: v * np.nan, b)
    assert result.reason == "not finite"
    assert not result.x.any()


def predicted_kl(natural: Module, policy: Policy, theta: Array, samples: Samples) -> float:
    """½ dᵀHd/δ of NPG's step d, δ = 0.01, damping 0.1."""
    stepping = rebuilt(npg, natural_gradient=natural.natural_gradient)
    new, _, _ = stepping.update(policy, theta, samples, npg.Settings(), None, None)
    h = fisher_product(policy, theta, samples.obs, np.full(len(samples.obs), 1 / len(samples.obs)))
    return float((new - theta) @ h(new - theta)) / 0.02


def the_predicted_kl_is_delta_whatever_the_damping(natural: Module, seed: int) -> None:
    policy, rng = softmax_policy(2, 3, (4,)), np.random.default_rng(seed)
    theta, obs = rng.standard_normal(policy.num_params), rng.standard_normal((12, 2))
    samples = Samples(obs, *policy.sample(theta, obs, rng), rng.standard_normal(12))
    np.testing.assert_allclose(predicted_kl(natural, policy, theta, samples), 1)


def step_length_error(natural: Module, seed: int) -> tuple[float, str]:
    kl = predicted_kl(natural, lake(seed).policy, lake(seed).theta, lake_samples(seed, 256))
    return abs(kl - 1), "|½dᵀHd/δ − 1|"


def the_fisher_factor_is_of_the_policy_s_own_actions(kfac: Module, seed: int) -> None:
    """G of a linear softmax policy at one observation is diag(π) − ππᵀ."""
    policy, rng = softmax_policy(2, 3), np.random.default_rng(seed)
    theta, obs = rng.standard_normal(9), rng.standard_normal((1, 2))
    pi = policy.probs(theta, obs)[0]
    g = kfac.factors(policy, theta, obs).layers[0][1]
    np.testing.assert_allclose(g, np.diag(pi) - np.outer(pi, pi))


def factor_error(kfac: Module, seed: int) -> tuple[float, str]:
    p, obs = lake(seed), lake_samples(seed, 64).obs
    truth = p.policy.head.fisher(p.policy.forward(p.theta, obs)[0]).mean(0)
    return off(kfac.factors(p.policy, p.theta, obs).layers[0][1], truth), "‖error of G‖/‖G‖"


BUGS = [
    Bug(12, linalg, wrong_steps.search_blind_to_kl,
        only_what_meets_both_is_accepted_else_theta_stays, overshoot_of_search,
        "the line search ignores the KL", "modular_rl #29"),
    Bug(12, linalg, wrong_steps.rejected_step_left_in_place,
        only_what_meets_both_is_accepted_else_theta_stays, fall,
        "the line search leaves the rejected step in place", "tianshou #1287"),
    Bug(13, natural, wrong_steps.without_the_head_s_matrix,
        the_product_is_that_of_the_definition, product_error,
        "Fisher product wrong: JᵀJ without the head's own matrix", "sb3-contrib #38"),
    Bug(13, linalg, wrong_steps.cg_that_asks_nothing,
        negative_curvature_is_refused, against_the_gradient,
        "CG walks on over negative curvature"),
    Bug(13, linalg, wrong_steps.cg_that_asks_nothing,
        nan_is_refused, "no size: the step is NaN", "CG walks on over NaN", "rllab #24"),
    Bug(14, natural, wrong_steps.damping_in_the_length,
        the_predicted_kl_is_delta_whatever_the_damping, step_length_error),
    Bug(15, trpo, wrong_steps.kl_of_a_subsample,
        an_accepted_step_keeps_the_kl_of_the_whole_batch, overshoot),
    Bug(16, trpo, wrong_steps.kl_reversed,
        an_accepted_step_keeps_the_kl_of_the_whole_batch, overshoot),
    Bug(27, kfac, wrong_steps.fisher_of_the_likeliest,
        the_fisher_factor_is_of_the_policy_s_own_actions, factor_error,
        "empirical Fisher, of the likeliest actions, taken for the Fisher"),
]  # fmt: skip
