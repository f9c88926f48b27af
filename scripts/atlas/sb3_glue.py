"""Stable-Baselines3's A2C and PPO, sb3-contrib's TRPO: collect_rollouts() and train(), as they are.

The optimiser is Still; of TRPO the gradient is what _compute_actor_grad hands to its CG.
"""

import sb3_contrib
import stable_baselines3
from played import Played, Still, ascent, fill
from served import serve
from stable_baselines3.common.callbacks import CallbackList


def make(lab, options):
    kind, env, seen = options.pop("class"), Played(), []
    env.draws()
    whole = {"A2C": {}, "PPO": {"batch_size": lab.rows, "n_epochs": 1}, "TRPO": {}}[kind]
    still = {"net_arch": [], "optimizer_class": Still}
    model = getattr(sb3_contrib if kind == "TRPO" else stable_baselines3, kind)(
        "MlpPolicy", env, n_steps=lab.rows, gamma=float(lab.gamma), device="cpu",
        policy_kwargs=still, **whole, **options)  # fmt: skip
    actor = model.policy.action_net
    fill(model.policy.value_net, lab.values[None], [0.0])
    if kind == "TRPO":
        inner = model._compute_actor_grad
        model._compute_actor_grad = lambda *given: seen.append(inner(*given)) or seen[-1]

    def ask(window):
        fill(actor, lab.weight, lab.bias)
        env.begin(window)
        callback = model._setup_learn(10**9, CallbackList([]))[1]
        model.collect_rollouts(model.env, callback, model.rollout_buffer, lab.rows)
        model.train()
        if kind == "TRPO":
            gradient = -seen.pop()[1]
            actor.weight.grad, actor.bias.grad = gradient[:-2].view(2, 4), gradient[-2:]
        return ascent(actor)

    return ask


serve(make)
