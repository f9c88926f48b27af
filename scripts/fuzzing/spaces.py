"""Spaces of any kind, drawn."""

import numpy as np
from gymnasium import spaces


def box(rng: np.random.Generator, shapes, dtypes) -> spaces.Box:
    """Of any shape and dtype, bounded or not, or on one side."""
    shape, dtype = shapes[rng.integers(len(shapes))], dtypes[rng.integers(len(dtypes))]
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        low, high = ((info.min, info.max), (0, 5))[rng.integers(2)]
    else:
        low, high = ((-1, 1), (-np.inf, np.inf), (0, 200), (-np.inf, 3), (-1e-3, 1e3))[
            rng.integers(5)
        ]
    return spaces.Box(low, high, shape, dtype)


def observation_space(rng: np.random.Generator, depth: int = 0) -> spaces.Space:
    """Of any kind that flattens."""
    kind = rng.integers(8 if depth < 2 else 5)
    shapes, dtypes = [(3,), (1,), (), (2, 2), (1, 1, 2)], ["f4", "f8", "u1", "i4", "i8", "f2"]
    if kind < 3:
        return box(rng, shapes, dtypes)
    return [
        lambda: spaces.Discrete(int(rng.integers(1, 5)), start=int(rng.integers(-2, 3))),
        lambda: spaces.MultiDiscrete([2, 3]) if rng.random() < 0.5 else spaces.MultiBinary(3),
        lambda: spaces.Dict({k: observation_space(rng, depth + 1) for k in "ab"}),
        lambda: spaces.Tuple([observation_space(rng, depth + 1) for _ in range(2)]),
        lambda: spaces.Dict({"only": observation_space(rng, depth + 1)}),
    ][kind - 3]()


def action_space(rng: np.random.Generator) -> spaces.Space:
    """Of any kind in which a head acts."""
    return [
        lambda: spaces.Discrete(int(rng.integers(1, 5)), start=int(rng.integers(-2, 3))),
        lambda: spaces.MultiDiscrete([[2, 3], [1, 4]]) if rng.random() < 0.5
        else spaces.MultiDiscrete([3, 2]),
        lambda: spaces.MultiBinary(int(rng.integers(1, 4))),
        lambda: box(rng, [(1,), (2,), (), (2, 2)], ["f4", "f8", "i4", "u1", "i8"]),
    ][rng.integers(4)]()  # fmt: skip


UNFIT = {  # for which there is no policy
    "observation": [spaces.Sequence(spaces.Discrete(3)),
                    spaces.Graph(spaces.Box(0, 1, (1,)), None)],
    "action": [spaces.Dict({"a": spaces.Discrete(2)}), spaces.Tuple([spaces.Discrete(2)]),
               spaces.Text(3)],
}  # fmt: skip
