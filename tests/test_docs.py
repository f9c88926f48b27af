"""The pages: links, paths and commands are real, the README is short, nothing absent is named."""

import re
from pathlib import Path

import pytest

from minipg.commands.main import COMMANDS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md")]
FOLDERS = [ROOT / name for name in ("minipg", "scripts", "tests", "docs", ".ci")]
KINDS = ("", ".py", ".md", ".cfg", ".toml", ".txt")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def prose(page: Path) -> str:
    """Without code, in which brackets are no links and # no headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^ {4}.*|`[^`\n]*`", "", text, flags=re.MULTILINE)


def headings(page: Path) -> list[str]:
    """As GitHub makes anchors of them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ +(.+?)\s*$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def anchors(target: Path) -> set[str]:
    """What may stand after # in a link to the file."""
    if target.suffix != ".md":
        return {f"L{n + 1}" for n in range(len(target.read_text().splitlines()))}
    return {*headings(target), *re.findall(r'<a (?:id|name)="([^"]+)"', target.read_text())}


def links(page: Path) -> list[tuple[Path, str]]:
    """(file, anchor or "") of each link that stays in the repository."""
    targets = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page))
    parts = [t.partition("#") for t in targets if not re.match(r"https?://", t)]
    return [((page.parent / path).resolve() if path else page, name) for path, _, name in parts]


@each_page
def test_every_link_resolves(page):
    for target, anchor in links(page):
        assert target.is_relative_to(ROOT), f"{target} is outside"
        assert target.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(target), f"{target.name} has no #{anchor}"
    assert len(set(headings(page))) == len(headings(page)), "two headings have the same anchor"


def test_every_page_is_linked():
    assert {target for page in PAGES for target, _ in links(page)} >= set(PAGES) - {README}


@each_page
def test_every_path_and_command_in_a_page_is_there(page):
    for path in re.findall(r"`((?:minipg|scripts|tests|docs|\.ci)/[\w./]+)`", page.read_text()):
        assert (ROOT / path).exists(), f"{path} is not there"
    for command in re.findall(r"(?:`| {4}|\. )minipg (\w[\w-]*)", page.read_text()):
        assert command in {*COMMANDS, "COMMAND"}, f"minipg has no command {command}"


def test_the_readme_is_short_and_fails_nowhere():
    text = README.read_text()
    assert len(text.splitlines()) <= 200
    assert len(text.encode()) <= 20_000
    assert "FAILS" not in text


def test_no_file_speaks_of_a_document_that_is_not_here():
    here = {page.name for page in PAGES}
    for path in (*ROOT.glob("*.*"), *(path for folder in FOLDERS for path in folder.rglob("*"))):
        if path.suffix in KINDS and path.is_file() and (path.suffix or path.parent != ROOT):
            text = path.read_text()
            named = {*re.findall(r"[\w-]+\.md\b", text)} - here
            named |= {*re.findall(r"[.][.]/share[d]|PITFALLS \d+", text)}
            assert not named, f"{path.relative_to(ROOT)} speaks of {named}"
