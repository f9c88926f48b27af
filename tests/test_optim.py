"""Optimisers: closed forms, purity."""

import numpy as np
import pytest
from hypothesis import given
from strategies import RNGS

from minipg.steps.optim import adam, adam_init, clip_norm, rmsprop, rmsprop_init, sgd


@given(RNGS)
def test_sgd_climbs(rng):
    theta, g = rng.standard_normal((2, 3))
    np.testing.assert_allclose(sgd(theta, g, None, 0.1)[0], theta + 0.1 * g)
    assert sgd(theta.astype(np.float32), g.astype(np.float32), None, 0.1)[0].dtype == np.float32


@given(RNGS)
@pytest.mark.pitfall(24)
def test_adam_is_its_closed_form(rng):
    """m = (1−β₁) Σ β₁^{n−i} g_i, v likewise; θ_n − θ_{n−1} = α m̂/(√v̂ + ε), ε outside the root."""
    gs = rng.standard_normal((4, 3))
    theta, state = np.zeros(3), adam_init(np.zeros(3))
    for n, g in enumerate(gs, 1):
        before = theta.copy(), state.mean.copy(), state.square.copy()
        new, new_state = adam(theta, g, state, 0.01, 0.8, 0.9, 0.5)
        for a, b in zip((theta, state.mean, state.square), before, strict=True):
            np.testing.assert_array_equal(a, b)  # no argument was changed
        m = sum(0.2 * 0.8 ** (n - i) * x for i, x in enumerate(gs[:n], 1)) / (1 - 0.8**n)
        v = sum(0.1 * 0.9 ** (n - i) * x**2 for i, x in enumerate(gs[:n], 1)) / (1 - 0.9**n)
        np.testing.assert_allclose(new - theta, 0.01 * m / (np.sqrt(v) + 0.5), rtol=1e-10)
        theta, state = new, new_state


@given(RNGS)
@pytest.mark.pitfall(24)
def test_rmsprop_is_its_closed_form(rng):
    """v_n = (1−ρ) Σ ρ^{n−i} g_i²; θ_n − θ_{n−1} = α g_n/(√v_n + ε), ε outside the root."""
    gs, theta = rng.standard_normal((4, 3)), np.zeros(3)
    square = rmsprop_init(theta)
    for n, g in enumerate(gs, 1):
        new, square = rmsprop(theta, g, square, 0.01, 0.9, 0.5)
        v = sum(0.1 * 0.9 ** (n - i) * x**2 for i, x in enumerate(gs[:n], 1))
        np.testing.assert_allclose(square, v)
        np.testing.assert_allclose(new - theta, 0.01 * g / (np.sqrt(v) + 0.5), rtol=1e-10)
        theta = new


def test_adam_keeps_float32():
    theta = np.ones(3, np.float32)
    new, state = adam(theta, theta, adam_init(theta), 0.01)
    assert {new.dtype, state.mean.dtype, state.square.dtype} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("step", "state"), [(adam, adam_init), (rmsprop, rmsprop_init)])
@pytest.mark.parametrize(("dtype", "largest"), [("f4", 3e19), ("f8", 2e154)])
def test_a_gradient_whose_square_is_no_number_is_refused_and_not_lost(step, state, dtype, largest):
    """g/√g² would be 0, a step of nothing in silence; below that size the step is its sign."""
    theta = np.zeros(2, dtype)
    with pytest.raises(
        ValueError, match=f"square of the gradient, in float{8 * int(dtype[1])} .*1 of 2"
    ):
        step(theta, np.array([largest, 1.0], dtype), state(theta), 0.5)
    new, _ = step(theta, np.array([largest / 4, -largest / 4], dtype), state(theta), 0.5)
    assert new[0] == -new[1] > 0.1


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1.0, 1e170, 1.7e308])
def test_a_gradient_of_any_size_is_shortened_along_itself(unit):
    direction = np.array([0.6, -0.8, 0.0, 0.0])
    for most in (0.5, 1e9):
        got = clip_norm(unit * direction, most)
        np.testing.assert_allclose(got, min(most, unit) * direction, rtol=1e-12)
    largest = np.full(4, np.finfo(np.float64).max)  # whose norm is above it
    np.testing.assert_allclose(clip_norm(largest, 2.0), np.ones(4))
    np.testing.assert_allclose(clip_norm(largest / 2, 2.0), np.ones(4))
    single = np.full(4, np.finfo(np.float32).max)
    np.testing.assert_allclose(clip_norm(single, 2.0), np.ones(4), rtol=1e-6)
    with pytest.raises(ValueError, match="gradient: expected finite"):
        clip_norm(np.array([1.0, np.inf]), 1.0)


def test_what_would_divide_by_zero_is_refused():
    theta, g = np.ones(2), np.zeros(2)
    for options in ({"beta1": 1.0}, {"beta2": 1.0}, {"eps": 0.0}, {"beta1": -0.1}):
        (name,) = options
        with pytest.raises(ValueError, match=f"{name}: expected a number"):
            adam(theta, g, adam_init(theta), 0.1, **options)
    with pytest.raises(ValueError, match="eps: expected a number of 1.49167e-154 or more, got 0"):
        rmsprop(theta, g, g, 0.1, eps=0.0)
    with np.errstate(all="raise"):
        long = np.full(10, 1e308)
        np.testing.assert_array_equal(clip_norm(long, np.inf), long)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_epsilon_is_not_below_the_root_of_the_least_number(dtype):
    """There g² is 0 where g is not, and g/ε no step any more."""
    theta, least = np.zeros(2, dtype), float(np.finfo(dtype).tiny) ** 0.5
    g = np.array([0, 1e-3], dtype)
    for step, state in ((adam, adam_init(theta)), (rmsprop, rmsprop_init(theta))):
        with pytest.raises(ValueError, match="eps: expected a number of .* or more"):
            step(theta, g, state, 0.1, eps=0.9 * least)
        with np.errstate(all="raise"):
            assert np.isfinite(step(theta, g, state, 0.1, eps=1.1 * least)[0]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_is_shortened_also_where_the_factor_is_no_normal_number(dtype):
    """1e38 to 1e-3 in float32: a factor of 1e-41 has lost its digits, or is 0."""
    info = np.finfo(dtype)
    long = np.array([3, 4], dtype) * (info.max / 8)
    for most in (1.0, 1e-3, float(info.tiny) * 1e3):
        np.testing.assert_allclose(clip_norm(long, most), [0.6 * most, 0.8 * most], rtol=1e-6)
