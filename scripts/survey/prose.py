"""The words of docs/atlas.md: what its numbers show, and apart from that our reading of why."""

from collections.abc import Iterator

HEAD = """# Atlas: what released libraries compute

The code of released libraries, as its authors published it, run on the windows of the [audit](audit.md). Every formula is named by the numbers alone; why it is so is said apart, as our reading. Written by `python scripts/atlas.py --write docs/atlas.md`.

    python scripts/atlas.py                       every library, each in an environment of its own
    python scripts/atlas.py sb3 --only ppo-bare   one row: the command that stands in it

Environments are made in `.venv/atlas-LIBRARY` (`--envs DIR`) from the pinned `scripts/atlas/sb3.txt` and its like; the glue, `scripts/atlas/sb3_glue.py` and its like, runs there and needs no minipg. Windows and answers go to and fro as `.npz`.

- [How to read it](#how-to-read-it)
- [Stable-Baselines3 and sb3-contrib](#stable-baselines3-and-sb3-contrib), [Tianshou](#tianshou), [CleanRL](#cleanrl): on windows of a small lake
- [TRL](#trl), [verl](#verl): on groups of responses of a small language
- [What is not here](#what-is-not-here)

## How to read it

command: what stands after `python scripts/atlas.py`. setting: the class and what differs from its defaults. bias and length: of the exact mean of what the code would ascend, ‖mean − truth‖ and ‖mean‖ in units of ‖truth‖; cosine: between the two; variance: of one window or batch, in ‖truth‖². Bias is of the estimator as it stands; a factor that never changes is a matter of the learning rate, so a row of cosine 1 points where ∇J points, whatever its bias. γ^t dropped and a mean over steps are what nearly all deep reinforcement learning does, by intent.

On the lake (three states, γ = 0.9, a limit of three steps, windows of five rows) the truth is E Σ γ^t A^π ∇log π over a window's rows, and the mean is exact, over all 1,304 windows; a mean over steps has a length near 1/5 for that reason alone. What depends on the size of a batch, such as a normalised advantage, is told at 3 rows (exact) and at 64 (1,000 windows drawn; the mean is farther off than the share in brackets once in a thousand) as well: five rows are far fewer than anyone trains on.

In the language (two prompts, at most four tokens, the tree of [groups](groups.md)) the truth is ∇J, and the mean is exact, over all 225 batches of G = 2 responses to each prompt, or all 4,900 of G = 4. At θ = θ_old every ratio is 1, so clips, trust regions and later epochs do not show.

"Equal on these windows" means that no window asked can tell the readings apart: with a limit of three steps, three steps are λ = 1; with one G, RLOO is a multiple of R less the group's mean.
"""  # noqa: E501

TAIL = """## What is not here

- Replaced in each glue: an optimiser that does nothing (its gradient is what is read), an environment that plays the window, linear networks in place of deep ones; for language models a table of log π in place of the model, and given responses in place of generation. One minibatch and one epoch, so that θ is θ_old.
- CleanRL's `ppo.py` is one file and in no package of this version: save it as `cleanrl/ppo.py` in the environment's folder (here from github.com/vwxyzjn/cleanrl at fe8d8a03c41a7ef5b523e2e354bd01c363e786bb). Not asked: its other scripts.
- verl: `remax` needs the return of a greedy response, `gae` a critic, `gdpo` several rewards, the two optimal token baselines the model's own probabilities: not asked. TRL: KL terms are 0, as the reference model is the policy.
- Formulas that were outside the grammar at first and are one line of it now: pass@k's lead, GPG's count of responses with R ≠ 0, OPO's mean over tokens, RLOO normalised over the batch, whitening over tokens with n − 1 and after the group's mean is off, and a norm clipped together with parameters that nobody showed.
- All that was tried could be installed, verl whole. Not tried: OpenRLHF, RLlib, Acme, Spinning Up.
"""  # noqa: E501

