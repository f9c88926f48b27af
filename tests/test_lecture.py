"""The page: its texts are the slides', its colours in the code, its proofs able to fail."""

import ast
import inspect
import json
import re
import sys
import textwrap
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from test_equations import problem

from minipg.claims import CLAIMS, EQUATIONS, ERRATA, QUESTIONS, STATEMENTS
from minipg.claims.course import CHECK, ORDER
from minipg.commands import lecture
from minipg.lecture import code, formula, page, shown_by
from minipg.lecture.pictures import PICTURES
from minipg.museum import BUGS
from minipg.museum.bug import rebuilt

SLIDES = Path(__file__).with_name("slides.tex").read_text().splitlines()
every_equation = pytest.mark.parametrize("x", EQUATIONS, ids=lambda x: x.id)


def bare(tex: str) -> str:
    """Without marks, spaces and the = and ≈ at which a slide breaks a line."""
    tex = re.sub(r"\\[ABC]\{", "{", tex)
    tex = re.sub(r"\\(?:begin|end)\{aligned\}|\\[,;!\\]|\\quad|[\s&]", "", tex)
    while (flat := re.sub(r"\{(\w|\\[a-z]+)\}", r"\1", tex)) != tex:
        tex = flat
    return re.sub(r"[{}]", "", tex).removeprefix("=").removeprefix("\\approx").removesuffix("=")


@every_equation
def test_a_formula_is_the_slide_s_or_says_what_it_is(x):
    """Where a line of a slide begins with = or ≈ its left side may stand before it."""
    slides = {bare(tex) for tex in SLIDES}
    continued = {bare(tex) for tex in SLIDES if tex.startswith(("=", r"\approx"))}
    whole, right = bare(x.formula), re.split(r"=|\\approx", bare(x.formula), maxsplit=1)[-1]
    if x.stated == "slide":
        assert whole in slides or right in continued
    else:
        assert whole not in slides
        parts = any(len(part) > 12 and part in whole for part in slides)
        assert x.stated == ("part" if parts else "words") or (
            x.stated in STATEMENTS and x.stated.startswith("errata")
        )


@pytest.mark.parametrize("x", ERRATA, ids=lambda x: x.id)
def test_an_erratum_shows_what_a_slide_says(x):
    if x.id in ("errata 10", "errata 11"):  # a table, and years
        return
    assert any(bare(x.slide) in bare(tex) for tex in SLIDES)
    assert not any(bare(x.right) == bare(tex) for tex in SLIDES)
    assert x.slide != x.right


@every_equation
def test_a_card_s_code_is_there_and_its_colours_are_words_of_it(x):
    assert len(x.terms) == len({mark for mark in "ABC" if f"\\{mark}{{" in x.formula})
    html = code.html(code.source(code.found(x.code)), x.terms)
    math = formula.mathml(x.formula)
    for i in range(1, len(x.terms) + 1):
        assert f'class="t{i}"' in html
        assert f'class="t{i}"' in math
    for dotted in x.beside:
        assert code.source(code.found(dotted))
    with pytest.raises(ValueError, match="term: expected a word of the code, got 'nowhere'"):
        code.html(code.source(code.found(x.code)), ("nowhere",))


def test_code_is_shown_without_what_says_nothing_of_the_formula():
    assert code.source(code.found("estimators.returns.gae")) == (
        "def gae(delta: Array, ends: Array, gamma: float | Array, lam: float) -> Array:\n"
        "    return discounted_sum(delta, ends, gamma * lam)"
    )
    for x in EQUATIONS:
        text = code.source(code.found(x.code))
        assert not re.search(r"^\s*check_|, check_range", text, re.MULTILINE)
        assert '"""' not in text
    with pytest.raises(ValueError, match="minipg.truth.lies: expected a name of minipg.truth"):
        code.found("truth.lies")


def names(tree, *contexts):
    """Arguments and names below it that are loaded, or stored."""
    return {x.id for x in ast.walk(tree) if isinstance(x, ast.Name) and type(x.ctx) in contexts}


def assigned(tree):
    return names(tree, ast.Store) | {x.arg for x in ast.walk(tree) if isinstance(x, ast.arg)}


@pytest.mark.parametrize("thing", [
    *(pytest.param(claim.compare, id=claim.compare.__name__) for claim in CLAIMS),
    *(pytest.param(code.found(name), id=name)
      for name in sorted({name for x in EQUATIONS for name in (x.code, *x.beside)})),
])  # fmt: skip
def test_code_that_is_shown_has_all_that_it_needs(thing):
    """It parses, and what it uses and the whole source assigns is assigned in what is shown."""
    whole = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    shown = ast.parse(code.source(thing))
    assert names(shown, ast.Load) & assigned(whole) <= assigned(shown)


def test_a_formula_that_is_none_is_refused():
    with pytest.raises(ValueError, match="formula: expected TeX, got"):
        formula.mathml(r"\frac{1")


