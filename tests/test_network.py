"""The network's three maps against definitions that share no code with them."""

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import HIDDEN, RNGS

from minipg.policies import blocks
from minipg.policies.network import MLP
from minipg.truth.check import complex_step

SIZES = st.tuples(st.integers(1, 4), HIDDEN, st.integers(1, 4)).map(lambda x: (x[0], *x[1], x[2]))


def draw_network(sizes, rng, n=5):
    network = MLP(sizes)
    return network, rng.standard_normal(network.num_params), rng.standard_normal((n, sizes[0]))


@given(SIZES, RNGS)
def test_forward_is_the_composition_of_its_layers(sizes, rng):
    network, theta, x = draw_network(sizes, rng)
    h, start = x, 0
    for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:], strict=False)):
        w = theta[start : start + n_in * n_out].reshape(n_in, n_out)
        start += n_in * n_out
        z = np.einsum("ni,io->no", h, w) + theta[start : start + n_out]
        start += n_out
        h = np.tanh(z) if i < len(sizes) - 2 else z
    assert start == network.num_params
    np.testing.assert_allclose(network.forward(theta, x)[0], h, rtol=1e-12, atol=1e-12)


@given(SIZES, RNGS)
def test_jvp_is_the_directional_derivative(sizes, rng):
    network, theta, x = draw_network(sizes, rng)
    v = rng.standard_normal(theta.shape)
    expected = complex_step(lambda p: network.forward(p, x)[0], theta, v)
    got = network.jvp(theta, network.forward(theta, x)[1], v)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-11)


@given(SIZES, RNGS)
def test_vjp_is_the_transpose_of_jvp(sizes, rng):
    network, theta, x = draw_network(sizes, rng)
    tape = network.forward(theta, x)[1]
    dy = rng.standard_normal((len(x), sizes[-1]))
    v = rng.standard_normal(theta.shape)
    left, right = network.vjp(theta, tape, dy) @ v, (dy * network.jvp(theta, tape, v)).sum()
    assert left == pytest.approx(right, rel=1e-10, abs=1e-10)


@given(SIZES, RNGS)
def test_vjp_sums_over_one_axis_only(sizes, rng):
    """(B, N, D) gives B gradients, (N, 1, D) one a sample; each equals its own call."""
    network, theta, _ = draw_network(sizes, rng)
    x = rng.standard_normal((3, 4, sizes[0]))
    dy = rng.standard_normal((3, 4, sizes[-1]))
    grouped = network.vjp(theta, network.forward(theta, x)[1], dy)
    single = network.forward(theta, x[0][:, None])[1]
    per_sample = network.vjp(theta, single, dy[0][:, None])
    for b in range(3):
        alone = network.vjp(theta, network.forward(theta, x[b])[1], dy[b])
        np.testing.assert_allclose(grouped[b], alone, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(per_sample.sum(0), grouped[0], rtol=1e-10, atol=1e-12)
    for n in range(4):
        alone = network.vjp(theta, network.forward(theta, x[0, n : n + 1])[1], dy[0, n : n + 1])
        np.testing.assert_allclose(per_sample[n], alone, rtol=1e-10, atol=1e-12)


@given(SIZES, RNGS, st.sampled_from([(4,), (3, 2), (2, 3, 3), (3, 1), (2, 3, 1), (1, 1), (1, 4)]))
def test_vjp_of_any_groups(sizes, rng, shape):
    """Each group's gradient stands at its place."""
    network, theta, _ = draw_network(sizes, rng)
    x, dy = rng.standard_normal((*shape, sizes[0])), rng.standard_normal((*shape, sizes[-1]))
    tape = network.forward(theta, x)[1]
    grad = network.vjp(theta, tape, dy)
    assert grad.shape == (*shape[:-1], network.num_params)
    for group in np.ndindex(shape[:-1]):
        alone = network.vjp(theta, network.forward(theta, x[group])[1], dy[group])
        np.testing.assert_allclose(grad[group], alone, rtol=1e-10, atol=1e-12)


@given(SIZES, RNGS)
def test_vjp_changes_none_of_its_arguments(sizes, rng):
    network, theta, x = draw_network(sizes, rng)
    tape = network.forward(theta, x)[1]
    dy = rng.standard_normal((len(x), sizes[-1]))
    tape = tape.kept()
    before = [a.copy() for a in (theta, dy, *tape.inputs, *tape.slopes)]
    network.vjp(theta, tape, dy)
    for a, b in zip((theta, dy, *tape.inputs, *tape.slopes), before, strict=True):
        np.testing.assert_array_equal(a, b)


@given(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)), st.integers(1, 200),
       st.integers(0, 40), st.sampled_from([np.float32, np.float64]))  # fmt: skip
