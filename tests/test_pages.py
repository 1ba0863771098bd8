"""HTML fragments: escaped, self-contained, well nested."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from mien import pages

NASTY = "<b>&\"'</b>"


class _Checker(HTMLParser):
    """Collects text, and checks that every element is closed in order."""

    VOID = frozenset(("meta", "img", "br"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def check(html: str) -> _Checker:
    checker = _Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


def test_page_is_complete_and_stands_alone() -> None:
    body = pages.section("Numbers", pages.table(["class", "n"], [["a", "1"]]))
    html = pages.page("Report", "of a model", body + pages.picture(b"png", "plot"))
    seen = check(html)
    assert html.startswith("<!doctype html>")
    assert "script" not in seen.seen and "link" not in seen.seen
    sources = [value for name, value in seen.attributes if name in ("src", "href")]
    assert sources == ["data:image/png;base64," + base64.b64encode(b"png").decode()]
    assert "http" not in html and "url(" not in html and "@import" not in html
    assert "prefers-color-scheme: dark" in html and "@media print" in html


@pytest.mark.parametrize(
    "html",
    [
        pages.page(NASTY, NASTY, ""),
        pages.section(NASTY, ""),
        pages.paragraph(NASTY),
        pages.code(NASTY),
        pages.figures([(NASTY, NASTY, NASTY)]),
        pages.table([NASTY], [[NASTY]]),
        pages.picture(b"", NASTY, caption=NASTY),
        pages.picture_grid([(b"", NASTY)]),
    ],
)
def test_every_text_is_escaped(html: str) -> None:
    seen = check(html)
    assert "b" not in seen.seen
    assert NASTY in "".join(seen.text)


def test_alt_text_survives_quotes() -> None:
    seen = check(pages.picture(b"", NASTY))
    assert ("alt", NASTY) in seen.attributes


def test_table_sets_numbers_flush_right_from_a_column_on() -> None:
    html = pages.table(["a", "b", "c"], [["x", "y", "1"]], numeric_from=2)
    assert html.count('class="number"') == 2
    assert '<td class="number">1</td>' in html
    assert "<th>b</th>" in html


def test_table_without_header_has_no_head() -> None:
    html = pages.table([], [["a", "1"]])
    assert "thead" not in html and "<td>a</td>" in html


def test_subtitle_note_and_caption_are_left_out_when_empty() -> None:
    assert 'class="subtitle"' not in pages.page("t", "", "")
    assert 'class="note"' not in pages.figures([("n", "1", "")])
    assert "figcaption" not in pages.picture(b"", "alt")


def test_picture_width_and_grid_order() -> None:
    assert ' width="320"' in pages.picture(b"", "alt", width_px=320)
    grid = pages.picture_grid([(b"1", "first\nline"), (b"2", "second")])
    assert grid.index("first") < grid.index("second")
    assert 'alt="first, line"' in grid
    assert check(grid).seen.count("img") == 2


def test_a_percent_sign_stays_with_its_number() -> None:
    for html in (
        pages.paragraph("61.7 %"),
        pages.table(["n"], [["61.7 %"]]),
        pages.picture_grid([(b"", "61.7 %")]),
    ):
        assert "61.7\u00a0%" in html and "61.7 %" not in html
    assert "mien --out 'a %'" in pages.code("mien --out 'a %'").replace("&#x27;", "'")


def test_dates_intervals_and_hashes_stay_whole() -> None:
    digest = "0123456789abcdef" * 4
    text = f"since 2025-02-02, 69.9 % (68.4 to 71.3), {digest}"
    for html in (pages.paragraph(text), pages.table(["n"], [[text]])):
        for whole in ("2025-02-02", "(68.4 to 71.3)"):
            assert f'<span class="whole">{whole}</span>' in html
        assert f'<span class="hash">{digest}</span>' in html
        assert text.replace(" %", "\u00a0%") in "".join(check(html).text)
    # An attribute is text alone.
    assert ("alt", "2025-02-02") in check(pages.picture(b"", "2025-02-02")).attributes
    assert "<title>2025-02-02</title>" in pages.page("2025-02-02", "", "")
    style = pages.page("t", "", "")
    assert ".whole { white-space: nowrap; }" in style


def test_what_is_wider_than_the_page_shows_that_it_scrolls() -> None:
    html = pages.page("t", "", pages.table(["n"], [["1"]]))
    (rule,) = re.findall(r"\n\.scroll \{(.*?)\}", html, re.DOTALL)
    # Shadows that stand still, and covers of them that scroll along.
    assert "overflow-x: auto" in rule and rule.count("local") == 2 and rule.count("scroll") == 2
    assert pages.picture(b"", "a", width_px=320).startswith("<figure>")
    assert '<figure class="wide" style="--width: 640px">' in pages.picture(b"", "a", width_px=640)
    assert '<figure class="wider" style="--width: 920px">' in pages.picture(b"", "a", width_px=920)
    assert "min-width: calc(.8 * var(--width))" in html and "\u2190 \u2192" in html


def test_a_script_is_the_only_one_that_may_run() -> None:
    html = pages.page("t", "", "", style="b { color: red }", script="let a = 1 < 2;")
    assert "<script>let a = 1 < 2;</script>" in html and "b { color: red }" in html
    digest = base64.b64encode(hashlib.sha256(b"let a = 1 < 2;").digest()).decode()
    (first, *_) = [value for name, value in check(html).attributes if name == "content"]
    assert first is not None and f"script-src 'sha256-{digest}'" in first
    assert "default-src 'none'" in first
