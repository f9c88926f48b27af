"""Pictures of section 5: J, L and the bound, the metric of policies."""

import numpy as np

from minipg.claims.problem import Problem
from minipg.lecture.drawing import BLUE, GREEN, INK, ORANGE, arrow, axes, framed, svg
from minipg.policies.gaussian import Gaussian
from minipg.steps.natural import trust_region_step
from minipg.truth import exact, performance
from minipg.validate import Array


def along_a_step(p: Problem) -> str:
    """E29–E34 J, L and the lower bound along a step, as far as it is a step of three lengths."""
    pi, g = p.policy.probs(p.theta, p.mdp.features), exact.policy_gradient(p.mdp, p.policy, p.theta)
    if p.mdp.gamma == 1:
        return ""
    direction, before = g / np.linalg.norm(g), float(exact.objective(p.mdp, pi))
    c, frames = performance.penalty(p.mdp, pi), {}
    for length in (0.01, 1.0, 8.0):
        steps = np.linspace(0, length, 21)
        tables = [p.policy.probs(p.theta + x * direction, p.mdp.features) for x in steps]
        gain = np.array([float(exact.objective(p.mdp, x)) for x in tables]) - before
        surrogate = np.array([performance.surrogate(p.mdp, x, pi) for x in tables])
        bound = c * np.array([performance.kl(x, pi).max() for x in tables])
        figure, (left, right) = axes(2)
        left.plot(steps, gain, color=BLUE, label="J(π̃) − J(π)")
        left.plot(steps, surrogate, "--", color=ORANGE, label="L(π̃)")
        left.plot(steps, surrogate - bound, ":", color=GREEN, label="L − C KL")
        low = float(min(gain.min(), surrogate.min(), 0))
        left.set(
            xlabel="‖step‖ along ∇J",
            ylim=(low - 0.3 * np.ptp(gain), 1.2 * max(gain.max(), surrogate.max())),
        )
        left.set(title="what is gained, and promised")
        left.legend()
        off = np.abs(gain - surrogate)
        right.semilogy(steps[1:], off[1:], color=BLUE, label="|J(π̃) − J(π) − L|")
        right.semilogy(steps[1:], bound[1:], ":", color=GREEN, label="C max KL")
        right.set(xlabel="‖step‖ along ∇J", title="error and its bound")
        right.legend()
        label = (
            f"Along a step of length {length:g} J gains {gain[-1]:.3g}, L promises "
            f"{surrogate[-1]:.3g}, and the lower bound says {surrogate[-1] - bound[-1]:.3g}, so "
            f"that its line drops out of the picture at once: the bound on the error is "
            f"{bound[-1] / max(off[-1], 1e-300):.1e} times the error."
        )
        frames[f"step {length:g}"] = svg(figure, f"step{length}".replace(".", ""), label)
    return framed("step", frames)


def guaranteed(p: Problem) -> str:
    """E36 J by steps that are guaranteed, and by TRPO's: the best table within KL δ."""
    pi = p.policy.probs(p.theta, p.mdp.features)
    if p.mdp.gamma == 1:
        return ""
    start, curves = float(exact.objective(p.mdp, pi)), {}
    for name in ("guaranteed", "KL ≤ 0.01"):
        table, gains = pi, []
        for _ in range(15):
            sure = name == "guaranteed"
            table = performance.improve(p.mdp, table) if sure else _within(p, table, 0.01)
            gains.append(max(float(exact.objective(p.mdp, table)) - start, 1e-300))
        curves[name] = gains
    figure, (ax,) = axes(1, 5, 2.5)
    for (name, gains), colour, line in zip(curves.items(), (GREEN, BLUE), ("-", "--"), strict=True):
        ax.semilogy(np.arange(1, 16), gains, line, color=colour, label=name)
    ax.set(xlabel="steps", ylabel="J gained since the start")
    ax.legend()
    few, many = (gains[-1] for gains in curves.values())
    label = (
        f"After 15 steps the procedure with a guarantee has gained {few:.2g}, steps within a mean "
        f"KL of 0.01 {many:.2g}: {many / max(few, 1e-300):.1e} times as much."
    )
    return svg(figure, "guaranteed", label)


def _within(p: Problem, pi: Array, delta: float) -> Array:
    """The table of greatest L whose KL is δ in each state."""
    advantage = exact.advantages(p.mdp, pi)
    return performance.tilted(pi, advantage, performance.within(pi, advantage, delta))


