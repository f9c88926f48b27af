"""Which states of a chain can reach an end: without discount every one must.

Axes: S states.
"""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order

from minipg.validate import Array


def never_reach(steps: sp.csr_array, ending: Array) -> Array:
    """The states from which no path leads to one of `ending`; steps (S, S): where one may go.

    By one search of the reversed graph, from a node S more that leads back to each of `ending`.
    """
    n = steps.shape[0]
    edges = steps.tocoo()
    origin = np.append(edges.coords[1], np.full(len(ending), n))
    goal = np.append(edges.coords[0], ending)
    back = sp.coo_array((np.ones(len(origin)), (origin, goal)), shape=(n + 1, n + 1))
    reached = breadth_first_order(back.tocsr(), n, return_predecessors=False)
    return np.setdiff1d(np.arange(n), reached)
