"""On what: problems whose truth is known, each also as a vector environment.

file           what                                                    equations
mdp            TabularMDP: a Markov decision process from its table    E26
entries        what a table is made of, merged and checked
tables         where tables come from: arrays, files, environments
ends           which states can reach an end
faults         a stranger's code called: what goes wrong is one line
resets         what a reset is given: seeds, and which copies
mdp_env        a table as a Gymnasium vector environment
lqr_problem    LQR: a linear-quadratic problem
lqr            its exact V, Q, J, ∇J                                   E05, E28
lqr_env        the same as a Gymnasium vector environment
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.problems.lqr_env import LQRVectorEnv as LQRVectorEnv
    from minipg.problems.lqr_problem import LQR as LQR
    from minipg.problems.mdp import TabularMDP as TabularMDP
    from minipg.problems.mdp_env import TabularVectorEnv as TabularVectorEnv
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
