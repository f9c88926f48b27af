"""Every equation of the lecture as a comparison of two computations, and the lecture's own lists.

file             what                                                  equations
statement        an entry of the lists: id, section, title, sentence
equations        what the slides state, all of it                      E01–E48
e1_reinforce     of each: title, sentence, TeX, code, coloured terms   E01–E06
e2_baselines     likewise                                              E07–E10
e3_actor_critic  likewise                                              E11–E19
e4_gae           likewise                                              E20–E25
e5_theory        likewise                                              E26–E38
e5_step          likewise                                              E39–E48
course           opening, reading order, what a reader can tell
errata           what they get wrong, or leave loose                   errata 1–11
questions        what their footnotes ask, answered
problem          what is compared on: a table, its start, a policy
rows             what a claim is: a row of verify
sections         all claims, in verify's order
s1_reinforce     the objective, the score, REINFORCE, its variance     E01–E06
s2_baselines     baselines, the best one, the reward-to-go             E07–E10
s3_actor_critic  Q, V, A and their critics, A2C                        E11–E19
s3_endings       sizes; a stream that ends and begins again    E13–E15
s4_gae           ψ_t, N steps, GAE                                     E20–E25
s5_importance    games of another policy, weighted                     E27
s5_performance   J(π̃) − J(π), L, its bound                             E26, E28–E37
s5_quadratic     the Fisher matrix, the step, conjugate gradients      E39–E44
s5_trpo          the trust region and its algorithms                   E38, E45–E48
s5_errata        what section 5 of the slides writes otherwise         errata 1–3, 6, 8
table            an environment's table or yours, and its start
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.claims.equations import EQUATIONS as EQUATIONS
    from minipg.claims.errata import ERRATA as ERRATA
    from minipg.claims.problem import Problem as Problem
    from minipg.claims.questions import QUESTIONS as QUESTIONS
    from minipg.claims.rows import (
        STATEMENTS as STATEMENTS,
        Claim as Claim,
        Row as Row,
        claim as claim,
    )
    from minipg.claims.sections import CLAIMS as CLAIMS
    from minipg.claims.statement import (
        Erratum as Erratum,
        Question as Question,
        Statement as Statement,
    )
    from minipg.claims.table import read_table as read_table, unrolled_start as unrolled_start
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
