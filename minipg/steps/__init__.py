"""How θ moves: from a gradient to the next θ.

file           what                                                    equations
optim          plain ascent, Adam, RMSprop, a shortened gradient
linalg         conjugate gradients; TRPO's line search                 E44, E46
natural        the Fisher matrix, the natural gradient, its step       E39, E40–E43
kfac           the Fisher matrix in Kronecker factors                  E48
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.steps.kfac import Factors as Factors, factors as factors
    from minipg.steps.linalg import (
        CGResult as CGResult,
        LineSearch as LineSearch,
        backtrack as backtrack,
        conjugate_gradients as conjugate_gradients,
    )
    from minipg.steps.natural import (
        fisher_matrix as fisher_matrix,
        fisher_product as fisher_product,
        natural_gradient as natural_gradient,
        trust_region_step as trust_region_step,
    )
    from minipg.steps.optim import (
        OPTIMISERS as OPTIMISERS,
        AdamState as AdamState,
        adam as adam,
        adam_init as adam_init,
        clip_norm as clip_norm,
        rmsprop as rmsprop,
        rmsprop_init as rmsprop_init,
        sgd as sgd,
        sgd_init as sgd_init,
    )
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
