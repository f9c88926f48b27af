"""What is made of a batch: every ψ_t of the slides, and gradients from it.

file            what                                                   equations
returns         R, reward-to-go, δ, N-step, GAE, γ^t                   E01, E10, E14, E22–E25
recursion       their sums over time, all steps at once
score_function  Σ ∇log π ψ of a batch, or of each column               E05, E10, E11
baselines       constant, by time, of lowest variance                  E08, E09
importance      weights of games that another policy played            E04, E27
critics         V: its δ, GAE, semi-gradient; what a critic is         E14–E17
action_critics  Q and the compatible A, which see the action           E12, E13
fits            critics fitted: minibatches, least squares, LSTD       E13, E15
groups          RLOO, GRPO and the like, of language-model training    E08
group_moments   their exact mean and covariance, over every batch      E06
surrogate       L from a batch, its gradient, PPO's clip               E33, E35, E47
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minipg.estimators.action_critics import (
        CompatibleCritic as CompatibleCritic,
        QCritic as QCritic,
        compatible_advantage as compatible_advantage,
        make_critic as make_critic,
    )
    from minipg.estimators.baselines import (
        constant_baseline as constant_baseline,
        optimal_baseline as optimal_baseline,
        time_baseline as time_baseline,
    )
    from minipg.estimators.critics import (
        Critic as Critic,
        SharedCritic as SharedCritic,
        VCritic as VCritic,
        td_errors as td_errors,
        value_critic as value_critic,
    )
    from minipg.estimators.fits import (
        fit_values as fit_values,
        least_squares as least_squares,
        lstd as lstd,
    )
    from minipg.estimators.group_moments import batch_moments as batch_moments
    from minipg.estimators.groups import (
        by_group as by_group,
        dr_grpo as dr_grpo,
        grpo as grpo,
        reinforce_plus_plus as reinforce_plus_plus,
        remax as remax,
        responses as responses,
        rloo as rloo,
    )
    from minipg.estimators.importance import (
        decision_weights as decision_weights,
        importance_weight as importance_weight,
        log_decision_weights as log_decision_weights,
        self_normalized as self_normalized,
        self_normalized_weight as self_normalized_weight,
    )
    from minipg.estimators.returns import (
        discounted_sum as discounted_sum,
        discounts as discounts,
        gae as gae,
        gae_ensemble as gae_ensemble,
        n_step_advantage as n_step_advantage,
        normalize as normalize,
        reward_to_go as reward_to_go,
        steps_since_start as steps_since_start,
        td_error as td_error,
        total_return as total_return,
    )
    from minipg.estimators.score_function import gradient as gradient, gradients as gradients
    from minipg.estimators.surrogate import (
        batch_surrogate as batch_surrogate,
        batch_surrogate_gradient as batch_surrogate_gradient,
        clipped_surrogate as clipped_surrogate,
        ratio as ratio,
    )
else:
    from minipg.lazy import handed_on

    __getattr__, __dir__, __all__ = handed_on(__name__)
