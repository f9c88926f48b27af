"""All that a run needs to go on, as one value, and its way to one file and back.

Nothing of a file is executed: it holds plain arrays and one JSON text, never a pickle.
"""

import json
from collections import deque
from copy import copy
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minipg.experience.environments import Envs
from minipg.experience.rollout import Stream
from minipg.files import read_npz, write_whole
from minipg.steps.kfac import Factors
from minipg.steps.optim import AdamState
from minipg.validate import Array


class State(NamedTuple):
    """What an algorithm carries from one iteration to the next, beside rng and environments.

    θ (P,), the state of its step; φ (P_c,), that of the critic's step; where the stream stands
    (None: the environments are to be reset), environment steps and whole episodes so far.
    """

    theta: Array
    theta_state: Any
    phi: Any = None
    phi_state: Any = None
    stream: Stream | None = None
    env_steps: int = 0
    episodes: int = 0


RECORDS = {kind.__name__: kind for kind in (State, Stream, AdamState, Factors)}


def _pack(name: str, tree: Any, arrays: dict[str, Array]) -> Any:
    """`tree` as JSON, its arrays put aside under their dotted names; ValueError for other kinds."""
    if tree is None or type(tree) in (bool, int, float, str):
        return tree
    if isinstance(tree, np.ndarray | np.generic) and np.asarray(tree).dtype.kind in "biuf":
        arrays[name] = np.asarray(tree)
        return {"array": name}
    if type(tree) is dict:
        items: Any = tree.items()
    elif RECORDS.get(type(tree).__name__) is type(tree):
        items = tree._asdict().items()
    elif type(tree) in (list, tuple):
        items = enumerate(tree)
    else:
        raise ValueError(f"{name}: expected arrays, numbers and tuples of them, got {type(tree)}")
    packed = {str(key): _pack(f"{name}.{key}", value, arrays) for key, value in items}
    if type(tree) in (list, tuple):
        return {type(tree).__name__: list(packed.values())}
    return {type(tree).__name__: packed}


def _unpack(tree: Any, arrays: dict[str, Array]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "array":
        return arrays[content][()]
    if kind in ("list", "tuple"):
        parts = [_unpack(part, arrays) for part in content]
        return parts if kind == "list" else tuple(parts)
    fields = {key: _unpack(part, arrays) for key, part in content.items()}
    return fields if kind == "dict" else RECORDS[kind](**fields)


def _digest(arrays: dict[str, Array]) -> str:
    """Of all arrays, their names and kinds: an edited file is told from one that was written."""
    digest = sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def save_tree(path: Path, tree: Any) -> None:
    """Write nested dicts, tuples and the records above of arrays and numbers; whole or not."""
    arrays: dict[str, Any] = {}
    arrays["json"] = np.array(json.dumps(_pack("tree", tree, arrays)))
    digest = np.array(_digest(arrays))
    write_whole(path, lambda file: np.savez(file, digest=digest, **arrays))


def load_tree(path: Path) -> Any:
    """What save_tree wrote, to the bit; ValueError if the file is not whole or another one."""
    arrays = read_npz(path, "json")
    if str(arrays.pop("digest", "")) != _digest(arrays):
        raise ValueError(f"{path}: expected the state of a run as minipg wrote it, got one edited "
                         "since, or of another version: train anew")  # fmt: skip
    try:
        return _unpack(json.loads(str(arrays["json"])), arrays)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: expected the state of a run, got {error!r}") from error


_COPIES = ("_state", "_steps", "_ended", "np_random.bit_generator.state")
_WRAPPERS = "gymnasium.wrappers.vector."
ATTRIBUTES = {  # all that changes in a layer; a layer that is not here is reset on going on
    "minipg.problems.mdp_env.TabularVectorEnv": _COPIES,
    "minipg.problems.lqr_env.LQRVectorEnv": _COPIES,
    "gymnasium.envs.classic_control.cartpole.CartPoleVectorEnv": (
        "state", "steps", "prev_done", "np_random.bit_generator.state",
    ),
    "minipg.experience.guard.CheckFinite": ("steps",),
    "minipg.experience.guard.VectorGuard": (),
    _WRAPPERS + "common.RecordEpisodeStatistics": (
        "episode_count", "episode_returns", "episode_lengths", "prev_dones", "return_queue",
        "length_queue",
    ),
    "minipg.experience.scaling.NormalizeObservation": (
        "obs_rms.mean", "obs_rms.var", "obs_rms.count",
    ),
    "minipg.experience.scaling.NormalizeReward": (
        "return_rms.mean", "return_rms.var", "return_rms.count", "accumulated_reward",
        "_prev_dones",
    ),
    _WRAPPERS + "vectorize_observation.FlattenObservation": (),
    _WRAPPERS + "vectorize_action.TransformAction": (),
}  # fmt: skip


def _layers(envs: Envs) -> list[tuple[Any, str]]:
    """(layer, its class), the outermost wrapper first."""
    layers: list[Any] = [envs]
    while "env" in vars(layers[-1]):
        layers.append(layers[-1].env)
    return [(x, f"{type(x).__module__}.{type(x).__qualname__}") for x in layers]


def environment_state(envs: Envs) -> list[dict[str, Any]]:
    """A copy of what changes in each layer of the environments, by attribute."""
    copies: list[dict[str, Any]] = []
    for layer, kind in _layers(envs):
        found: dict[str, Any] = {}
        for name in ATTRIBUTES.get(kind, ()):
            if hasattr(layer, name.split(".")[0]):  # earlier Gymnasiums have fewer
                value = attrgetter(name)(layer)
                copied = isinstance(value, np.ndarray | np.generic | deque)
                found[name] = np.array(value) if copied else value
        copies.append(found)
    return copies


def restore_environments(envs: Envs, state: list[dict[str, Any]]) -> bool:
    """Put back what environment_state took from such environments (they are changed).

    False: some layer is of no known kind, so the environments must be reset; that keeps the
    statistics put back. ValueError if the state is of other environments.
    """
    layers = _layers(envs)
    names = [set(ATTRIBUTES.get(kind, ())) for _, kind in layers]
    if len(state) != len(names) or any(set(x) - y for x, y in zip(state, names, strict=True)):
        raise ValueError(f"envs: expected those of the saved state, got {layers[0][0]}")
    for (layer, _), values in zip(layers, state, strict=True):
        for name, value in values.items():
            *path, last = name.split(".")
            owner = attrgetter(".".join(path))(layer) if path else layer
            now = getattr(owner, last, None)
            if isinstance(now, deque):
                value = deque(value.tolist(), now.maxlen)
            setattr(owner, last, copy(value))
    return all(kind in ATTRIBUTES for _, kind in layers)
