"""Any estimator of any framework: its exact bias, and the name of the formula it computes.

file        what
window      one window of a stream as real code sees it
chain       a stream of a table's episodes, every row that it may have, with resets
windows     what every laboratory is
laboratory  a small table whose every window is listed, its truth
lake_table  the one that is asked by default
quadratic   the same of continuous actions, by quadrature
endings     what is summed with a critic, and the endings that published code gives it
grammar     formulas as choices of ingredients
combined    every combination, and its numbers on a window
resets      what they say of windows with resets, and what code that does not know them says
language    the same for losses of language models
readings    what each of them says of given windows
fits        what may stand beside a formula: a factor, ∇entropy, a clipped norm
naming      which formula given numbers are
search      the same, with a λ that is searched for where none fits
asking      what an estimator returns, checked
figures     its mean beside the truth, exact or drawn
mapping     another order of its parameters, guessed
report      what the audit says, in words
running     the audit of an estimator in one call
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.audit.asking import Own as Own
    from minipg.audit.laboratory import Laboratory as Laboratory
    from minipg.audit.lake_table import lake as lake
    from minipg.audit.language import Responses as Responses
    from minipg.audit.naming import Named as Named
    from minipg.audit.quadratic import Plant as Plant, plant as plant
    from minipg.audit.readings import Probe as Probe, library as library
    from minipg.audit.report import Report as Report
    from minipg.audit.running import run as run
    from minipg.audit.search import identify as identify
    from minipg.audit.window import Window as Window, stream as stream
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
