"""The options of every algorithm: their defaults in one table, and what is refused of each."""

import dataclasses
import math

import numpy as np
import pytest

from minipg.algorithms import acktr, actor_critic, cem, npg, ppo, reinforce, trpo
from minipg.commands import estimators, train
from minipg.commands.options import ALGORITHMS
from minipg.steps.kfac import Factors, average

LOOP = {"final_std": 0.0, "gamma": 0.99, "lam": 0.95, "n_steps": 64, "decay": False}
ADAM = {**LOOP, "critic_learning_rate": 0.003, "critic_epochs": 10, "critic_minibatch": 64}
NATURAL = {**ADAM, "delta": 0.01, "solver": "cg", "cg_iterations": 10, "damping": 0.1}
DEFAULTS = {
    reinforce: {"gamma": 0.99, "gamma_t": True, "baseline": "time", "learning_rate": 0.02},
    actor_critic: {"gamma": 0.99, "lam": 0.95, "n_steps": 16, "critic": "v", "target": "td",
                   "learning_rate": 0.001, "critic_learning_rate": 0.003, "optimiser": "adam",
                   "entropy": 0.0, "value_weight": 0.5, "max_norm": 0.5, "normalize": False},
    npg: {**NATURAL, "learning_rate": 0.0},
    trpo: NATURAL,
    ppo: {**ADAM, "clip": 0.2, "learning_rate": 0.001, "epochs": 10, "minibatch": 64,
          "max_norm": 0.5, "target_kl": 0.0},
    acktr: {**LOOP, "delta": 0.01, "damping": 0.01, "learning_rate": 0.3, "factor_decay": 0.95,
            "critic_delta": 0.1, "critic_learning_rate": 1.0, "critic_epochs": 10},
    cem: {"population": 40, "elite": 8, "std": 1.0, "extra_std": 0.2},
}  # fmt: skip
LEAST = {  # that is accepted, and the most where there is one
    **dict.fromkeys(("gamma", "lam", "factor_decay"), (0, 1)),
    "final_std": (0, 1e8),
    **dict.fromkeys(("n_steps", "critic_epochs", "critic_minibatch", "cg_iterations", "epochs",
                     "minibatch"), (1, 10**6)),
    **dict.fromkeys(("delta", "critic_delta"), (np.finfo(float).tiny, None)),
    **dict.fromkeys(("learning_rate", "critic_learning_rate", "entropy", "value_weight",
                     "max_norm", "target_kl", "std", "extra_std"), (0, None)),
}  # fmt: skip
OWN = {(acktr, "damping"): (np.finfo(float).tiny, None), (npg, "damping"): (0, None),
       (trpo, "damping"): (0, None), (cem, "elite"): (2, 40), (cem, "population"): (8, 10**6),
       (ppo, "clip"): (1e-9, 1 - 1e-9)}  # fmt: skip
NUMBERS = [(module, name) for module, defaults in DEFAULTS.items()
           for name, value in defaults.items() if not isinstance(value, bool | str)]  # fmt: skip


def test_every_algorithm_s_defaults_are_here():
    assert {module.__name__ for module in DEFAULTS} == {
        loop.__module__ for loop, _ in ALGORITHMS.values()
    }


@pytest.mark.parametrize("module", DEFAULTS, ids=lambda m: m.__name__.split(".")[-1])
def test_the_defaults(module):
    assert dataclasses.asdict(module.Settings()) == DEFAULTS[module]


@pytest.mark.parametrize(
    ("module", "name"), NUMBERS, ids=[f"{m.__name__.split('.')[-1]} {name}" for m, name in NUMBERS]
)
def test_the_range_of_each_number(module, name):
    """Its ends are in it, what lies beyond them is not, nor are NaN and infinity."""
    least, most = OWN.get((module, name)) or LEAST[name]
    for value in (least, most):
        if value is not None:
            assert getattr(module.Settings(**{name: value}), name) == value
    whole = isinstance(least, int) and name not in ("gamma", "lam", "factor_decay")
    below = least - 1 if whole and least else math.nextafter(least, -math.inf) - (name == "clip")
    above = [] if most is None else [most + 1 if whole else math.nextafter(most, math.inf) + 1e-8]
    for value in (below, math.nan, math.inf, -math.inf, *above):
        with pytest.raises(ValueError, match=name if name != "elite" else "elite|population"):
            module.Settings(**{name: value})


@pytest.mark.parametrize("module", [npg, trpo, ppo, acktr])
def test_the_last_std_is_0_for_none_or_one_whose_logarithm_fits(module):
    assert module.Settings(final_std=1e-8).final_std == 1e-8
    with pytest.raises(ValueError, match="final_std: expected 0 or 1e-8 to 1e8, got 9e-09"):
        module.Settings(final_std=9e-9)


@pytest.mark.parametrize(("module", "name"), [(reinforce, "baseline"), (npg, "solver"),
                         *((actor_critic, name) for name in ("critic", "target", "optimiser"))],
                         ids=str)  # fmt: skip
def test_unknown_names_are_refused_with_those_known(module, name):
    default = DEFAULTS[module][name]
    with pytest.raises(ValueError, match=f"{name}: expected .*{default}.*got 'nope'"):
        module.Settings(**{name: "nope"})


@pytest.mark.parametrize("decay", [-1e-9, 1 + 1e-9, math.nan])
def test_a_running_mean_of_factors_is_one(decay):
    one, two = (Factors([(np.full((2, 2), x), np.full((1, 1), x))]) for x in (1.0, 2.0))
    with pytest.raises(ValueError, match="decay"):
        average(one, two, decay)
    for kept, expected in ((0, 2.0), (1, 1.0), (0.25, 1.75)):
        ((a, g),) = average(one, two, kept).layers
        assert (a == expected).all()
        assert (g == expected).all()


@pytest.mark.parametrize(("words", "message"), [
    (["actor_critic", "--value-weight=1"], "--value-weight: expected with --shared only, got 1.0"),
    (["trpo", "--solver=cholesky", "--cg-iterations=4"],
     "--cg-iterations: expected with --solver cg only, got 4"),
    (["trpo", "--solver=cholesky"], None), (["trpo", "--cg-iterations=5"], None),
    (["actor_critic", "--value-weight=1", "--shared"], None),
])  # fmt: skip
def test_an_option_that_would_not_be_used_is_refused(tmp_path, capsys, words, message):
    name, *options = words
    line = [name, "CartPole-v1", "--steps=100", "--evaluation-episodes=0", *options]
    assert train.main([*line, f"--out={tmp_path / 'run'}"]) == (0 if message is None else 2)
    assert message is None or message in capsys.readouterr().err


def test_games_are_of_an_attribution(capsys):
    assert estimators.main(["--games=3"]) == 2
    assert "--games: expected with --attribute, got 3 without it" in capsys.readouterr().err
