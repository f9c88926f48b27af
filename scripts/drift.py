"""What observations whose statistics go on do to a policy that rests.

python scripts/drift.py        about three minutes; needs gymnasium[mujoco]

Hopper-v5 by TRPO's preset for 500,000 steps; then θ stays, and the statistics alone go on.
"""

from collections.abc import Iterator

import numpy as np

from minipg.commands.environments import prepare
from minipg.commands.options import ALGORITHMS, parse
from minipg.experience.environments import recent_returns
from minipg.experience.rollout import collect


def drift(words: list[str], until: int, parts: int, steps: int) -> Iterator[tuple[str, int, float]]:
    """What the statistics do, how many steps θ rests, mean return of the last hundred episodes.

    words: of minipg train, with --normalize-observations. until: the steps after which θ rests;
    then `parts` times `steps` steps of each game, and once more by the statistics of before.
    """
    args = parse(words)
    envs, scaler, policy, settings = prepare(args)
    rng = np.random.default_rng(args.seed)
    theta = policy.init(rng, dtype=np.float32, std=args.initial_std)
    for state, _ in ALGORITHMS[args.algorithm][0](envs, policy, theta, settings, args.steps, rng):
        if state.env_steps >= until:
            break
    stream, rested, statistics = state.stream, 0, scaler.obs_rms
    before = statistics.mean, statistics.var
    yield "before", rested, recent_returns(envs)[1]
    for said in ["go on"] * parts + ["of before"]:
        scaler.update_running_mean = said == "go on"
        if said == "of before":
            statistics.mean, statistics.var = before
        _, stream = collect(envs, policy, state.theta, rng, steps, stream)
        rested += steps * args.num_envs
        yield said, rested, recent_returns(envs)[1]


if __name__ == "__main__":
    print("| statistics | steps of a policy that rests | mean return |\n|---|---|---|")
    for said, rested, mean in drift(["trpo", "Hopper-v5", "--seed=100"], 500_000, 4, 25_000):
        print(f"| {said} | {rested:,} | {mean:.0f} |", flush=True)