def test_the_course_asks_what_the_page_answers():
    ids = {*STATEMENTS, *(x.id for x in QUESTIONS)}
    assert set(ORDER) == set(CHECK) == {x.section for x in EQUATIONS}
    for asked in CHECK.values():
        assert len(asked) == 3
        assert {id for _, id in asked} <= ids
    assert set(PICTURES) <= set(STATEMENTS)
    for id in set(STATEMENTS) - shown_by.NOT_COMPUTED:
        assert shown_by.functions(id)
        assert shown_by.tests(id)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Three random states, two actions, as a file."""
    p, folder = problem(), tmp_path_factory.mktemp("table")
    dense = np.zeros((3, 2, 3))
    dense.reshape(6, 3)[p.mdp.row, p.mdp.next_state] = p.mdp.prob
    np.savez(folder / "three.npz", transition=dense, reward=p.mdp.expected_reward,
             start=p.mdp.start, gamma=0.9)  # fmt: skip
    return folder / "three.npz"


@pytest.fixture(scope="module")
def built(table):
    """The page of that table."""
    assert lecture.main([str(table), "--out", str(table.parent / "new" / "folder")]) == 0
    return (table.parent / "new" / "folder" / "lecture.html").read_text()


def test_the_page_is_one_file_in_which_everything_is_found(built):
    assert len(built.encode()) <= 1.5e6
    anchors = re.findall(r' id="([^"]+)"', built)
    assert len(anchors) == len(set(anchors))
    for x in (*EQUATIONS, *ERRATA, *QUESTIONS):
        assert page.anchor(x.id) in anchors
    assert set(re.findall(r'href="#([^"]+)"', built)) <= set(anchors)
    assert not re.findall(r'(?:src|href)="(?!#)', built)
    assert "<script" not in built
    assert set(re.findall(r"url\((?!#)([^,)]*)", built)) == {"data:font/woff2;base64"}
    levels = [int(level) for level in re.findall(r"<h(\d)", built)]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False))


def test_each_formula_has_its_tex_and_each_picture_its_label(built):
    math = re.findall(r"<math.*?</math>", built)
    tex = [unescape(t) for t in re.findall(r"<annotation[^>]*>(.*?)</annotation>", built)]
    assert len(math) == len(tex) == len(EQUATIONS) + 2 * (len(ERRATA) - 1)
    assert {formula.plain(x.formula) for x in EQUATIONS} <= set(tex)
    svgs = re.findall(r"<svg[^>]*>", built)
    assert len(svgs) >= len(PICTURES)
    assert all(re.search(r'role="img" aria-label="[^"]{40,}"', svg) for svg in svgs)


def test_each_card_has_its_proofs(built):
    for claim in CLAIMS:
        card = built.split(f'<section class="card" id="{page.anchor(claim.id)}"')[1]
        card = card.split("</section>")[0]
        assert f"def {claim.compare.__name__}(" in re.sub(r"<[^>]+>", "", card)
        assert "✓" in card
        assert "✗" not in card


def functions_of(bug):
    """Dotted names of the functions or methods that are wrong in it."""
    module = bug.module.__name__.removeprefix("minipg.")
    for name, wrong in bug.wrong(rebuilt(bug.module)).items():
        methods = [f".{m}" for m in vars(wrong)] if isinstance(wrong, type) else [""]
        yield from (f"{module}.{name}{method}" for method in methods)


SHOWN = {name: [x.id for x in EQUATIONS if name in (x.code, *x.beside)]
         for y in EQUATIONS for name in (y.code, *y.beside)}  # fmt: skip
IN_CARDS = [
    pytest.param(bug, ids, id=f"{bug.number} {bug.title[:40]}")
    for bug in BUGS
    if (ids := {id for name in functions_of(bug) for id in SHOWN.get(name, [])})
]


def test_most_cards_of_pitfalls_are_there():
    assert len(IN_CARDS) >= 19


@pytest.mark.parametrize(("bug", "ids"), IN_CARDS)
def test_a_planted_pitfall_in_code_that_a_card_shows_is_named_by_it(
    bug, ids, table, monkeypatch, capsys
):
    wrong = bug.wrong(rebuilt(bug.module))
    for name, module in list(sys.modules.items()):
        if name.startswith("minipg") and not name.startswith("minipg.museum"):
            for own, value in list(vars(module).items()):
                for at, planted in wrong.items():
                    if value is getattr(bug.module, at) and module is not bug.module:
                        monkeypatch.setattr(module, own, planted)
    for at, planted in wrong.items():
        monkeypatch.setattr(bug.module, at, planted)
    monkeypatch.setattr(page, "CLAIMS", [claim for claim in CLAIMS if claim.id in ids])
    assert lecture.main([str(table), "--out", str(table.parent / "none")]) == 1
    assert not (table.parent / "none").exists()
    named = {line.split(" FAILS")[0] for line in capsys.readouterr().out.splitlines()}
    assert named & ids


def test_what_the_page_needs_and_lacks_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "math_core", None)
    assert lecture.main([]) == 2
    assert capsys.readouterr().err == (
        "minipg lecture: needs math-core: pip install brotli fonttools math-core matplotlib "
        "pygments tqdm ziamath\n"
    )


def test_the_list_of_tests_is_data():
    assert set(json.loads((Path(page.__file__).parent / "tests.json").read_text())) == set(
        STATEMENTS
    )
