"""Optimisers: closed forms, purity."""

import numpy as np
import pytest
from hypothesis import given
from strategies import RNGS

from minipg.steps.optim import adam, adam_init, sgd


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


def test_adam_keeps_float32():
    theta = np.ones(3, np.float32)
    new, state = adam(theta, theta, adam_init(theta), 0.01)
    assert {new.dtype, state.mean.dtype, state.square.dtype} == {np.dtype(np.float32)}
