"""The atlas without its libraries: the exchange, what is measured from answers, the page."""

import importlib.util
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

import atlas
import numpy as np
import pytest

from minipg.audit import lake
from minipg.estimators import rloo
from survey import exchange, language, page, prose, rows, windows
from survey.settings import LANGUAGE, PACKAGES, SIZED, WINDOWS

ROOT = Path(__file__).parents[1]
LAB = lake()


@pytest.fixture
def served():
    """The library's end of the exchange, which is no package."""
    place = ROOT / "scripts" / "atlas" / "served.py"
    spec = importlib.util.spec_from_file_location("served", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_glue_answers_comes_back(served, tmp_path, monkeypatch):
    first, second = (windows.stacked([LAB.window(i) for i in some]) for some in ((0, 1), (5, 6, 7)))
    settings = {"twice": {"factor": 2}, "thrice": {"factor": 3}}
    exchange.write(tmp_path, settings, windows.fixed(LAB), [first, second])

    def make(lab, options):
        assert lab.rows == LAB.steps
        assert lab.gamma == LAB.mdp.gamma
        return lambda w: options["factor"] * w.rewards

    monkeypatch.setattr(sys, "argv", ["glue", str(tmp_path)])
    served.serve(make)
    for name, options in settings.items():
        for got, asked in zip(
            exchange.read(tmp_path, name, [first, second]), (first, second), strict=True
        ):
            np.testing.assert_array_equal(got, options["factor"] * asked["rewards"])


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (np.ones((2, 5)), "expected 3 rows of finite numbers, got shape \\(2, 5\\)"),
        (np.full((3, 5), np.nan), "expected 3 rows of finite numbers"),
        (np.arange(15.0).reshape(3, 5), "expected the same for the same window, got another"),
        (None, "expected the answers of plain, got no file"),
    ],
)
def test_answers_that_are_none_are_refused(tmp_path, got, message):
    if got is not None:
        np.savez(tmp_path / "plain-0.npz", got=got)
    with pytest.raises(ValueError, match=message):
        exchange.read(tmp_path, "plain", [windows.stacked([LAB.window(0), LAB.window(1)])])


def test_answers_to_every_window_are_audited_as_the_library():
    def plain(w):
        return w.rewards - w.values + LAB.mdp.gamma * np.where(w.terminated, 0, w.next_values)

    sizes = (3, 6)
    answers = [[plain(w) @ LAB.scores(w) for w in some] for some in windows.asked(LAB, sizes)]
    report = windows.audited(LAB, answers, sizes)
    report.assert_is("GAE λ = 0", "γ^t dropped", "summed")
    assert report.bias > 0.01
    assert [(x.told, x.radius > 0) for x in report.trend] == [((3, "rows"), 0), ((6, "rows"), 1)]


def test_rloo_by_sums_is_the_gradient_of_the_language_and_named():
    lab = language.language(2)
    files = language.asked(lab)
    grouped = files["returns"].reshape(-1, 2, 2)
    psi = rloo(grouped).reshape(files["returns"].shape) / 4
    answers = np.where(np.arange(4) < files["lengths"][:, :, None], psi[:, :, None], 0.0)
    row = language.charted(lab, files, answers)
    assert row.bias < 1e-12
    assert "R less the mean of the others (RLOO) | sum over tokens, mean over responses" in {
        str(reading) for reading in row.named.readings
    }
    answers[3, 0, 0] += 1
    if files["lengths"][3, 0] > 1:
        with pytest.raises(ValueError, match="expected one number for all tokens of a response"):
            language.charted(lab, files, answers)


def invented(library):
    """Results of a library, as if measured."""
    got = [asdict(rows.Row(name, options, "G | summed", ["R | summed"], 0.5, 0.5, 1.0, 2.0,
                           [(3, 1.0, 0.5, 0.0), (4, 1.0, 0.25, 0.0), (64, 1.0, 0.75, 0.01)]))
           for name, options in rows.settings(library).items()]  # fmt: skip
    return {"versions": "library 1.0", "date": "2026-01-01", "rows": got}


def tables(text):
    """Of each line of a table its cells."""
    return [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]


def test_the_page_is_written_with_a_row_for_each_setting(tmp_path):
    results = {library: invented(library) for library in prose.LIBRARIES}
    page.write(tmp_path / "page", json.loads(json.dumps(results)))
    text = (tmp_path / "page").read_text()
    asked = sum(len(rows.settings(library)) for library in prose.LIBRARIES)
    assert len(tables(text)) == asked + len(prose.LIBRARIES)  # and a head each
    assert "G; summed (equal on these windows: one other, R | summed)".replace(" | ", "; ") in text
    assert "0.7500 (mean to ± 1 %)" in text
    with pytest.raises(ValueError, match="got none of trl: run python scripts/atlas.py trl"):
        page.write(tmp_path / "page", {x: r for x, r in results.items() if x != "trl"})


def test_the_page_of_the_repository_has_every_row_well_formed():
    found = []
    for cells in tables((ROOT / "docs" / "atlas.md").read_text()):
        assert len(cells) == len(page.HEADS[False])
        if named := re.fullmatch(r" ?`(\w+) --only ([\w-]+)`", cells[0]):
            found.append(named.groups())
            bias, length, cosine, variance = map(float, cells[3:7])
            assert bias >= abs(1 - length) - 2e-3 * length
            assert abs(cosine) <= 1
            assert variance > 0
            assert abs(bias**2 - (1 + length**2 - 2 * length * cosine)) < 0.01 * (1 + length**2)
    known = [(library, name) for library in prose.LIBRARIES for name in rows.settings(library)]
    assert found == known


def test_each_library_has_its_requirements_its_glue_and_its_words():
    folder = ROOT / "scripts" / "atlas"
    libraries = {*WINDOWS, *LANGUAGE}
    assert {p.stem for p in folder.glob("*.txt")} == libraries == prose.LIBRARIES.keys()
    assert {p.stem for p in folder.glob("*_glue.py")} == {f"{x}_glue" for x in libraries}
    assert PACKAGES.keys() == SIZED.keys() == libraries
    for library in libraries:
        assert {*SIZED[library]} <= rows.settings(library).keys()
        for line in (folder / f"{library}.txt").read_text().splitlines():
            assert re.fullmatch(r"[\w-]+==[\d.]+", line), "expected a pinned version"


def test_what_is_not_there_is_told_in_a_line(tmp_path, capsys):
    for words, message in (
        (["flax"], "library: expected one of sb3, tianshou, cleanrl, trl, verl, got flax"),
        (["sb3", "--only", "dqn"], "--only: expected some of a2c"),
        (["--envs", str(tmp_path), "--write", str(tmp_path / "p")], "expected results of every"),
    ):
        assert atlas.main(words) == 2
        told = capsys.readouterr().err
        assert message in told
        assert told.count("\n") == 1


def test_a_glue_that_dies_is_told_in_a_line(tmp_path):
    """One that is not there, in a Python that has nothing to do with it."""
    with pytest.raises(RuntimeError, match=r"absent: expected its glue to end with 0, got 2: .*"):
        exchange.ask("absent", Path(sys.executable), tmp_path, {}, {}, [])
    assert (tmp_path / "stderr").read_text()
    with pytest.raises(ValueError, match="library: expected one of cleanrl, sb3, .*, got absent"):
        exchange.environment("absent", tmp_path)
