"""The lecture as one HTML file: a card for each statement, its proof, its picture."""

import inspect
import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from math import inf
from typing import NamedTuple

from minipg.claims import CLAIMS, EQUATIONS, ERRATA, QUESTIONS, STATEMENTS, Problem
from minipg.claims.course import CHECK, OPENING, ORDER, PROBLEMS
from minipg.claims.rows import Claim, Row
from minipg.claims.statement import Erratum, Question, Statement
from minipg.lecture import code, formula
from minipg.lecture.pictures import picture
from minipg.lecture.shown_by import functions, tests

TITLE = "Policy gradients, executed"
STATED = {"slide": "", "words": " The slides say it in words; the formula is ours.",
          "part": " The slides have a part of it; the whole formula is ours."}  # fmt: skip
SCRIPT = re.compile(r"([_^])(?:\{((?:[^{}]|\{[^{}]*\})*)\}|(\(\w\)|\w\u0303?(?![a-z])))")


class Proof(NamedTuple):
    """A claim and what its comparison said of the page's table."""

    claim: Claim
    row: Row

    @property
    def fails(self) -> bool:
        return not self.row.skipped and not self.row.error <= self.row.tolerance


def compared(problem: Problem) -> Iterator[Proof]:
    """Every claim, in verify's order, asked of the problem; one that raises has failed."""
    for claim in CLAIMS:
        try:
            yield Proof(claim, claim.compare(problem))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            yield Proof(claim, Row(f"raised {error!r}", inf, 0.0))


def anchor(id: str) -> str:
    """What follows # in a link to the card."""
    return id.replace(",", "").replace(" ", "-")


def words(text: str) -> str:
    """Text of ours as HTML: γ^t and s_{t+1} with their scripts, π̃ in the font of formulas."""

    def script(found: re.Match[str]) -> str:
        tag = "sub" if found[1] == "_" else "sup"
        return f"<{tag}>{SCRIPT.sub(script, found[2] or found[3])}</{tag}>"

    return re.sub(r"(\w\u0303)", r'<span class="m">\1</span>', SCRIPT.sub(script, escape(text)))


def link(id: str) -> str:
    return f'<a href="#{anchor(id)}">{escape(id)}</a>'


def box(tag: str, name: str, content: str) -> str:
    """Scrolls where the window is narrower, with the keyboard too."""
    return (f'<{tag} class="box" tabindex="0" role="region" aria-label="{escape(name)}">'
            f"{content}</{tag}>")  # fmt: skip


def listing(name: str, source: str, terms: tuple[str, ...] = ()) -> str:
    """Highlighted code under its name."""
    lines = box("pre", f"code of {name}", f"<code>{code.html(source, terms)}</code>")
    title = escape(name).replace(".", ".<wbr>")
    return f"<figure><figcaption><code>{title}</code></figcaption>{lines}</figure>"


def function(dotted: str, terms: tuple[str, ...] = ()) -> str:
    """One of minipg's."""
    return listing(f"minipg.{dotted}", code.source(code.found(dotted)), terms)


def equation(tex: str, name: str) -> str:
    return box("div", name, formula.mathml(tex))


def folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>{content}</details>"


def verdict(proof: Proof) -> str:
    """The error found and allowed, what was compared, and folded how."""
    claim, row = proof.claim, proof.row
    sign = f'<b class="fails">✗ {row.error:.1e} &gt; {row.tolerance:.2g}</b>'
    if row.skipped:
        sign = '<b class="skipped">not asked</b>'
    elif not proof.fails:
        sign = f"<b>✓ {row.error:.1e} ≤ {row.tolerance:.2g}</b>"
    part = claim.text.removeprefix(STATEMENTS[claim.id].title).removeprefix("; ")
    part = f"{words(part)}: " if part else ""
    name = claim.compare.__name__
    return (f'<p class="proof">{sign}{part}<span>{words(row.compared)}</span></p>'
            + folded("how it was compared", listing(name, code.source(claim.compare))))  # fmt: skip


def more(x: Statement) -> str:
    """Folded: callees, the docstring with its shapes, the tests."""
    doc = escape(inspect.cleandoc(code.found(x.code).__doc__ or ""))
    others = ", ".join(f"<code>{escape(name)}</code>" for name in functions(x.id))
    held = "".join(f"<li><code>{escape(test)}</code></li>" for test in tests(x.id))
    parts = (
        ("the functions it needs", "".join(map(function, x.beside))),
        ("shapes, units, sources", doc and box("pre", f"docstring of {x.code}", doc)),
        ("where it is computed, and the tests that hold it", f"<p>{others}</p><ul>{held}</ul>"),
    )
    shown = "".join(folded(title, content) for title, content in parts if content)
    return f'<div class="more">{shown}</div>'


