"""Pictures of sections 3 and 4, and of visits: V, Q, A, bias and variance, λ."""

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from minipg.claims.problem import Problem
from minipg.claims.s5_importance import second_moments
from minipg.estimators.returns import gae
from minipg.estimators.score_function import gradients
from minipg.lecture.drawing import BLUE, GREEN, INK, ORANGE, SHADES, axes, framed, heat, svg
from minipg.truth import exact
from minipg.validate import Array

MOST_STATES = 60


def grid(table: str, states: int) -> tuple[int, int] | None:
    """Rows and columns of an environment whose states are squares of a map; else None."""
    if table.endswith(".npz"):
        return None
    env = gym.make(table).unwrapped
    shape = np.shape(env.desc) if hasattr(env, "desc") else getattr(env, "shape", None)
    return shape if shape is not None and np.prod(shape) == states else None


def _seen(p: Problem) -> Array:
    """The states a picture has room for: those most visited, in their order."""
    pi = p.policy.probs(p.theta, p.mdp.features)
    return np.sort(np.argsort(-exact.visits(p.mdp, pi, p.mdp.gamma), kind="stable")[:MOST_STATES])


def values(p: Problem, table: str) -> str:
    """E12 V, Q and A: on the map, or a column a state."""
    pi = p.policy.probs(p.theta, p.mdp.features)
    v = exact.state_values(p.mdp, pi)
    q, a = exact.action_values(p.mdp, v), exact.advantages(p.mdp, pi)
    shape, n = grid(table, p.mdp.num_states), p.mdp.num_actions
    on_map = shape is not None and n == 4
    if shape is None or n != 4:
        seen = _seen(p)
        figure, panels = axes(3, 2.6, 2.2)
        for ax, x, title in zip(panels, (v[seen, None], q[seen], a[seen]), "VQA", strict=True):
            size = float(np.abs(x).max()) or 1.0
            heat(ax, x, size)
            ax.set_aspect("auto")
            ax.set(title=f"{title}, ±{size:.2g}", xlabel="action" * (title != "V"), ylabel="state")
    else:
        figure, panels = axes(3, 2.6, 2.6 * shape[0] / shape[1] + 0.4)
        for ax, x, title in zip(panels, (v[:, None], q, a), "VQA", strict=True):
            size = float(np.abs(x).max()) or 1.0
            _on_map(ax, x, shape, size)
            ax.set(title=f"{title}(s{', a' * (title != 'V')}), ±{size:.2g}")
    worst = float(np.abs((pi * a).sum(1)).max())
    label = (
        f"V of each state, Q and A of each action: orange below 0, blue above, the stronger the "
        f"larger{', each action as the triangle at the side it points to' if on_map else ''}. Q is "
        f"V plus A, and the advantages of a state cancel under π, to {worst:.0e}. Values are from "
        f"{v.min():.3g} to {v.max():.3g}."
    )
    return svg(figure, "values", label)


def _on_map(axes: Axes, x: Array, shape: tuple[int, int], size: float) -> None:
    """A square a state, or a triangle a direction: left, down, right, up as on the lake."""
    if x.shape[1] == 1:
        heat(axes, x.reshape(shape), size)
        return
    corner = np.array([[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]])
    squares = np.stack(np.divmod(np.arange(len(x)), shape[1])[::-1], 1)  # column, row
    triangles = [
        np.vstack([corner[[a, a + 1]], [0.5, 0.5]]) + at for at in squares for a in range(4)
    ]
    patches = PolyCollection(triangles, array=x.ravel(), cmap=SHADES, linewidths=0)
    patches.set_clim(-size, size)
    axes.add_collection(patches)
    axes.set(xlim=(0, shape[1]), ylim=(shape[0], 0), xticks=[], yticks=[], aspect="equal")


def plane_of_psi(p: Problem) -> str:
    """E20 the table of ψ_t as points: bias across, noise up, with exact and with wrong critics."""
    wrong = 0.15 * p.critic_error[p.states]
    v, q = p.v[:-1], p.q
    psis = {"R": (p.total, p.total), "Q": (p.gamma_t * q, p.gamma_t * (q + wrong[1:])),
            "A": (p.gamma_t * (q - v), p.gamma_t * (q + wrong[1:] - v)),
            "ΣR − V": (p.gamma_t * (p.to_go - v), p.gamma_t * (p.to_go - v - wrong[:-1])),
            "δ": (p.gamma_t * p.delta(p.v), p.gamma_t * p.delta(p.v + wrong))}  # fmt: skip
    figure, (ax,) = axes(1, 5.4, 2.8)
    size, told = float(np.linalg.norm(p.gradient)), []
    for (name, pair), marker in zip(psis.items(), "os^vD", strict=True):
        for psi, colour, face in zip(pair, (BLUE, ORANGE), ("none", None), strict=True):
            each = gradients(p.policy, p.theta, p.batch, psi)
            bias = float(np.linalg.norm(p.batch.weight @ each - p.gradient)) / size
            noise = float(np.sqrt(p.variance(each).sum())) / size
            ax.plot([bias], [noise], marker, color=colour, mfc=face or colour, ms=7,
                    label=f"{name}" if colour == BLUE else None)  # fmt: skip
        told.append(f"{name} {bias:.2f}")
    ax.set(xlabel="‖bias‖ / ‖∇J‖", ylabel="noise of one game / ‖∇J‖", yscale="log",
           title="hollow: exact critics; filled: critics that are 15 % wrong")  # fmt: skip
    ax.legend()
    label = (
        "Each choice of ψ as a point of bias and noise. With exact critics all have bias 0; with "
        f"wrong ones it is in units of ‖∇J‖ {', '.join(told)}."
    )
    return svg(figure, "psi", label)


