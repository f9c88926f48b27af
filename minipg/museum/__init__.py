"""The bug museum: published bugs planted in our own source, what catches each, what each costs.

file          what                                                     pitfalls
pitfalls      every pitfall: the bug, where it was seen, its property  1–40
bug           what a planted bug is, how it is planted and examined
wrong_data    the bugs of what is seen and made of it, as wrong functions
wrong_steps   the bugs of policies and steps, likewise
collection    all planted bugs
problems      what harm is measured on: FrozenLake-v1, an LQR
toy           an environment whose lengths and endings are known
advantages    bugs of the advantage                                    1–6, 9
estimators    … of the estimator of ∇J                                 8, 11, 20, 28
play          … between environment and batch                          7, 10, 23, 25, 26
trust_region  … of the Fisher matrix, CG, the line search              12–16, 27
densities     … of densities, of θ, of the optimiser                   17–19, 22, 24, 29
critics       … of the critic                                          21, 30
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.museum.bug import (
        Bug as Bug,
        examine as examine,
        planted as planted,
        told_apart as told_apart,
    )
    from minipg.museum.collection import BUGS as BUGS
    from minipg.museum.pitfalls import PITFALLS as PITFALLS, Pitfall as Pitfall
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
