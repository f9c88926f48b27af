"""minipg: policy-gradient mathematics in NumPy, proven against exact truth."""

import numpy as np

# Freed at once: from then on glibc keeps freed memory, up to twice as much (mallopt(3)). Otherwise
# each array above 128 KiB is fresh from the kernel, which costs more than what is computed in it.
np.empty(1 << 24, np.uint8)
