"""The process, where it is ours: one BLAS thread, memory kept, Ctrl-C, modules of the folder.

Nothing happens at import: the entry point and the workers of a sweep call these.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)


def keep_freed_memory() -> None:
    """Keep what freed arrays held: else a pass pays the kernel for the pages it gave back before.

    A block freed at once raises glibc's mmap and trim thresholds (mallopt(3)) to 16 and 32 MiB in
    this process. Other allocators do not mind.
    """
    import numpy as np

    np.empty(1 << 24, np.uint8)


def find_modules(folder: str) -> None:
    """Find a module that stands in `folder`, whatever its name, after all that are installed.

    None in a run folder: that is data, perhaps a stranger's. None under Python's own -P.
    """
    if not (sys.flags.safe_path or folder in sys.path or in_run(folder)):
        sys.path.append(folder)


def in_run(folder: str) -> bool:
    """Whether it is a run folder or inside of one."""
    config, *arrays = (os.path.exists(os.path.join(folder, name))
                       for name in ("config.json", "state.npz", "parameters.npz"))  # fmt: skip
    above = os.path.dirname(folder)
    return (config and any(arrays)) or (above != folder and in_run(above))


def on_stop(handler: Callable[[int, FrameType | None], object]) -> None:
    """What Ctrl-C and SIGTERM do, unless they are ignored, as in a shell's background."""
    for number in STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def begin() -> None:
    """Before the imports, which a Ctrl-C ends silently: one thread, modules of this folder."""
    on_stop(lambda *_: os._exit(130))
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who called, as cron may
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        else:
            getattr(sys, name).reconfigure(errors="replace")  # where a terminal has no ∇
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are too small to share
    find_modules(os.getcwd())


def ready() -> None:
    """After the imports: Ctrl-C and SIGTERM raise KeyboardInterrupt, a warning is one line, what
    NumPy warns of is silent (the checks name what is not finite), and Gymnasium's traceback of a
    worker process too (its last line is ours).
    """
    import warnings

    import numpy as np

    on_stop(signal.default_int_handler)
    np.seterr(all="ignore")
    warnings.showwarning = lambda message, *_: print(
        f"minipg: warning: {' '.join(str(message).split())}", file=sys.stderr
    )
    warnings.filterwarnings("ignore", ".*ERROR: (Received|Raising|Traceback)")
    keep_freed_memory()
