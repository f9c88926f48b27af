"""An estimator in PyTorch, audited in its own network's parameters, whatever these are.

python audit_torch.py        needs PyTorch, which minipg does not: pip install torch

`laboratory` and `own` are all that a network of yours needs; the loss below them is an example.
Axes: L rows of a window, S states, A actions, P parameters. All in float64.
"""

import sys
from dataclasses import replace

import numpy as np

try:
    import torch
except ModuleNotFoundError as absent:
    sys.exit(f"audit_torch: needs {absent.name}: pip install {absent.name}")

from minipg.audit import Laboratory, Own, Window, lake, run


def laboratory(net: torch.nn.Module) -> Laboratory:
    """The lake on which this network acts: its π (S, A) as a table of logits, without a bias."""
    lab = lake()
    with torch.no_grad():
        logits = torch.log_softmax(net(torch.tensor(lab.points)), -1).numpy()
    return replace(lab, theta=np.append(logits.ravel(), np.zeros(logits.shape[1])))


def own(net: torch.nn.Module, lab: Laboratory) -> Own:
    """The truth in the network's own parameters, and how they move log π and the entropy."""
    parameters = list(net.parameters())

    def flat(values: torch.Tensor) -> np.ndarray:
        """The derivative of each of the values (n,) by all parameters (n, P)."""
        parts = torch.autograd.grad(values, parameters, torch.eye(len(values)).double(),
                                    is_grads_batched=True)  # fmt: skip
        return torch.cat([part.reshape(len(values), -1) for part in parts], 1).numpy()

    def log_probs(w: Window) -> torch.Tensor:
        return torch.log_softmax(net(torch.tensor(w.obs)), -1)

    def scores(w: Window) -> np.ndarray:
        return flat(log_probs(w).gather(-1, torch.tensor(w.actions)[:, None])[:, 0])

    def entropy(w: Window) -> np.ndarray:
        each = log_probs(w)[torch.tensor(~w.reset)]
        return flat(-(each.exp() * each).sum(-1).mean()[None])[0]

    truth = flat((net(torch.tensor(lab.points)) * torch.tensor(lab.head_truth)).sum()[None])[0]
    return Own(truth, scores, entropy)


def main() -> None:
    """A loss with a ratio, an entropy bonus and a time limit that is taken for an end."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.ReLU(),
                              torch.nn.Linear(8, 2)).double()  # fmt: skip
    lab = laboratory(net)

    def estimator(w: Window) -> np.ndarray:
        net.zero_grad()
        after = np.where(w.terminated | w.truncated, 0, w.next_values)
        psi = torch.tensor(w.rewards + lab.gamma * after - w.values)
        each = torch.log_softmax(net(torch.tensor(w.obs)), -1)
        taken = each.gather(-1, torch.tensor(w.actions)[:, None])[:, 0]
        ratio = torch.exp(taken - torch.tensor(w.log_prob))
        loss = -(ratio * psi).mean() + 0.01 * (each.exp() * each).sum(-1).mean()
        loss.backward()
        return -torch.cat([x.grad.reshape(-1) for x in net.parameters()]).numpy()

    print(run(estimator, lab, own(net, lab), sizes=(2,)))


if __name__ == "__main__":
    main()