def ellipse(p: Problem) -> str:
    """E41, E43 KL = δ and ½ dᵀHd = δ of a Gaussian, the plain and the natural step, at two σ."""
    head, delta, frames = Gaussian(1), 0.05, {}
    for sigma in (1.0, 0.3):
        eta = np.array([0.0, np.log(sigma)])
        m, s = np.meshgrid(np.linspace(-0.6, 0.6, 121), np.linspace(-0.4, 0.4, 121))
        kl = head.kl(np.stack([m, s + eta[1]], -1), eta)
        h, turn = head.fisher(eta), np.linspace(0, 2 * np.pi, 121)
        circle = np.sqrt(2 * delta) * np.stack([np.cos(turn), np.sin(turn)])
        border = np.linalg.inv(np.linalg.cholesky(h)).T @ circle
        g = np.array([0.6, 0.5])
        x = np.linalg.solve(h, g)
        step = trust_region_step(x, float(x @ h @ x), delta)
        plain = 0.3 * g / np.linalg.norm(g)
        figure, (ax,) = axes(1, 4.6, 3)
        ax.contourf(m, s, kl, [0, delta], colors=[BLUE], alpha=0.18)
        ax.contour(m, s, kl, [delta], colors=[BLUE])
        ax.plot(*border, "--", color=ORANGE, label="½ dᵀHd = δ")
        ax.plot([], [], color=BLUE, label="KL = δ")
        arrow(ax, step, ORANGE)
        arrow(ax, plain, INK)
        ax.set(title="orange: natural step; the other: plain", xlim=(-0.6, 0.6), ylim=(-0.4, 0.4))
        ax.set(xlabel="change of μ", ylabel="change of log σ")
        ax.legend(loc="lower right", ncols=2)
        got = float(head.kl(eta + step, eta))
        label = (
            f"For σ = {sigma} the region KL ≤ {delta} and the ellipse nearly coincide; the natural "
            f"step ends on its border with KL {got:.3f}, the plain gradient of fixed length at "
            f"{float(head.kl(eta + plain, eta)):.3f}."
        )
        frames[f"σ = {sigma:g}"] = svg(figure, f"sigma{sigma}".replace(".", ""), label)
    return framed("sigma", frames)


def parametrisations(p: Problem) -> str:
    """E40 a step in (μ, log σ) and in (μ, σ): the natural one is the same to first order."""
    sigma, g_mu, g_sigma = 0.4, 0.5, 0.6  # ∂J/∂μ, ∂J/∂σ
    jacobian = np.diag([1.0, sigma])  # of (μ, σ) by (μ, log σ)
    fisher = np.diag([1 / sigma**2, 2 / sigma**2])  # in (μ, σ)
    g = np.array([g_mu, g_sigma])
    plain = {"(μ, σ)": g, "(μ, log σ)": jacobian @ jacobian.T @ g}
    other = np.linalg.solve(jacobian.T @ fisher @ jacobian, jacobian.T @ g)
    natural = {"(μ, σ)": np.linalg.solve(fisher, g), "(μ, log σ)": jacobian @ other}
    figure, panels = axes(2, 3, 2.4)
    both = (plain, "plain gradient"), (natural, "natural gradient")
    for ax, (arrows, title) in zip(panels, both, strict=True):
        looks = (BLUE, "-"), (ORANGE, "--")
        for (name, step), (colour, line) in zip(arrows.items(), looks, strict=True):
            arrow(ax, 0.2 * step / np.linalg.norm(step), colour, linestyle=line)
            ax.plot([], [], line, color=colour, label=f"in {name}")
        ax.set(xlim=(-0.02, 0.22), ylim=(-0.02, 0.22), title=title)
        ax.set(xlabel="change of μ", ylabel="change of σ")
        ax.legend(loc="upper left")
    off = np.degrees(np.ptp([np.arctan2(*x[::-1]) for x in plain.values()]))
    same = float(np.abs(natural["(μ, σ)"] - natural["(μ, log σ)"]).max())
    label = (
        f"The plain gradients of two ways to write a Gaussian point {off:.0f} degrees apart in the "
        f"space of policies; the natural gradients are one arrow, equal to {same:.0e}."
    )
    return svg(figure, "parametrisations", label)
