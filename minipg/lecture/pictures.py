"""Which picture stands on which card."""

from collections.abc import Callable

from minipg.claims.problem import Problem
from minipg.lecture import pictures_estimates, pictures_step, pictures_theory, pictures_values
from minipg.lecture.drawing import drawn

PICTURES: dict[str, Callable[..., str]] = {
    "E03": pictures_estimates.scores,
    "E06": pictures_estimates.cloud,
    "E09": pictures_estimates.baselines,
    "E10": pictures_estimates.causality,
    "errata 7": pictures_estimates.dropped_discount,
    "E12": pictures_values.values,
    "E20": pictures_values.plane_of_psi,
    "E24": pictures_values.over_lambda,
    "E27": pictures_values.collapse,
    "E30": pictures_values.visits,
    "E34": pictures_theory.along_a_step,
    "E36": pictures_theory.guaranteed,
    "E40": pictures_theory.parametrisations,
    "E43": pictures_theory.ellipse,
    "E44": pictures_step.conjugate,
    "E46": pictures_step.line_search,
    "E47": pictures_step.clip,
    "E48": pictures_step.kronecker,
}
NEED_THE_TABLE = {"E12", "E30"}  # is it a map?


def picture(id: str, problem: Problem, table: str) -> str:
    """The card's picture in a figure, or nothing."""
    if id not in PICTURES:
        return ""
    svg = drawn(PICTURES[id], problem, *([table] if id in NEED_THE_TABLE else []))
    return f'<figure class="picture">{svg}</figure>' if svg else ""
