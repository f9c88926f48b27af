"""verl's advantage estimators × its policy losses × its loss aggregations, as they are.

log π is a leaf; old_log_prob is the same; the reward stands at a response's last token.
"""

import numpy as np
import torch
from served import serve
from verl.trainer.config import AlgoConfig
from verl.trainer.ppo import core_algos
from verl.workers.config import FSDPActorConfig

torch.set_default_dtype(torch.float64)


def make(lab, options):
    estimator = core_algos.get_adv_estimator_fn(options.pop("estimator"))
    loss = core_algos.get_policy_loss_fn(options.pop("loss", "vanilla"))
    scaled = {k: v for k, v in options.items() if k == "norm_adv_by_std_in_grpo"}
    told = AlgoConfig(gamma=1.0, **scaled)
    actor = FSDPActorConfig(strategy="fsdp", rollout_n=int(lab.batch) // 2, use_dynamic_bsz=True)
    mode = {"loss_agg_mode": options["aggregation"]} if "aggregation" in options else {}

    def ask(batch):
        mask = torch.arange(4)[None] < torch.tensor(batch.lengths)[:, None]
        rewards, at = torch.zeros(mask.shape), torch.tensor(batch.lengths)[:, None] - 1
        rewards.scatter_(1, at, torch.tensor(batch.returns)[:, None])
        advantages = estimator(token_level_rewards=rewards, response_mask=mask.double(),
                               index=batch.prompt, config=told, **scaled)[0]  # fmt: skip
        leaf = torch.zeros(mask.shape, requires_grad=True)
        old = torch.zeros(mask.shape)
        loss(old, leaf, advantages, mask.double(), config=actor, **mode)[0].backward()
        return -np.where(mask, leaf.grad, 0.0)

    return ask


serve(make)