def over_lambda(p: Problem) -> str:
    """E22–E25 GAE's weights at three λ, and bias and noise over λ for three critics."""
    lams, gamma, frames = np.linspace(0, 1, 11), p.start.gamma, {}
    curves = {}
    for share, name, colour in ((0.02, "good", GREEN), (0.15, "fair", BLUE), (1.0, "bad", ORANGE)):
        error = share * p.critic_error
        delta = p.delta(p.v + error[p.states])
        biases = [exact.bootstrap_bias(p.start, p.policy, p.theta, error, x) for x in lams]
        bias = [float(np.linalg.norm(x)) for x in biases]
        psis = [p.gamma_t * gae(delta, p.batch.ends, gamma, x) for x in lams]
        noise = [float(np.sqrt(p.variance(gradients(p.policy, p.theta, p.batch, x)).sum()))
                 for x in psis]  # fmt: skip
        curves[name] = np.where(lams < 1, bias, np.nan), np.array(noise), colour
    for lam in (0.3, 0.7, 0.95):
        figure, (left, right) = axes(2, 4, 2.6)
        n = np.arange(1, 13)
        left.bar(n, (1 - lam) * lam ** (n - 1), color=BLUE)
        left.set(xlabel="N", title=f"weight of A_(N) at λ = {lam}", ylim=(0, 0.75))
        for name, (falling, noisy, colour) in curves.items():
            right.plot(lams, falling, color=colour, label=f"bias, {name} critic")
            right.plot(lams, noisy, ":", color=colour)
        right.axvline(lam, color=INK, lw=0.8)
        right.set(xlabel="λ", yscale="log", title="‖bias‖; dotted: noise of one game")
        right.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
        label = (
            f"Left: at λ = {lam} the N-step advantages have falling weights from {1 - lam:.2f}. "
            f"Right: over λ the length of the bias falls, that of a bad critic from "
            f"{curves['bad'][0][0]:.2g} on; at λ = 1, beyond what a logarithmic axis shows, it is "
            f"0, whatever the critic. The noise of a good one changes from "
            f"{curves['good'][1][0]:.2g} to {curves['good'][1][-1]:.2g}, and ‖∇J‖ is "
            f"{np.linalg.norm(p.gradient):.2g}."
        )
        frames[f"λ = {lam}"] = svg(figure, f"lambda{lam}".replace(".", ""), label)
    return framed("lambda", frames)


def collapse(p: Problem) -> str:
    """E27 what share of a sample is left of games of another policy, over their length."""
    rng, steps = p.own_rng("E27"), np.arange(1, 31)
    direction = p.other(rng) - p.theta
    pi = p.policy.probs(p.theta, p.mdp.features)
    figure, (ax,) = axes(1, 5, 2.4)
    for size, colour, line in ((0.25, GREEN, "-"), (1.0, BLUE, "--"), (2.0, ORANGE, ":")):
        new = p.policy.probs(p.theta + size * direction, p.mdp.features)
        moments = second_moments(p.mdp, pi, new)
        share = [1 / next(moments) for _ in steps]
        kl = float((pi * np.log(pi / new)).sum(1).mean())
        ax.plot(steps, share, line, color=colour, label=f"mean KL {kl:.2g}")
    ax.set(xlabel="length of the games", ylabel="effective share", yscale="log")
    ax.legend()
    label = (
        f"The share of games of another policy that still counts falls exponentially with their "
        f"length, to {share[-1]:.1e} after 30 steps for the farthest of three policies."
    )
    return svg(figure, "collapse", label)


def visits(p: Problem, table: str) -> str:
    """E30 where two policies are."""
    theta = p.theta + 4 * (p.other(p.own_rng("E30")) - p.theta)
    new, pi = (p.policy.probs(x, p.mdp.features) for x in (theta, p.theta))
    d, d_new = (exact.visitation(p.mdp, x) for x in (pi, new))
    shape = grid(table, p.mdp.num_states)
    if shape is None:
        seen = _seen(p)
        figure, (ax,) = axes(1, 6, 2.4)
        ax.bar(np.arange(len(seen)) - 0.2, d[seen], 0.4, color=BLUE, label="d of π")
        ax.bar(np.arange(len(seen)) + 0.2, d_new[seen], 0.4, color=ORANGE, label="d of π̃")
        ax.set(xlabel="state", yscale="log")
        ax.legend()
    else:
        figure, panels = axes(2, 2.8, 2.8 * shape[0] / shape[1] + 0.4)
        most = float(max(d[:-1].max(), d_new[:-1].max()))
        for ax, x, title in zip(panels, (d, d_new), ("d of π", "d of π̃"), strict=True):
            heat(ax, x[:-1].reshape(shape), most)
            ax.set(title=f"{title}, 0 to {most:.2g}")
    label = (
        f"The discounted visits of two policies, state by state: they differ by "
        f"{np.abs(d - d_new).sum() / 2:.3g} in total variation. With the episode being over, "
        f"{d[-1]:.3g} and {d_new[-1]:.3g}, each sums to 1."
    )
    return svg(figure, "visits", label)
