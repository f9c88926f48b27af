"""One process at a time writes a run folder."""

import os
from pathlib import Path
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None


def hold(path: Path, wait: bool = False) -> int:
    """A descriptor of a file or folder, locked until it is closed or the process ends, however.

    wait: until another process that has it lets it go; else ValueError.
    """
    if fcntl is None:
        if wait:
            raise ValueError("expected a system that has file locks (fcntl), as Linux and macOS: "
                             "without, minipg train runs one at a time")  # fmt: skip
        return os.open(os.devnull, os.O_RDONLY)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        os.close(descriptor)
        raise ValueError(f"{path}: expected a run that nobody trains, another process does: wait "
                         "for its end or stop it") from error  # fmt: skip
    return descriptor
