"""Checks: what is finite passes, however large; what is not is named."""

import numpy as np
import pytest

from minipg.validate import all_finite, check_finite, finite_array, power_of_two


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
def test_finite_numbers_pass_whose_squares_overflow(dtype):
    largest = np.finfo(dtype).max.astype(dtype)
    whole = np.full((4, 3), -largest)
    for array in (whole, whole.T, whole[::2], np.array(largest), np.zeros((0, 2), dtype)):
        assert all_finite(array)
        check_finite("x", array)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_that_is_not_finite_is_named_among_the_largest(bad):
    for dtype in ("f4", "f8", "c16"):
        array = np.full((3, 4), np.finfo(dtype).max.astype(dtype))
        array[1, 2] = bad
        for seen, place in ((array, r"\(1, 2\)"), (array.T, r"\(2, 1\)")):
            with pytest.raises(ValueError, match=rf"x: .* got 1 of 12 .* at index {place}"):
                check_finite("x", seen)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_whole_numbers_and_booleans_are_finite(dtype):
    assert all_finite(np.ones((2, 3), dtype))
    with pytest.raises(ValueError, match="x: expected numbers, got dtype object"):
        check_finite("x", np.array([None]))


def test_a_checked_array_is_a_copy_of_the_caller_s():
    own = np.ones(3)
    got = finite_array("x", own, (3,))
    got[0] = 7
    assert own.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("largest", [5e-324, 1e-320, 1e-200, 0.75, 1.0, 3.0, 1e200, 1.7e308])
def test_the_unit_is_a_power_of_two_near_the_largest(largest):
    unit = power_of_two(np.array([0.0, -largest, largest / 2]))
    assert 1 <= largest / unit < 2
    assert np.frexp(unit)[0] == 0.5
    assert power_of_two(np.zeros(2)) == 1