def test_blocks_are_all_samples_in_order_as_many_as_fit(sizes, size, count, dtype):
    """The outputs of the widest layer fit, those of a sample more would not; one at the least."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", size)
        found = MLP(sizes).blocks(count, dtype)
    parts = [list(range(count))[block] for block in found]
    assert parts  # one without samples, if there are none
    assert sum(parts, []) == list(range(count))
    widest = max(sizes[1:]) * np.zeros(1, dtype).nbytes
    for part in parts:
        assert len(part) * widest <= max(size, widest)
    for part in parts[:-1]:
        assert (len(part) + 1) * widest > size


@given(SIZES, RNGS)
def test_the_tape_holds_inputs_and_slopes_and_output_needs_none(sizes, rng):
    network, theta, _ = draw_network(sizes, rng)
    x = rng.standard_normal((2, 3, sizes[0]))
    y, tape = network.forward(theta, x)
    assert (tape.leading, len(tape.inputs)) == ((2, 3), len(sizes) - 1)
    np.testing.assert_array_equal(tape.inputs[0][:-1].T.reshape(x.shape), x)
    for h, n_in in zip(tape.inputs, sizes[:-1], strict=True):
        assert h.shape == (n_in + 1, 6)
        assert (h[-1] == 1).all()
    assert not tape.slopes
    for slope, h in zip(tape.kept().slopes, tape.inputs[1:], strict=True):
        np.testing.assert_allclose(slope, 1 - h[:-1] ** 2, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(network.at(theta)(x), y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_of_theta_decides(dtype):
    network = MLP((3, 4, 2))
    theta = network.init(np.random.default_rng(0), 1.0, dtype)
    x = np.ones((5, 3), dtype)
    y, tape = network.forward(theta, x)
    assert {y.dtype, network.vjp(theta, tape, y).dtype, network.jvp(theta, tape, theta).dtype} == {
        np.dtype(dtype)
    }


def test_named_slices_are_read_only_views():
    network = MLP((3, 4, 2))
    theta = np.arange(float(network.num_params))
    names = network.named(theta)
    assert {k: v.shape for k, v in names.items()} == {
        "W0": (3, 4), "b0": (4,), "W1": (4, 2), "b1": (2,)
    }  # fmt: skip
    np.testing.assert_array_equal(np.concatenate([v.ravel() for v in names.values()]), theta)
    assert all(np.shares_memory(v, theta) for v in names.values())
    with pytest.raises(ValueError, match="read-only"):
        names["W0"][0, 0] = 1
    theta[0] = 7  # θ itself stays the caller's to write


@pytest.mark.parametrize("sizes", [(3,), (), (3, 0), (3, -1, 2)])
def test_refuses_sizes_that_are_no_network(sizes):
    with pytest.raises(ValueError, match="sizes"):
        MLP(sizes)


@given(SIZES, RNGS)
def test_kept_slopes_are_the_same_products(sizes, rng):
    """To the bit, and made once: what two products ask for is one array."""
    network, theta, x = draw_network(sizes, rng)
    _, tape = network.forward(theta, x)
    kept, dy = tape.kept(), rng.standard_normal((5, sizes[-1]))
    for i in range(len(sizes) - 2):
        assert tape.slope(i) is not tape.slope(i)
        assert kept.slope(i) is kept.slope(i) is kept.kept().slope(i)
    np.testing.assert_array_equal(network.vjp(theta, tape, dy), network.vjp(theta, kept, dy))
    np.testing.assert_array_equal(network.jvp(theta, tape, theta), network.jvp(theta, kept, theta))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or resource.getpagesize() != 4096,
                    reason="of glibc's allocator, with pages of 4 KiB")  # fmt: skip
def test_a_pass_takes_no_new_pages_from_the_kernel():
    """In a fresh process; without the block that is freed a call takes 540."""
    code = """
import resource
import numpy as np
from minipg.commands.process import keep_freed_memory
from minipg.policies import softmax_policy

keep_freed_memory()
policy, rng = softmax_policy(8, 4, (64, 64)), np.random.default_rng(0)
theta = policy.init(rng, dtype=np.float32)
obs = np.ones((8_192, 8), np.float32)
for calls in (5, 20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(calls):
        eta, tape = policy.forward(theta, obs)
        tape.kept()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / calls)
"""
    plain = {k: v for k, v in os.environ.items()
             if not k.startswith(("MALLOC_", "GLIBC_", "LD_PRELOAD"))}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=plain, cwd=Path(blocks.__file__).parents[2])  # fmt: skip
    assert float(done.stdout.split()[-1]) < 40
