"""A stream of a table's episodes as one chain: every row that a training loop may see.

Under which autoreset: "apart" (resets are no rows, as with a single environment), "next_step" (a
row of its own after each end: its action is ignored, its reward 0), "same_step" (what a row that
ended returned is the next episode's first observation), "never" (after the first end there are rows
of nothing alone, marked as resets).
Axes: E rows of the chain, T rows a window, N windows, S states, A actions.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import lstsq

from minipg.problems.mdp import TabularMDP, check_pi
from minipg.validate import Array, check_count

MOST = 3000  # nodes of which long_run makes a dense matrix
AUTORESETS = ("apart", "next_step", "same_step", "never")


class Chain(NamedTuple):
    """Each row (E,), sorted by source: the node it starts in, the node the next one starts in, its
    probability there; its state and action, the true state after, the one whose observation was
    returned; its reward and flags, the steps since its episode began. The first row of a stream
    starts in the last node. first (nodes + 1,): where a node's rows begin.

    A node is a state and a clock, an episode about to begin, or the end that a reset row follows
    (or none but such rows).
    """

    source: Array
    target: Array
    chance: Array
    state: Array
    action: Array
    after: Array
    seen: Array
    reward: Array
    terminated: Array
    truncated: Array
    t: Array
    reset: Array
    first: Array


def chain(mdp: TabularMDP, pi: Array, limit: int, autoreset: str = "apart") -> Chain:
    """The chain of π (S, A): an episode begins at mdp.start; it ends by termination, or by
    truncation after `limit` steps; one that does both has both flags, and it has terminated.

    ValueError for another word of AUTORESETS.
    """
    pi, limit = check_pi(mdp, pi), check_count("limit", limit, 1)
    if autoreset not in AUTORESETS:
        raise ValueError(f"autoreset: expected one of {', '.join(AUTORESETS)}, got {autoreset!r}")
    states, starts = mdp.num_states, np.flatnonzero(mdp.start)
    begin = (limit + 1) * states  # nodes: clock · S + s, then limit · S + s of ends, then this
    clock, k = (x.ravel() for x in np.indices((limit, len(mdp.row))))
    state, action = np.divmod(mdp.row[k], mdp.num_actions)
    ended = mdp.terminated[k] | (clock + 1 == limit)
    goes_on = (clock + 1) * states + mdp.next_state[k]
    over = autoreset in ("next_step", "never")
    ends_in = limit * states + mdp.next_state[k] if over else begin
    none = np.zeros(len(k), bool)
    of_entry = [clock * states + state, np.where(ended, ends_in, goes_on),
                pi.ravel()[mdp.row[k]] * mdp.prob[k], state, action, mdp.next_state[k],
                mdp.next_state[k], mdp.reward[k], mdp.terminated[k],
                clock + 1 == limit, clock, none]  # fmt: skip
    if autoreset == "same_step":  # a row for each start of what follows
        often = np.where(ended, len(starts), 1)
        again = np.repeat(np.arange(len(k)), often)
        start = starts[np.arange(len(again)) - np.repeat(np.cumsum(often) - often, often)]
        of_entry = [x[again] for x in of_entry]
        last = ended[again]
        of_entry[1] = np.where(last, start, of_entry[1])
        of_entry[2] = of_entry[2] * np.where(last, mdp.start[start], 1.0)
        of_entry[6] = np.where(last, start, of_entry[6])
    at_once = np.flatnonzero((of_entry[10] == 0) & (mdp.start[of_entry[3]] > 0))
    first = [x[at_once] for x in of_entry]
    first[0], first[2] = np.full(len(at_once), begin), first[2] * mdp.start[first[3]]
    parts = [of_entry, first]
    if autoreset == "next_step":
        s, a, i = (x.ravel() for x in np.indices((*pi.shape, len(starts))))
        none, start = np.zeros(len(s), bool), starts[i]
        parts.append([limit * states + s, start, pi[s, a] * mdp.start[start], s, a, start, start,
                      np.zeros(len(s)), none, none, np.zeros(len(s), int), ~none])  # fmt: skip
    if autoreset == "never":
        s = np.arange(states)
        none, end = np.zeros(states, bool), limit * states + s
        parts.append([end, end, np.ones(states), s, 0 * s, s, s, np.zeros(states), none, none,
                      0 * s, ~none])  # fmt: skip
    columns = [np.concatenate(x) for x in zip(*parts, strict=True)]
    possible = np.flatnonzero(columns[2] > 0)
    order = possible[np.argsort(columns[0][possible], kind="stable")]
    columns = [x[order] for x in columns]
    return Chain(*columns, np.searchsorted(columns[0], np.arange(begin + 2)))  # type: ignore


def long_run(c: Chain) -> Array:
    """What share of a long stream's rows starts in each node (nodes,).

    x = xP with Σx = 1; that has one solution, as every episode ends and another begins.
    ValueError for a limit that makes too many nodes.
    """
    nodes = len(c.first) - 1
    if nodes > MOST:
        raise ValueError(f"limit: expected at most {MOST} clocks and states together where windows "
                         f"begin anywhere, got {nodes}")  # fmt: skip
    moves = np.zeros((nodes, nodes))
    np.add.at(moves, (c.target, c.source), c.chance)
    equations = np.vstack([moves - np.eye(nodes), np.ones(nodes)])
    share = lstsq(equations, np.append(np.zeros(nodes), 1.0))[0]
    return np.where(share > 1e-12, share, 0)  # rounding of nodes that no stream comes to


def begun(c: Chain, share: Array) -> Chain:
    """The same, its first row from any node as often as its share (nodes,) says."""
    often = share[c.source] * c.chance
    rows = np.append(np.arange(len(often)), np.flatnonzero(often))
    columns = {name: column[rows] for name, column in c._asdict().items() if name != "first"}
    columns["source"][len(often) :] = len(c.first) - 1
    columns["chance"][len(often) :] = often[often > 0]
    return Chain(**columns, first=np.append(c.first, len(rows)))


def count(c: Chain, steps: int) -> float:
    """How many windows of so many rows there are."""
    ways: Array = np.ones(len(c.first) - 1)
    for _ in range(steps):
        ways = np.bincount(c.source, ways[c.target], len(ways))
    return float(ways[-1])


def every(c: Chain, steps: int) -> tuple[Array, Array]:
    """Every window, a column of rows of the chain each (T, N), and its probability (N,)."""
    steps = check_count("steps", steps, 1)
    rows, node, weight = np.empty((0, 1), int), np.array([len(c.first) - 2]), np.ones(1)
    for _ in range(steps):
        ways = c.first[node + 1] - c.first[node]
        column = np.repeat(np.arange(len(node)), ways)
        row = c.first[node[column]] + np.arange(len(column)) - (np.cumsum(ways) - ways)[column]
        rows, node = np.vstack([rows[:, column], row]), c.target[row]
        weight = weight[column] * c.chance[row]
    return rows, weight


def drawn(c: Chain, steps: int, number: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """So many windows drawn (T, N), each of weight 1/N."""
    total, node = np.append(0, np.cumsum(c.chance)), np.full(number, len(c.first) - 2)
    rows = np.empty((steps, number), int)
    for t in range(steps):
        low, high = total[c.first[node]], total[c.first[node + 1]]
        row = np.searchsorted(total, low + rng.random(number) * (high - low), side="right") - 1
        rows[t] = np.clip(row, c.first[node], c.first[node + 1] - 1)
        node = c.target[rows[t]]
    return rows, np.full(number, 1 / number)


def visits(c: Chain, steps: int) -> Array:
    """How often a window holds each row of the chain (E,), expected."""
    alive: Array = np.zeros(len(c.first) - 1)
    often = np.zeros(len(c.source))
    alive[-1] = 1
    for _ in range(steps):
        now = alive[c.source] * c.chance
        often += now
        alive = np.bincount(c.target, now, len(alive))
    return often
