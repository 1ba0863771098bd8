"""The pages for people: every relative link leads to a file."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)|(?:src|href)=\"([^\"]+)\"")


def relative_links(page: Path) -> list[str]:
    """Targets of links and pictures that lie in the repository, without fragments."""
    found = [markdown or html for markdown, html in _LINK.findall(page.read_text("utf-8"))]
    local = [link for link in found if not re.match(r"[a-z]+:|#", link)]
    return [link.split("#")[0] for link in local]


def test_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text('[a](b.md#c) ![d](e.png) <img src="f.jpg"> [g](https://h.i) [j](#k)')
    assert relative_links(page) == ["b.md", "e.png", "f.jpg"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in relative_links(page) if not (page.parent / link).exists()]
    assert missing == []