def card(id: str, title: str, *parts: str) -> str:
    return (f'<section class="card" id="{anchor(id)}"><h3>{link(id)} {words(title)}</h3>'
            f"{''.join(parts)}</section>")  # fmt: skip


def of_equation(x: Statement, proofs: list[Proof], drawn: str) -> str:
    stated = STATED.get(x.stated) or f" The slide writes it otherwise: {link(x.stated)}."
    stated = "" if x.stated == "slide" else stated
    pair = f'<div class="pair">{equation(x.formula, x.title)}{function(x.code, x.terms)}</div>'
    text = f"<p>{words(x.sentence)}{stated}</p>"
    return card(x.id, x.title, text, pair, *map(verdict, proofs), drawn, more(x))


def of_erratum(x: Erratum, proofs: list[Proof], drawn: str) -> str:
    forms = "".join(
        f"<figure><figcaption>{whose}</figcaption>{equation(tex, f'{x.id}: {whose}')}</figure>"
        for whose, tex in (("the slide", x.slide), ("what holds", x.right))
        if tex
    )
    text = f"<p>{words(x.sentence)}</p>"
    forms = f'<div class="pair">{forms}</div>' * bool(forms)
    return card(x.id, x.title, text, forms, *map(verdict, proofs), drawn)


def of_question(x: Question, proofs: list[Proof]) -> str:
    shown = ", ".join(map(link, x.shown_by))
    text = f"<p>{words(x.answer)} Shown by {shown}.</p>"
    own = [proof for proof in proofs if x.id.split(",")[0] in proof.claim.text] or proofs
    return card(x.id, x.question, text, *map(verdict, own))


def section(name: str, proofs: list[Proof], problem: Problem, table: str) -> tuple[str, str]:
    """Its entry in the contents, and itself."""

    def of(*ids: str) -> list[Proof]:
        return [proof for proof in proofs if proof.claim.id in ids]

    equations, errata, questions = (
        [x for x in entries if x.section == name] for entries in (EQUATIONS, ERRATA, QUESTIONS)
    )
    cards = [of_equation(x, of(x.id), picture(x.id, problem, table)) for x in equations]
    cards += [of_erratum(x, of(x.id), picture(x.id, problem, table)) for x in errata]
    cards += [of_question(x, of(*x.shown_by)) for x in questions]
    entries = "".join(
        f'<a href="#{anchor(id)}">{id} {words(title)}</a>'
        for id, _, title, *_ in (*equations, *errata, *questions)
    )
    asked = "".join(f"<li>{words(question)} {link(id)}</li>" for question, id in CHECK[name])
    number = f"section-{name[0]}"
    top = (
        f'<h2 id="{number}">{escape(name)}</h2><p>In the library, in this order: {ORDER[name]}.</p>'
    )
    head = f'<a href="#{number}">{escape(name)}, from its beginning</a>'
    contents = f"<details><summary>{escape(name)}</summary>{head}{entries}</details>"
    return contents, f"{top}{''.join(cards)}<h3>Can you tell?</h3><ul>{asked}</ul>"


def build(problem: Problem, table: str, proofs: list[Proof]) -> str:
    """The whole page."""
    parts = [section(name, proofs, problem, table) for name in ORDER]
    body, contents = ("".join(part[i] for part in parts) for i in (1, 0))
    asked = [proof for proof in proofs if not proof.row.skipped]
    held = f"{sum(not proof.fails for proof in asked)} of {len(asked)} comparisons hold on {table}"
    steps = problem.start.num_states // problem.mdp.num_states - 1
    starts = int((problem.start.start > 0).sum())
    opening = (
        f"{held}, γ = {problem.mdp.gamma:g}, {problem.mdp.num_states} states. "
        + PROBLEMS.format(steps=steps, starts=starts),
        *OPENING,
    )
    text = "".join(f"<p>{words(part)}</p>" for part in opening)
    css = files("minipg.lecture").joinpath("style.css").read_text(encoding="utf-8")
    style = formula.font(formula.characters(body)) + css
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{TITLE}</title><style>{style}</style></head><body><div class="page">'
        f'<nav id="contents" aria-label="Contents"><b>Contents</b>{contents}</nav>'
        f"<main><h1>{TITLE}</h1>{text}{body}</main></div>"
        '<a class="back" href="#contents">Contents</a></body></html>\n'
    )
