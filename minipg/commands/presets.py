"""The settings that solve an environment: minipg train's defaults for it."""

from typing import Any

_PENDULUM = {"steps": 300_000, "n_steps": 128, "hidden": (64, 64), "gamma": 0.95,
             "rescale_actions": True}  # fmt: skip
_MUJOCO = {"steps": 1_000_000, "n_steps": 128, "hidden": (64, 64),
           "critic_learning_rate": 0.001, "normalize_observations": True}  # fmt: skip
_TRPO = {**_MUJOCO, "lam": 0.97}
_TRPO_DECAY = {**_TRPO, "delta": 0.02, "cg_iterations": 25, "decay": True}
_TRPO_WALKING = {**_TRPO_DECAY, "num_envs": 4, "n_steps": 512, "critic_epochs": 20,
                 "critic_minibatch": 128, "normalize_rewards": True}  # fmt: skip
_TRPO_SCALED = {**_TRPO, "delta": 0.02, "decay": True, "normalize_rewards": True}
_ACKTR = {**_TRPO, "critic_learning_rate": 1.0}  # a largest factor: its critic's step is to a KL
_PPO = {**_MUJOCO, "learning_rate": 0.0003, "normalize_rewards": True}
_PPO_DECAY = {**_PPO, "critic_learning_rate": 0.0003, "decay": True}

_A2C = {"num_envs": 16, "n_steps": 16, "learning_rate": 0.003, "critic_learning_rate": 0.01}
_CEM = {"num_envs": 2, "hidden": (), "std": 5.0, "extra_std": 1.0, "population": 30,
        "elite": 6}  # fmt: skip
_TABLE = {"hidden": (), "num_envs": 64}  # observations are states: a number for each, no network
_PPO_TABLE = {**_TABLE, "minibatch": 512, "learning_rate": 0.02}
_CLIFF = {**_TABLE, "max_episode_steps": 200, "gamma": 1.0, "lam": 0.9, "damping": 0.001,
          "critic_minibatch": 512, "critic_learning_rate": 0.1,
          "normalize_rewards": True}  # fmt: skip
_LANDER = {"steps": 500_000, "n_steps": 256, "hidden": (64, 64), "gamma": 0.999, "lam": 0.98,
           "minibatch": 256, "critic_minibatch": 256, "learning_rate": 0.001, "decay": True,
           "normalize_rewards": True}  # fmt: skip

