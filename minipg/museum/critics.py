"""Bugs of the critic: rows 21, 30."""

import numpy as np

from minipg.estimators import critics, fits
from minipg.museum import wrong_data
from minipg.museum.bug import Bug, Module
from minipg.museum.problems import GAMMA, lake, off
from minipg.policies.network import MLP
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.truth.check import complex_step
from minipg.validate import Array


def critic_gradients(critic: Module, seed: int, scale: float) -> Array:
    """∇ ½ mean (V − y)² over the lake's states where V is random, y = V^π, both times scale."""
    p = lake(seed)
    v = critic.VCritic(MLP((16, 1)))
    y = exact.state_values(p.mdp, p.policy.probs(p.theta, p.mdp.features))
    phi = 0.1 * np.random.default_rng(seed).standard_normal(17)
    return v.error_gradient(scale * phi, p.mdp.features, scale * y)


def the_critic_s_gradient_scales_with_rewards_and_values(critic: Module, seed: int) -> None:
    one, other = (critic_gradients(critic, seed, scale) for scale in (1.0, 100.0))
    np.testing.assert_allclose(other, 100 * one)


def lost_scale(critic: Module, seed: int) -> tuple[float, str]:
    one, other = (critic_gradients(critic, seed, scale) for scale in (1.0, 100.0))
    return off(other / 100, one), "error of the critic's gradient, rewards × 100"


def the_critic_s_gradient_keeps_its_target_constant(critic: Module, seed: int) -> None:
    """Complex step of ½ (V − y)² at one state: were y = r + γV(s) followed, γ ∇V would go off."""
    v, rng = critic.VCritic(MLP((2, 1))), np.random.default_rng(seed)
    phi, obs, y = (rng.standard_normal(n) for n in (3, (1, 2), 1))
    got = v.error_gradient(phi, obs, y)
    slope = [complex_step(lambda x: 0.5 * (obs[0] @ x[:2] + x[2] - y[0]) ** 2, phi, e)
             for e in np.eye(3)]  # fmt: skip
    np.testing.assert_allclose(got, slope)


def lost_gradient(critic: Module, seed: int) -> tuple[float, str]:
    truth = critic_gradients(critics, seed, 1.0)
    return off(critic_gradients(critic, seed, 1.0), truth), "error of the critic's gradient"


def fixed_point(fits: Module, mdp: TabularMDP, pi: Array) -> Array:
    """V (S,) of bootstrapped fits to every entry of the table, weighted by its visits."""
    n = mdp.num_states
    weight = (exact.visits(mdp, pi, mdp.gamma)[:, None] * pi).ravel()[mdp.row] * mdp.prob
    after = np.eye(n)[mdp.next_state] * ~mdp.terminated[:, None]
    return fits.lstd(np.eye(n)[mdp.row // mdp.num_actions], after, mdp.reward, weight, mdp.gamma)


def bootstrapped_fits_end_at_the_value_of_the_policy(fits: Module, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mdp = TabularMDP.from_arrays(rng.dirichlet(np.ones(3), (3, 2)), rng.standard_normal((3, 2)),
                                 np.full(3, 1 / 3), GAMMA)  # fmt: skip
    pi = rng.dirichlet(np.ones(2), 3)
    truth = exact.state_values(mdp, pi)
    np.testing.assert_allclose(fixed_point(fits, mdp, pi), truth, atol=1e-8)


def fixed_point_error(fits: Module, seed: int) -> tuple[float, str]:
    p = lake(seed)
    pi = p.policy.probs(p.theta, p.mdp.features)
    return off(fixed_point(fits, p.mdp, pi), exact.state_values(p.mdp, pi)), "‖V − V^π‖/‖V^π‖"


BUGS = [
    Bug(21, critics, wrong_data.clipped_by_a_constant,
        the_critic_s_gradient_scales_with_rewards_and_values, lost_scale,
        "value clipping that depends on the reward scale (we clip no values)"),
    Bug(30, critics, wrong_data.target_followed,
        the_critic_s_gradient_keeps_its_target_constant, lost_gradient,
        "the critic's target followed: its gradient"),
    Bug(30, fits, wrong_data.residual_gradient,
        bootstrapped_fits_end_at_the_value_of_the_policy, fixed_point_error,
        "the critic's target followed: where the fits end"),
]  # fmt: skip
