"""Fits of linear and deep values to their targets (E13, E15)."""

import numpy as np

from minipg.estimators.critics import VCritic
from minipg.steps.optim import AdamState, adam
from minipg.validate import (
    Array,
    arrays,
    check_count,
    check_finite,
    check_range,
    check_shape,
    check_weight,
    floats,
    powers_of_two,
)


def fit_values(
    critic: VCritic,
    phi: Array,
    state: AdamState,
    obs: Array,
    target: Array,
    epochs: int,
    minibatch: int,
    learning_rate: float,
    rng: np.random.Generator,
) -> tuple[Array, AdamState]:
    """E15 φ after `epochs` passes of Adam over ½ (V − y)², in minibatches; y (N,) constant."""
    phi, obs, target = arrays(phi, obs, target)
    parts = max(1, len(obs) // check_count("minibatch", minibatch, 1))
    for _ in range(check_count("epochs", epochs, 1)):
        for chosen in np.array_split(rng.permutation(len(obs)), parts):
            g = critic.error_gradient(phi, obs[chosen], target[chosen])
            phi, state = adam(phi, -g, state, learning_rate)
    return phi, state


def least_squares(features: Array, target: Array, weight: Array) -> Array:
    """E13, E15 w (F,) of least Σ_n weight_n (features_n·w − y_n)², the shortest where many are.

    With y = G_t this is the fixed point of Monte-Carlo fits; with features = scores and y = A^π
    it is H⁻¹∇J, the natural gradient (Kakade 2001).
    """
    weight, features, target = _counted(weight, features=features, target=target)
    root = np.sqrt(weight)
    return _solved(features * root[:, None], target * root, _rank(features))


def _solved(matrix: Array, right: Array, rcond: float) -> Array:
    """x (F,) of least ‖matrix x − right‖, whatever the units of the columns; the shortest where
    many are."""
    units = powers_of_two(matrix.T)[:, 0]
    x, _, rank, _ = np.linalg.lstsq(matrix / units, right, rcond=rcond)
    if rank == len(units):
        return x / units
    return np.linalg.lstsq(matrix, right, rcond=rcond)[0]


def _counted(weight: Array, **samples: Array) -> list[Array]:
    """Weight and samples (N, ...) where the weight is above 0; ValueError unless all are finite."""
    weight = check_weight(weight, len(next(iter(samples.values()))))
    found = [weight[weight > 0]]
    for name, values in samples.items():
        values = floats(values)
        wide = name.endswith("features")
        check_shape(name, values, (len(weight), None) if wide else (len(weight),))
        found.append(values[weight > 0])
        check_finite(name, found[-1])
    return found


def _rank(features: Array) -> float:
    """Below which share of the largest a singular value is 0: rounding in their dtype, or 1e-10."""
    return max(1e-10, 10 * features.shape[1] * float(np.finfo(features.dtype).eps))


def lstd(
    features: Array, next_features: Array, rewards: Array, weight: Array, gamma: float
) -> Array:
    """E15 w (F,) of E φ (r + γ φ′·w − φ·w) = 0, the fixed point of bootstrapped fits.

    next_features (N, F) are 0 after a termination. Source: Bradtke & Barto 1996.
    """
    gamma = check_range("gamma", gamma, 0, 1)
    weight, features, next_features, rewards = _counted(
        weight, features=features, next_features=next_features, rewards=rewards
    )
    check_shape("next_features", next_features, features.shape)
    units = powers_of_two(features.T)[:, 0]  # of each column, in which no square underflows
    features, next_features = features / units, next_features / units
    weighted = features * weight[:, None]
    matrix = weighted.T @ (features - gamma * next_features)
    rows = powers_of_two(matrix)  # a state rarely seen has as much of a say as any other
    right = weighted.T @ rewards / rows[:, 0]
    return _solved(matrix / rows, right, max(1e-10, _rank(features) ** 2)) / units