PRESETS: dict[tuple[str, str], dict[str, Any]] = {
    ("npg", "CartPole-v1"): {"steps": 98_000},
    ("trpo", "CartPole-v1"): {
        "steps": 96_000,
        "num_envs": 40,
        "hidden": (16,),
        "gamma": 0.98,
        "n_steps": 48,
        "delta": 0.02,
        "cg_iterations": 5,
        "damping": 0.03,
        "critic_minibatch": 256,
        "critic_learning_rate": 0.04,
        "critic_epochs": 3,
    },
    ("ppo", "CartPole-v1"): {
        "steps": 98_000,
        "num_envs": 48,
        "n_steps": 32,
        "lam": 0.99,
        "minibatch": 512,
        "critic_minibatch": 128,
        "learning_rate": 0.01,
        "critic_learning_rate": 0.03,
        "epochs": 3,
        "critic_epochs": 2,
    },
    ("acktr", "CartPole-v1"): {"steps": 98_000},
    ("cem", "CartPole-v1"): _CEM,
    ("actor_critic", "CartPole-v1"): {**_A2C, "num_envs": 8},
    ("actor_critic", "Acrobot-v1"): _A2C,
    ("actor_critic", "Pendulum-v1"): {
        "steps": 1_000_000,
        "num_envs": 128,
        "n_steps": 4,
        "hidden": (16, 16),
        "gamma": 0.9,
        "lam": 0.9,
        "target": "mc",
        "optimiser": "rmsprop",
        "learning_rate": 0.005,
        "critic_learning_rate": 0.02,
        "normalize_rewards": True,
    },
    ("trpo", "Acrobot-v1"): {"steps": 100_000},
    ("ppo", "Acrobot-v1"): {"steps": 100_000},
    ("trpo", "Pendulum-v1"): {**_PENDULUM, "n_steps": 201},  # all begin together: a game, a reset
    ("ppo", "Pendulum-v1"): {
        **_PENDULUM,
        "decay": True,
        "normalize_observations": True,
        "normalize_rewards": True,
    },
    ("cem", "MountainCarContinuous-v0"): {
        **_CEM,
        "steps": 300_000,
        "extra_std": 0.5,
        "normalize_observations": True,
    },
    ("cem", "MountainCar-v0"): {
        "steps": 1_000_000,
        "num_envs": 4,
        "hidden": (8,),
        "std": 5.0,
        "extra_std": 1.0,
        "population": 50,
        "elite": 10,
        "normalize_observations": True,
    },
    ("ppo", "FrozenLake-v1"): {**_PPO_TABLE, "steps": 300_000, "gamma": 1.0},
    ("npg", "FrozenLake8x8-v1"): {
        **_TABLE,
        "steps": 2_500_000,
        "n_steps": 512,
        "gamma": 0.999,
        "learning_rate": 4.0,
        "damping": 0.01,
        "critic_learning_rate": 0.03,
        "critic_minibatch": 512,
    },
    ("ppo", "Taxi-v4"): {
        **_PPO_TABLE,
        "steps": 1_500_000,
        "n_steps": 128,
        "lam": 0.8,
        "critic_minibatch": 512,
        "critic_learning_rate": 0.1,
        "decay": True,
    },
    ("ppo", "CliffWalking-v1"): {**_PPO_TABLE, "steps": 300_000, "max_episode_steps": 200},
    ("npg", "CliffWalking-v1"): {
        **_CLIFF,
        "steps": 800_000,
        "n_steps": 64,
        "learning_rate": 0.1,
    },
    ("trpo", "CliffWalkingSlippery-v1"): {
        **_CLIFF,
        "n_steps": 128,
        "steps": 1_000_000,
        "delta": 0.02,
    },
    ("ppo", "Blackjack-v1"): {
        "steps": 300_000,
        "max_episode_steps": 30,
        "num_envs": 64,
        "gamma": 1.0,
        "minibatch": 512,
        "critic_minibatch": 512,
        "learning_rate": 0.003,
        "decay": True,
    },
    ("ppo", "LunarLander-v3"): _LANDER,
    ("ppo", "LunarLanderContinuous-v3"): _LANDER,
    ("ppo", "BipedalWalker-v3"): {
        **_PPO,
        "steps": 2_000_000,
        "num_envs": 32,
        "n_steps": 256,
        "minibatch": 256,
        "critic_minibatch": 256,
        "learning_rate": 0.0005,
        "decay": True,
    },
    ("trpo", "Hopper-v5"): {**_TRPO_WALKING, "gamma": 0.995},
    ("ppo", "Hopper-v5"): {
        **_PPO_DECAY,
        "num_envs": 8,
        "n_steps": 256,
        "gamma": 0.995,
    },
    ("trpo", "Walker2d-v5"): {
        **_TRPO_WALKING,
        "lam": 0.95,
        "damping": 0.3,
        "final_std": 0.3,
    },
    ("ppo", "Walker2d-v5"): {
        **_PPO_DECAY,
        "lam": 0.9,
        "minibatch": 128,
        "learning_rate": 0.0005,
    },
    ("trpo", "HalfCheetah-v5"): {**_TRPO_DECAY, "initial_std": 0.4},
    ("ppo", "HalfCheetah-v5"): {
        **_PPO,
        "lam": 0.9,
        "learning_rate": 0.0005,
        "decay": True,
        "initial_std": 0.4,
    },
    ("npg", "HalfCheetah-v5"): {**_TRPO_DECAY, "delta": 0.01, "initial_std": 0.4},
    ("npg", "Hopper-v5"): {**_TRPO_WALKING, "delta": 0.01, "gamma": 0.995},
    ("acktr", "HalfCheetah-v5"): {**_ACKTR, "initial_std": 0.4},
    ("acktr", "Hopper-v5"): {**_ACKTR, "num_envs": 4, "n_steps": 512, "gamma": 0.995},
    ("trpo", "Swimmer-v5"): {**_TRPO_SCALED, "gamma": 0.999},
    ("ppo", "Swimmer-v5"): {
        **_PPO_DECAY,
        "num_envs": 4,
        "n_steps": 1024,
        "gamma": 0.9999,
        "lam": 0.98,
    },
    ("trpo", "InvertedDoublePendulum-v5"): _TRPO_SCALED,
    ("ppo", "InvertedDoublePendulum-v5"): {**_PPO, "decay": True},
    ("trpo", "InvertedPendulum-v5"): _TRPO,
    ("ppo", "InvertedPendulum-v5"): _PPO,
}
