"""TRL's GRPOTrainer and RLOOTrainer: scoring and loss, as they are, of responses that are given.

The model's log π is a leaf (each token's, with its gradient), the generation and the reward return
what the batch says; advantages and loss are the trainer's own.
"""

import tempfile

import datasets
import numpy as np
import tokenizers
import torch
import transformers
import trl
from served import serve

WORDS = tokenizers.Tokenizer(tokenizers.models.WordLevel({"p": 0, "q": 1, "a": 2, "e": 3}, "p"))
TOKENS = transformers.PreTrainedTokenizerFast(tokenizer_object=WORDS, eos_token="e", pad_token="e")
SHAPE = transformers.GPT2Config(vocab_size=4, n_embd=4, n_layer=1, n_head=1, n_positions=32)
MODEL = tempfile.mkdtemp()
transformers.GPT2LMHeadModel(SHAPE).save_pretrained(MODEL)


def make(lab, options):
    kind, now, size = options.pop("class"), {}, int(lab.batch)
    told = getattr(trl, f"{kind}Config")(
        tempfile.mkdtemp(), per_device_train_batch_size=size, report_to="none", use_cpu=True,
        num_generations=size // 2, max_completion_length=8, **options)  # fmt: skip
    trainer = getattr(trl, f"{kind}Trainer")(
        MODEL, lambda completions, **_: now["returns"], told, processing_class=TOKENS,
        train_dataset=datasets.Dataset.from_list([{"prompt": "p"}]))  # fmt: skip
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.train()

    def log_prob(model, ids, mask, keep, *_, **__):
        now["leaf"] = torch.zeros(len(ids), keep, requires_grad=torch.is_grad_enabled())
        return now["leaf"], torch.zeros(len(ids), keep), None

    trainer._get_per_token_logps_and_entropies = log_prob
    trainer._generate_single_turn = lambda *_: now["said"]

    def ask(batch):
        said = [[2] * (int(n) - 1) + [3] for n in batch.lengths]
        now.update(returns=batch.returns.tolist(), said=(said, None) if kind == "GRPO" else said)
        prompts = [{"prompt": "pq"[i]} for i in batch.prompt]
        scored = trainer._generate_and_score_completions(prompts)
        trainer._compute_loss(trainer.model, scored).backward()
        return -np.pad(now["leaf"].grad, ((0, 0), (0, 8 - now["leaf"].shape[1])))

    return ask


serve(make)
