"""rejax's PPO on gymnax's CartPole-v1 until the last 100 training episodes have the mean return.

python rejax_glue.py JOB: a JSON object with settings, seeds, threshold, budget of steps. Prints
one with the seconds of compilation, and of each seed after it; and of all at once.
Its functions in its order, compiled as one loop; beside them only the returns are recorded.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
from rejax import PPO
from rejax.algos.ppo import AdvantageMinibatch

LAST = 100  # episodes
job = json.loads(sys.argv[1])
ppo = PPO.create(env="CartPole-v1", total_timesteps=job["budget"], **job["settings"])
took = {}


def learn(state, trajectories):
    """PPO.train_iteration after its first line."""
    last = ppo.critic.apply(state.critic_ts.params, state.last_obs)
    last = jnp.where(state.last_done, 0, last)
    batch = AdvantageMinibatch(trajectories, *ppo.calculate_gae(trajectories, last))

    def epoch(state, _):
        rng, shuffled = jax.random.split(state.rng)
        parts = ppo.shuffle_and_split(batch, shuffled)
        return jax.lax.scan(lambda s, part: (ppo.update(s, part), None),
                            state.replace(rng=rng), parts)[0], None  # fmt: skip

    return jax.lax.scan(epoch, state, None, ppo.num_epochs)[0]


def finished(running, row):
    """Returns (B,) so far of episodes, and what they are with this row, which may end them."""
    reward, done = row
    total = running + reward
    return jnp.where(done, 0, total), total


def iteration(carry):
    """Plays, learns, and keeps the returns of the last 100 episodes, the n-th at n % 100."""
    state, running, count, returns = carry
    state, trajectories = ppo.collect_trajectories(state)
    done = trajectories.done
    running, totals = jax.lax.scan(finished, running, (trajectories.reward, done))
    done, totals = done.ravel(), totals.ravel()
    number = count + jnp.cumsum(done) - 1
    count = count + done.sum()
    kept = done & (number >= count - LAST)
    returns = returns.at[jnp.where(kept, number % LAST, LAST)].set(totals, mode="drop")
    return learn(state, trajectories), running, count, returns


def goes_on(carry):
    """Until the mean is there or the steps are over."""
    state, _, count, returns = carry
    there = (count >= LAST) & (returns.mean() >= job["threshold"])
    return ~there & (state.global_step < job["budget"])


def train(key):
    """Steps played, and whether the mean was reached."""
    start = ppo.init_state(key), jnp.zeros(ppo.num_envs), jnp.array(0), jnp.zeros(LAST)
    end = jax.lax.while_loop(goes_on, iteration, start)
    return end[0].global_step, end[3].mean() >= job["threshold"]


def timed(function, *given):
    """What it returns, computed, and the seconds."""
    since = time.perf_counter()
    got = jax.block_until_ready(function(*given))
    return got, time.perf_counter() - since


keys = [jax.random.PRNGKey(seed) for seed in job["seeds"]]
one, took["compile"] = timed(lambda: jax.jit(train).lower(keys[0]).compile())
took["runs"] = []
for key in keys:
    (steps, there), seconds = timed(one, key)
    took["runs"].append({"seconds": seconds, "steps": int(steps), "reached": bool(there)})
if len(keys) > 1 and job["together"]:
    every, took["compile together"] = timed(
        lambda: jax.jit(jax.vmap(train)).lower(jnp.stack(keys)).compile())  # fmt: skip
    took["together"] = timed(every, jnp.stack(keys))[1]
print(json.dumps(took))
