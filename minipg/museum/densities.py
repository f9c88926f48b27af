"""Bugs of the densities, of θ and of the optimiser: rows 17, 18, 19, 22, 24, 29."""

import numpy as np
from scipy.stats import norm

from minipg.estimators.returns import total_return
from minipg.estimators.score_function import gradient
from minipg.experience.enumeration import quadrature
from minipg.museum import wrong_steps
from minipg.museum.bug import Bug, Module
from minipg.museum.problems import bias, lake, off, plant
from minipg.policies import build, gaussian, network, policy
from minipg.policies.build import gaussian_policy
from minipg.problems import lqr as linear
from minipg.steps import optim
from minipg.truth.check import complex_step
from minipg.validate import Array


def log_std_is_among_the_parameters(policy: Module, seed: int) -> None:
    """Every component of the score by complex step."""
    description, rng = gaussian_policy(2, 2), np.random.default_rng(seed)
    own = policy.Policy(description.network, description.head)
    theta, obs, a = (rng.standard_normal(n) for n in (own.num_params, (1, 2), (1, 2)))
    slope = [complex_step(lambda x: own.log_prob(x, obs, a)[0], theta, e)
             for e in np.eye(len(theta))]  # fmt: skip
    np.testing.assert_allclose(own.score(theta, obs, a)[0], slope, atol=1e-10)


def plant_bias(policy: Module, seed: int) -> tuple[float, str]:
    """Of E Σ ∇log π R on the plant, by exact quadrature."""
    lqr, right, theta = plant(seed)
    batch = quadrature(lqr, right, theta)
    own = policy.Policy(right.network, right.head)
    total = total_return(batch.rewards, batch.ends, lqr.gamma)
    return bias(gradient(own, theta, batch, total), linear.policy_gradient(lqr, theta))


def dimensions_add_up(distributions: Module, seed: int) -> None:
    rng = np.random.default_rng(seed)
    eta, a = rng.standard_normal((1, 4)), rng.standard_normal((1, 2))
    one = distributions.Gaussian(1)
    parts = one.log_prob(eta[:, ::2], a[:, :1]) + one.log_prob(eta[:, 1::2], a[:, 1:])
    np.testing.assert_allclose(distributions.Gaussian(2).log_prob(eta, a), parts)


def the_density_integrates_to_one(distributions: Module, seed: int) -> None:
    np.testing.assert_allclose(mass(distributions, seed), 1, atol=1e-9)


def mass(distributions: Module, seed: int) -> float:
    a = np.linspace(-40, 40, 200_001)[:, None]
    eta = np.tile(0.5 * np.random.default_rng(seed).random(2), (len(a), 1))
    return float(np.exp(distributions.Gaussian(1).log_prob(eta, a)).sum() * (a[1, 0] - a[0, 0]))


def log_prob_error(distributions: Module, seed: int) -> tuple[float, str]:
    """Against SciPy's density, over the plant's first actions."""
    lqr, policy, theta = plant(seed)
    batch = quadrature(lqr, policy, theta)
    eta = policy.forward(theta, batch.obs[0])[0]
    truth = norm.logpdf(batch.actions[0], eta[:, :2], np.exp(eta[:, 2:])).sum(-1)
    error = distributions.Gaussian(2).log_prob(eta, batch.actions[0]) - truth
    return float(np.sqrt(batch.weight @ error**2)), "nats of log π, root mean square"


def absorbing_statistics_changes_no_argument(policy: Module, seed: int) -> None:
    kept, theta = absorbed(policy, seed)
    np.testing.assert_array_equal(kept, theta)


def absorbed(policy: Module, seed: int) -> tuple[Array, Array]:
    """θ before and after its statistics, mean ½ and deviation 2, were absorbed for evaluation."""
    theta = lake(seed).theta.copy()
    own = policy.Policy(lake(seed).policy.network, lake(seed).policy.head)
    policy.absorb_normalization(own, theta, np.full(16, 0.5), np.full(16, 2.0))
    return lake(seed).theta, theta


def policy_moved(policy: Module, seed: int) -> tuple[float, str]:
    before, after = absorbed(policy, seed)
    p = lake(seed)
    return float(p.policy.kl(after, before, p.mdp.features).mean()), "KL by evaluating, nats"


def rmsprop_is_its_closed_form(optim: Module, seed: int) -> None:
    g, v = np.random.default_rng(seed).random((2, 3))
    new, square = optim.rmsprop(np.zeros(3), g, v, 0.5, 0.9, 0.1)
    np.testing.assert_allclose(square, 0.9 * v + 0.1 * g**2)
    np.testing.assert_allclose(new, 0.5 * g / (np.sqrt(0.9 * v + 0.1 * g**2) + 0.1))


def step_error(optim: Module, seed: int) -> tuple[float, str]:
    """The first step along the lake's ∇J, ρ = 0.99, ε = 1e-5."""
    g = lake(seed).gradient
    got, _ = optim.rmsprop(np.zeros_like(g), g, np.zeros_like(g), 1.0)
    return off(got, g / (np.sqrt(0.01 * g**2) + 1e-5)), "error of the first step along ∇J"


def gains(network: Module, seed: int) -> list[Array]:
    """Singular values of each layer's weights over its gain, √2 hidden and 0.01 last."""
    own = network.MLP((16, 32, 4))
    layers = own.layers(own.init(np.random.default_rng(seed), output_gain=0.01))
    return [np.linalg.svd(layer[:-1], compute_uv=False) / gain
            for layer, gain in zip(layers, (np.sqrt(2), 0.01), strict=True)]  # fmt: skip


def weights_are_orthogonal_with_their_gain(network: Module, seed: int) -> None:
    for values in gains(network, seed):
        np.testing.assert_allclose(values, 1)


def gain_error(network: Module, seed: int) -> tuple[float, str]:
    return float(np.abs(np.concatenate(gains(network, seed)) - 1).max()), "|gain/asked − 1|"


BUGS = [
    Bug(17, policy, wrong_steps.log_std_forgotten,
        log_std_is_among_the_parameters, plant_bias, "log σ not among the parameters"),
    Bug(18, gaussian, wrong_steps.mean_over_dimensions,
        dimensions_add_up, log_prob_error, "log-prob not summed over action dimensions"),
    Bug(19, gaussian, wrong_steps.squashed_without_its_jacobian,
        the_density_integrates_to_one, log_prob_error,
        "squashing without its Jacobian (we do not squash: planted as a = sinh u)"),
    Bug(22, build, wrong_steps.absorbed_in_place,
        absorbing_statistics_changes_no_argument, policy_moved,
        "evaluation changes the normalised policy"),
    Bug(24, optim, wrong_steps.epsilon_inside_the_root,
        rmsprop_is_its_closed_form, step_error, "RMSprop's ε inside the root"),
    Bug(29, network, wrong_steps.gain_1_everywhere,
        weights_are_orthogonal_with_their_gain, gain_error),
]  # fmt: skip
