"""Pictures of section 5's algorithms: conjugate gradients, the line search, the clip, K-FAC."""

import numpy as np

from minipg.claims.problem import Problem
from minipg.claims.s5_quadratic import some
from minipg.estimators.surrogate import clipped_surrogate
from minipg.lecture.drawing import BLUE, GREEN, INK, ORANGE, axes, heat, svg
from minipg.policies.build import softmax_policy
from minipg.steps.kfac import factors
from minipg.steps.linalg import backtrack, conjugate_gradients
from minipg.steps.natural import fisher_matrix, fisher_product, trust_region_step
from minipg.truth import exact, performance
from minipg.validate import Array


def conjugate(p: Problem) -> str:
    """E44 the residual over iterations; of two unknowns the iterates, and steepest descent's."""
    obs, weight = some(p)
    h = fisher_product(p.policy, p.theta, obs, weight)
    g = h(p.own_rng("E44").standard_normal(len(p.theta)))
    most = conjugate_gradients(h, g, 100, 1e-10).iterations
    residuals = [conjugate_gradients(h, g, j, 0.0).residual for j in range(1, most + 1)]
    figure, (left, right) = axes(2)
    left.semilogy(np.arange(1, most + 1), residuals, color=BLUE, marker="o", ms=3)
    left.set(xlabel="iteration j", title="‖g − Hx‖ / ‖g‖ on this table")
    small, b = np.array([[1.0, 0.6], [0.6, 2.5]]), np.array([1.0, -1.5])
    x, y = np.meshgrid(np.linspace(-0.3, 2.6, 60), np.linspace(-1.8, 0.4, 60))
    at = np.stack([x, y], -1)
    energy = 0.5 * ((at @ small) * at).sum(-1) - at @ b
    right.contour(x, y, energy, 9, colors=[INK], linewidths=0.5, linestyles="solid")
    iterates = [conjugate_gradients(lambda v: small @ v, b, j, 0.0).x for j in (1, 2)]
    path = np.array([[0, 0], *iterates])
    steepest = [np.zeros(2)]
    for _ in range(12):
        r = b - small @ steepest[-1]
        steepest.append(steepest[-1] + r * (r @ r) / (r @ small @ r))
    zigzag = np.array(steepest).T
    right.plot(*zigzag, "--", color=ORANGE, marker="s", ms=3, label="steepest descent")
    right.plot(*path.T, color=BLUE, marker="o", ms=4, label="conjugate gradients")
    right.set(title="½ xᵀHx − gᵀx of two unknowns: two steps")
    right.set(ylim=(-1.8, 1.1))
    right.legend(loc="upper right")
    label = (
        f"Left: the residual of conjugate gradients falls to {residuals[-1]:.0e} in {most} "
        f"iterations for {len(g)} parameters. Right: of two unknowns the second iterate is exact, "
        "where steepest descent goes to and fro."
    )
    return svg(figure, "conjugate", label)


def line_search(p: Problem) -> str:
    """E46 L and KL / δ at each halving of a step that is too long, until both are as promised."""
    features, pi = p.mdp.features, p.policy.probs(p.theta, p.mdp.features)
    visits, advantage = exact.visits(p.mdp, pi, p.mdp.gamma), exact.advantages(p.mdp, pi)
    weight, delta = visits / visits.sum(), 0.5
    h = fisher_product(p.policy, p.theta, features, weight)
    x = conjugate_gradients(h, exact.policy_gradient(p.mdp, p.policy, p.theta), 50).x
    step = 16 * trust_region_step(x, float(x @ h(x)), delta)
    tried: list[tuple[float, float]] = []

    def measure(theta: Array) -> tuple[float, float]:
        new = p.policy.probs(theta, features)
        gained = float(visits @ (new * advantage).sum(1))
        tried.append((gained, float(weight @ performance.kl(new, pi))))
        return tried[-1]

    accepted = backtrack(p.theta, step, measure, delta).tried
    for i in range(len(tried), accepted + 3):
        measure(p.theta + 0.5**i * step)
    gain, kl = np.array(tried).T
    figure, (left, right) = axes(2)
    seen = (gain / np.abs(gain).max(), 0, "L, of the most seen"), (kl / delta, 1, "KL / δ")
    for ax, (y, border, title) in zip((left, right), seen, strict=True):
        ax.step(np.arange(len(y)), y, where="mid", color=BLUE)
        ax.plot([accepted - 1], [y[accepted - 1]], "o", color=GREEN, label="accepted")
        ax.axhline(border, color=ORANGE, ls="--", label="border")
        ax.set(xlabel="halvings i", title=title)
        ax.legend()
    label = (
        f"A step 16 times too long is halved: the KL in units of δ is "
        f"{', '.join(f'{v / delta:.2g}' for v in kl[:accepted])}, and the step is accepted after "
        f"{accepted - 1} halvings, where the surrogate is above 0 too."
    )
    return svg(figure, "search", label)


def clip(p: Problem) -> str:
    """E47 the clipped surrogate's value and slope against the ratio, for ψ = 1 and −1."""
    policy, theta = softmax_policy(1, 2), np.zeros(4)
    obs, action = np.zeros((1, 1)), np.zeros(1, int)
    rho = np.linspace(0.5, 1.5, 201)

    def value(ratio: float, psi: float) -> tuple[float, float]:
        at = np.log(0.5 / ratio) * np.ones(1)
        v, g, _ = clipped_surrogate(policy, theta, obs, action, at, np.array([psi]), 0.2)
        score = policy.weighted_score(theta, obs, action, np.ones(1))
        return v, float(g @ score / (score @ score)) / ratio  # ∂/∂ρ, as ∇ρ = ρ ∇log π

    figure, (left, right) = axes(2)
    for psi, colour, line in ((1.0, BLUE, "-"), (-1.0, ORANGE, "--")):
        found = np.array([value(x, psi) for x in rho])
        for ax, y in ((left, found[:, 0]), (right, found[:, 1])):
            ax.plot(rho, y, line, color=colour, label=f"ψ = {psi:+.0f}")
    for ax, title in ((left, "value"), (right, "slope")):
        ax.set(xlabel="ratio π̃ / π", title=title)
        ax.legend()
    label = (
        "The clipped surrogate for a positive ψ rises with the ratio up to 1.2 and is flat beyond; "
        "for a negative ψ it is flat below 0.8 and falls above. Where it is flat the slope is 0."
    )
    return svg(figure, "clip", label)


def kronecker(p: Problem) -> str:
    """E48 the Fisher block of a network's last layer, A ⊗ G, and their difference."""
    rng = np.random.default_rng(p.seed)
    policy, obs = softmax_policy(2, 3, (3,)), rng.standard_normal((30, 2))
    theta = policy.init(rng, 1.0)
    at = policy.network.slices[-1][0]
    block = fisher_matrix(policy, theta, obs, np.full(30, 1 / 30))[at, at]
    a, g = factors(policy, theta, obs).layers[-1]
    size, product = float(np.abs(block).max()), np.kron(a, g)
    figure, panels = axes(3, 2.4, 2.4)
    titles = ("Fisher block", "A ⊗ G", "difference")
    for ax, table, title in zip(panels, (block, product, product - block), titles, strict=True):
        heat(ax, table, size)
        ax.set(title=title)
    off = np.linalg.norm(product - block) / np.linalg.norm(block)
    label = (
        f"The exact 12 by 12 Fisher block of a layer, the product of its two small factors, and "
        f"their difference: {off:.0%} of it, in Frobenius norm. Orange is below 0, blue above. The "
        "layer is of a smaller network than that of the row above."
    )
    return svg(figure, "kronecker", label)
