"""Stable-Baselines3's A2C and PPO, sb3-contrib's TRPO: collect_rollouts() and train(), as they are.

The optimiser is Still; of TRPO the gradient is what _compute_actor_grad hands to its CG.
"""

import sb3_contrib
import stable_baselines3
import torch
from played import Played, Still, ascent, fill
from served import serve
from stable_baselines3.common.callbacks import CallbackList


def make(lab, options):
    kind, env = options.pop("class"), Played()
    env.draws()
    if kind != "A2C":
        options = {"batch_size": lab.rows} | ({"n_epochs": 1} if kind == "PPO" else {}) | options
    of = sb3_contrib if kind == "TRPO" else stable_baselines3
    model = getattr(of, kind)("MlpPolicy", env, n_steps=lab.rows, gamma=float(lab.gamma),
                              device="cpu", policy_kwargs={"net_arch": [], "optimizer_class": Still},
                              _init_setup_model=True, **options)  # fmt: skip
    actor = model.policy.action_net
    fill(actor, lab.weight, lab.bias)
    fill(model.policy.value_net, lab.values[None], [0.0])
    if kind == "TRPO":
        inner = model._compute_actor_grad

        def recorded(*what):
            parameters, gradient, *rest = inner(*what)
            w, b = torch.split(-gradient, [actor.weight.numel(), actor.bias.numel()])
            model.seen = w.reshape(actor.weight.shape), b
            return parameters, gradient, *rest

        model._compute_actor_grad = recorded

    def ask(window):
        env.begin(window)
        callback = model._setup_learn(10**9, CallbackList([]))[1]
        model.collect_rollouts(model.env, callback, model.rollout_buffer, lab.rows)
        model.train()
        if kind == "TRPO":
            actor.weight.grad, actor.bias.grad = model.seen
            fill(actor, lab.weight, lab.bias)
        return ascent(actor)

    return ask


serve(make)
