"""The truth beside it: exact J, V, Q, ∇J, the theory of section 5, and verdicts.

file           what                                                    equations
exact          V, Q, A, d_π, ∇J of a table by sparse solves            E01, E11, E12, E28, E30
optimal        Q* by policy iteration                                  E13
performance    J(π̃) − J(π), L, its bound, the loop that never falls    E29, E31–E37
check          finite differences, complex step, a mean's test
contract       your estimator: what it gets, its exact moments         E06
verdict        is its mean the truth? A test of stated error rates
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.truth.check import (
        MeanVerdict as MeanVerdict,
        central_difference as central_difference,
        check_mean as check_mean,
        complex_step as complex_step,
        gradient_error as gradient_error,
    )
    from minipg.truth.contract import (
        Estimator as Estimator,
        check_exact as check_exact,
        estimates as estimates,
        exact_moments as exact_moments,
        sampler as sampler,
    )
    from minipg.truth.exact import (
        action_values as action_values,
        advantages as advantages,
        bootstrap_bias as bootstrap_bias,
        expected_score as expected_score,
        logit_gradient as logit_gradient,
        logit_score as logit_score,
        objective as objective,
        policy_gradient as policy_gradient,
        state_values as state_values,
        visitation as visitation,
        visits as visits,
    )
    from minipg.truth.optimal import optimal_action_values as optimal_action_values
    from minipg.truth.performance import (
        improve as improve,
        kl as kl,
        lower_bound as lower_bound,
        mean_kl as mean_kl,
        penalty as penalty,
        performance_difference as performance_difference,
        surrogate as surrogate,
    )
    from minipg.truth.verdict import (
        Verdict as Verdict,
        assert_unbiased as assert_unbiased,
        check_unbiased as check_unbiased,
    )
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
