"""Files that are read without unpickling and written whole or not at all."""

import os
import zipfile
import zlib
from collections.abc import Callable
from errno import ENOENT
from pathlib import Path
from typing import BinaryIO

import numpy as np

from minipg.validate import Array

UNREADABLE = (OSError, EOFError, ValueError, KeyError, AttributeError, NotImplementedError,
              RuntimeError, zipfile.BadZipFile, zlib.error)  # fmt: skip


def read_npz(path: str | os.PathLike[str], *required: str) -> dict[str, Array]:
    """All arrays of an .npz file, never unpickled; ValueError if unreadable or one is missing."""
    try:
        with Path(path).open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("another kind")
            arrays = dict(archive)
    except FileNotFoundError as error:
        raise ValueError(f"{os.fspath(path)}: expected a whole .npz file, there is none") from error
    except UNREADABLE as error:
        raise ValueError(f"{os.fspath(path)}: expected a whole .npz file, got {error}") from error
    missing = [name for name in required if name not in arrays]
    if missing:
        raise ValueError(f"{os.fspath(path)}: lacks {missing}, holds {sorted(arrays)}")
    return arrays


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename: never a half-written file.

    OSError names `path`, and its folder where there is none.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(ENOENT, "there is no such folder", os.fspath(path.parent))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename == os.fspath(temporary):
            error.filename = os.fspath(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