LIBRARIES = {  # title, what the numbers show, our reading of why
    "sb3": ("Stable-Baselines3 and sb3-contrib", """
With the switches off, PPO is GAE λ = 0.95, γ^t dropped, mean over steps, and no other of the
formulas; truncation is bootstrapped as it should be. The default clip to a norm of 0.5 counts the
critic's gradient too: each window's length is its own, and where every window is clipped the
numbers leave open what constant it had before (`ppo`); without the critic the clip at 0.5 is named
(`ppo-no-critic`). Normalised, the cosine is 0.906 at 3 rows, 0.960 at 5 and 0.991 at 64, where
without normalisation it is 0.990; with the clip as well 0.380, 0.867 and 0.990. TRPO's gradient,
before its natural step, is PPO's. A2C takes λ = 1 and does not normalise.""", """
Everything named is documented. The normalised advantage is a ratio to a deviation of the same few
rows, which matters for tiny minibatches and fades with their size; the default minibatch is 64. A
clip weighs windows by the length of their gradient, the critic's included; the lake's critic is far
from fitted and its windows are tiny, so it acts on most of them, which is not what it is like late
in a training."""),
    "tianshou": ("Tianshou", """
Reinforce is G, γ^t dropped, mean over steps; A2C and PPO are GAE λ = 0.95 with right endings, an
entropy bonus of 0.01, PPO normalised with n − 1. In Reinforce nothing is added for what comes after
a truncation or the window's end.""", """
Reinforce has no critic, so a cut return has nothing to be completed with; on whole episodes the
same code is unbiased but for γ^t and the mean over steps. Its Collector can collect whole episodes
(n_episode), which was not asked here."""),
    "cleanrl": ("CleanRL", """
PPO is GAE λ = 0.95 in which a truncation is treated as a termination; normalised with n − 1, an
entropy bonus of 0.01, the norm clipped together with the critic's. The default is named although
its clip has a factor of its own in each window, because some windows are not clipped. On this lake
the ending costs nothing in direction: bare, its cosine is 0.992, that of right endings 0.986. The
file is that of commit fe8d8a0.""", """
The file keeps one flag for both ends of an episode, a simplification that single-file code makes
for the sake of being read. It matters as often as limits cut: here every third step, in CartPole
only for a policy that reaches step 500."""),
    "trl": ("TRL", """
GRPO's default loss (`dapo`) is the advantage normalised over the group (n − 1, ε = 1e-4), a mean
over all tokens. `dr_grpo` with scale_rewards="none" is a multiple of ∇J: cosine 1, length
(1 − 1/G)/8 where 8 is max_completion_length. RLOO is unbiased up to single precision. At θ_old
`bnpo` and `vespo` equal `dapo` on one device, `sapo` equals `grpo`, and `luspo` sums each
response's tokens. `cispo` at the default epsilon_high = 0.2 is 0.2 times `dapo`, at 5.0 equal to
it.""", """
What is divided by the group's deviation aims elsewhere by design: it weighs prompts, and at G = 2
a difference of 0.1 as much as one of 1; [groups](groups.md) has how it fades with G. For `cispo`
the bound is on the ratio itself, so a bound below 1 scales all tokens alike; TRL's documentation
gives 5.0 for it."""),
    "verl": ("verl", """
`rloo` summed over each response and averaged over responses is ∇J exactly, in double precision. At
the default token mean its bias at G = 2 is about half of ‖∇J‖; the cosine is 0.999, so nearly all
of it is length: division by the number of tokens. A mean over each response's tokens turns more.
Called without an aggregation, the losses gpg and cispo equal the default one at θ_old, and gspo,
geo_mean and sapo are the mean over each response's tokens. `reinforce_plus_plus` whitens over the
batch's tokens (n − 1), the baseline variant after the group's mean is off. `opo` subtracts the
group's mean over tokens.""", """
The number of tokens is drawn with the responses, so the token mean's length and a little of its
direction depend on the batch; among many long responses it is nearly constant. `opo` at G = 2
subtracts a mean that holds the own return and weighs it by length, which turns it slightly;
`grpo_passk` aims at the best of a group, not at J, so its cosine with ∇J is no fault."""),
}  # fmt: skip


def head() -> Iterator[str]:
    """What stands before the tables."""
    yield HEAD


def tail() -> Iterator[str]:
    """What stands after them."""
    yield TAIL
