"""One episode of a trained policy as a moving picture."""

import argparse
import traceback
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium.spaces import Box

from minipg.commands import cli
from minipg.commands.environments import check_same, environments
from minipg.experience.declared import fits, shown
from minipg.experience.environments import Envs
from minipg.experience.guard import Wrapper
from minipg.experience.rollout import play_episodes
from minipg.files import write_whole
from minipg.policies.policy import Policy
from minipg.problems.faults import Fault
from minipg.validate import Array, check_range

SUFFIXES = (".gif", ".png", ".webp")
HEADLESS = {"mujoco": "MUJOCO_GL=egl", "pygame": "SDL_VIDEODRIVER=dummy"}  # by what draws


class Film(Wrapper):
    """Keeps a picture of each step of the first environment."""

    def __init__(self, env: Envs, image: ModuleType):
        super().__init__(env)
        self.image = image
        self.frames: list[Any] = []

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the environments'; the picture is of before it."""
        pictures: Any = self.env.render()
        came = pictures[0]
        shape = np.shape(came) if isinstance(came, np.ndarray) else ()
        if not (len(shape) == 3 and fits(Box(0, 255, (*shape[:2], 3), np.uint8), came)):
            raise Fault("render: expected a picture, whole numbers from 0 to 255 (height, width, "
                        f"3), got {shown(came)}")  # fmt: skip
        picture = self.image.fromarray(np.asarray(came, np.uint8))
        self.frames.append(picture.quantize(256))  # a byte a pixel
        return self.env.step(actions)


def headless(error: BaseException) -> str:
    """Which variable to set where the library that failed to draw may miss a screen."""
    frames = traceback.extract_tb(error.__traceback__)
    names = [type(error).__module__, *(frame.filename for frame in frames)]
    for library, variable in HEADLESS.items():
        if any(library in name for name in names):
            return f"; without a screen put {variable} before the command"
    return headless(error.__cause__) if error.__cause__ else ""


def film(args: argparse.Namespace, policy: Policy, theta: Array, path: Path) -> None:
    """Write one episode as a moving picture; ValueError where the environment draws none."""
    image = cli.need("PIL.Image", "--video")
    with closing(environments(args, 1, "sync")) as plain:
        declared = plain.metadata
    modes, rate = declared.get("render_modes", []), declared.get("render_fps", 30)
    if not isinstance(modes, Sequence) or "rgb_array" not in modes:
        raise ValueError(f"--video: expected an environment that draws rgb_array, got {modes}")
    check_range(f"--video: render_fps of {args.env}", rate, 1e-3, 1e3)
    try:
        with closing(Film(environments(args, 1, "sync", render_mode="rgb_array"), image)) as envs:
            check_same(args.env, getattr(args, "spaces", None), envs)
            play_episodes(envs, policy, theta, np.random.default_rng([args.seed, 2]))
    except Exception as error:  # whatever draws; it says what to install
        kind = "" if isinstance(error, Fault) else f"{type(error).__name__}: "
        raise ValueError(f"--video: {kind}{error}{headless(error)}") from error
    first, *others = envs.frames
    write_whole(path, lambda file: first.save(file, path.suffix[1:], save_all=True, loop=0,
                                              append_images=others, duration=1000 / rate),
                )  # fmt: skip
