"""minipg: policy-gradient mathematics in NumPy, proven against exact truth.

wing           what
policies       who acts
problems       on what
experience     what was seen
estimators     what is made of it
steps          how θ moves
algorithms     the loops
truth          the exact answers beside them
claims         every equation of the lecture as a comparison of two computations
audit          which formula an estimator computes, and its bias
"""

from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from minipg import (
        algorithms as algorithms,
        audit as audit,
        claims as claims,
        estimators as estimators,
        experience as experience,
        policies as policies,
        problems as problems,
        steps as steps,
        truth as truth,
    )
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
