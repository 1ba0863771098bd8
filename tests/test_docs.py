"""The pages for people: every relative link leads to a file, and to a heading that is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmark" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)|(?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Targets of links and pictures that lie in the repository."""
    found = [markdown or html for markdown, html in _LINK.findall(page.read_text("utf-8"))]
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def relative_links(page: Path) -> list[str]:
    """The same without fragments, and without links into the page itself."""
    return [link.split("#")[0] for link in links(page) if not link.startswith("#")]


def fragments(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))
    bare = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in bare}


def test_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text('[a](b.md#c) ![d](e.png) <img src="f.jpg"> [g](https://h.i) [j](#k)')
    assert relative_links(page) == ["b.md", "e.png", "f.jpg"]
    assert links(page) == ["b.md#c", "e.png", "f.jpg", "#k"]


def test_headings_are_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# One, two\n\n```bash\n# no heading\n```\n\n### `three` 8-bit\n")
    assert fragments(page) == {"one-two", "three-8-bit"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in relative_links(page) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_fragments_lead_to_headings(page: Path) -> None:
    lost = []
    for link in links(page):
        name, _, fragment = link.partition("#")
        target = page.parent / name if name else page
        if fragment and target.suffix == ".md" and fragment not in fragments(target):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_is_reached_from_the_first(page: Path) -> None:
    first = {(ROOT / link).resolve() for link in relative_links(ROOT / "README.md")}
    assert page == ROOT / "README.md" or page in first
