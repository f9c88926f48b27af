"""Checks: what is finite passes, however large; what is not is named."""

import numpy as np
import pytest

from minipg.validate import all_finite, check_finite


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
