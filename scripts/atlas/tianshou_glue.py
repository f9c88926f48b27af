"""Tianshou's Reinforce, A2C and PPO: its Collector and update(), as they are; linear networks."""

import gymnasium as gym
import torch
from played import Played, Still, ascent, fill
from served import serve
from tianshou import algorithm, data
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.utils.torch_utils import policy_within_training_step


class Linear(torch.nn.Linear):
    def forward(self, obs, state=None, info=None):
        out = super().forward(torch.as_tensor(obs, dtype=torch.float32))
        return out if self.out_features == 1 else (out, state)


def make(lab, options):
    kind, env = options.pop("class"), Played()
    env.draws()
    actor, critic, venv = Linear(4, 2), Linear(4, 1), data.collector.DummyVectorEnv([lambda: env])
    fill(actor, lab.weight, lab.bias)
    fill(critic, lab.values[None], [0.0])
    options |= {} if kind == "Reinforce" else {"critic": critic}

    def ask(window):
        env.begin(window)
        policy = DiscreteActorPolicy(actor=actor, action_space=gym.spaces.Discrete(2))
        own = getattr(algorithm, kind)(policy=policy, optim=TorchOptimizerFactory(Still),
                                       gamma=float(lab.gamma), **options)  # fmt: skip
        with policy_within_training_step(policy):
            seen = data.VectorReplayBuffer(lab.rows, 1)
            data.Collector(own, venv, seen).collect(n_step=lab.rows, reset_before_collect=True)
            own.update(seen, batch_size=None, repeat=1)
        return ascent(actor)

    return ask


serve(make)
