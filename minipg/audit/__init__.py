"""Any estimator of any framework: its exact bias, and the name of the formula it computes.

file        what
window      one window of a stream as real code sees it
laboratory  a small problem whose every window is listed, its truth
grammar     formulas as choices of ingredients
language    the same for losses of language models
readings    what each of them says of given windows
fits        what may stand beside a formula: a factor, ∇entropy, a clipped norm
naming      which formula given numbers are
report      the audit of an estimator in one call
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.audit.laboratory import (
        Laboratory as Laboratory,
        enumerate_windows as enumerate_windows,
        lake as lake,
    )
    from minipg.audit.language import Responses as Responses
    from minipg.audit.naming import Named as Named, identify as identify
    from minipg.audit.readings import Probe as Probe, library as library
    from minipg.audit.report import Own as Own, Report as Report, run as run
    from minipg.audit.window import Window as Window, stream as stream
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
