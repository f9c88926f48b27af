"""PyTorch, Stable-Baselines3 and sb3-contrib at the same tasks, one thread, on the CPU.

Needs scripts/peers.txt. The formulas in PyTorch are torch_kernels'.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import sb3_contrib
import stable_baselines3 as sb3
import torch
from sb3_contrib import TRPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

from bench.timing import Piece
from bench.torch_kernels import kernels as kernels, torch_pieces as torch_pieces
from bench.watch import Watch

VERSIONS = {"torch": torch.__version__, "stable_baselines3": sb3.__version__,
            "sb3_contrib": sb3_contrib.__version__}  # fmt: skip

# rl-baselines3-zoo, hyperparams/{ppo,a2c,trpo}.yml, CartPole-v1; lin_x falls to 0 with the steps.
# Of other environments the defaults.
ZOO: dict[str, tuple[type, int, int, dict[str, Any]]] = {  # class, environments, steps, options
    "ppo": (sb3.PPO, 8, 100_000, {
        "n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "n_epochs": 20,
        "ent_coef": 0.0, "learning_rate": lambda left: left * 0.001,
        "clip_range": lambda left: left * 0.2}),
    "actor_critic": (sb3.A2C, 8, 500_000, {"ent_coef": 0.0}),
    "trpo": (TRPO, 2, 100_000, {
        "n_steps": 512, "batch_size": 512, "cg_damping": 0.001, "gae_lambda": 0.98, "gamma": 0.99,
        "learning_rate": 0.001, "n_critic_updates": 20}),
}  # fmt: skip

# PPO: SB3's defaults, which are the paper's. TRPO: the zoo's *-v4, whose HalfCheetah has a target.
MUJOCO: dict[str, tuple[type, int, dict[str, Any]]] = {
    "ppo": (sb3.PPO, 1, {}),
    "trpo": (TRPO, 2, {
        "n_steps": 1024, "batch_size": 128, "gamma": 0.99, "gae_lambda": 0.95, "cg_max_steps": 25,
        "cg_damping": 0.1, "n_critic_updates": 20, "learning_rate": 0.001}),
}  # fmt: skip


def gae_piece(rewards: np.ndarray, values: np.ndarray, terminated: np.ndarray) -> Piece:
    """SB3's RolloutBuffer.compute_returns_and_advantage."""
    t, b = rewards.shape
    space = make_vec_env("CartPole-v1", 1)
    buffer = RolloutBuffer(t, space.observation_space, space.action_space, "cpu", 0.95, 0.99, b)
    buffer.rewards, buffer.values = rewards.astype(np.float32), values[:-1].astype(np.float32)
    buffer.episode_starts[1:] = terminated[:-1]
    last, dones = torch.tensor(values[-1], dtype=torch.float32), terminated[-1]

    def advantages() -> np.ndarray:
        buffer.compute_returns_and_advantage(last, dones)
        return buffer.advantages

    return advantages


def act_piece(env_id: str, obs: np.ndarray) -> Piece:
    """SB3's predict, of its default network (64, 64), drawn as ours."""
    model = sb3.PPO("MlpPolicy", make_vec_env(env_id, 1), device="cpu", seed=0)
    return lambda: model.predict(obs)


def model(algorithm: str, seed: int, env_id: str = "CartPole-v1") -> Any:
    """The zoo's settings on CartPole-v1, and its number of environments, each a Python object;
    on another one environment, and the defaults."""
    kind, envs, _, options = ZOO[algorithm]
    envs, options = (envs, options) if env_id == "CartPole-v1" else (1, {})
    return kind("MlpPolicy", make_vec_env(env_id, envs, seed=seed), seed=seed, device="cpu",
                **options)  # fmt: skip


def training_piece(algorithm: str, env_id: str, iterations: int) -> Callable[[], int]:
    """Goes on training for some iterations; returns the steps."""
    trained = model(algorithm, 0, env_id)
    steps = iterations * trained.n_steps * trained.n_envs
    trained.learn(steps)

    def train() -> int:
        trained.learn(steps, reset_num_timesteps=False)
        return steps

    return train


class Stop(BaseCallback):
    """Ends the training where the watch has seen enough."""

    def __init__(self, watch: Watch):
        super().__init__()
        self.watch = watch

    def _on_step(self) -> bool:
        if not any("episode" in info for info in self.locals["infos"]):
            return True
        returns = [episode["r"] for episode in self.model.ep_info_buffer]
        return not self.watch.add(returns, self.num_timesteps)


def reach(algorithm: str, seed: int, watch: Watch) -> None:
    """Train on CartPole-v1 until the watch has seen enough or the zoo's steps are over."""
    trained = model(algorithm, seed)
    watch.start()
    trained.learn(ZOO[algorithm][2], callback=Stop(watch))


def learned(algorithm: str, env_id: str, seed: int, steps: int) -> tuple[float, float]:
    """Mean return of 100 fresh episodes, actions drawn, and seconds of training; observations and
    rewards normalised."""
    kind, envs, options = MUJOCO[algorithm]
    if (algorithm, env_id) == ("trpo", "HalfCheetah-v5"):
        options = {**options, "target_kl": 0.04}
    scaled = VecNormalize(make_vec_env(env_id, envs, seed=seed), gamma=0.99)
    trained = kind("MlpPolicy", scaled, seed=seed, device="cpu", **options)
    began = perf_counter()
    trained.learn(steps)
    seconds = perf_counter() - began
    scaled.training = scaled.norm_reward = False
    mean, _ = evaluate_policy(trained, scaled, 100, deterministic=False)
    return float(mean), seconds
