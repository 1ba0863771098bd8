"""HTML pages that stand alone: one file without scripts, fonts or pictures from elsewhere.

Every function returns a fragment of HTML. Arguments called ``body`` are such fragments and go in
as they are; all others are plain text and are escaped here, so callers never escape. Colours
follow the reader's light or dark setting, and print as light. A template engine was left out:
reports need six kinds of element.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from html import escape

THEME = """
:root { color-scheme: light dark; --ink: #1b1d21; --soft: #5d6470; --line: #dfe2e7;
  --paper: #ffffff; --panel: #f6f7f9; --accent: #0b62a8; --shade: rgb(0 0 0 / .28); }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --soft: #a2a9b5; --line: #363b44;
  --paper: #15171b; --panel: #1e2127; --accent: #79b8ef; --shade: rgb(255 255 255 / .3); } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #ccc;
  --paper: #fff; --panel: #fff; --accent: #000; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
""".lstrip()
"""Colours and type of everything that mien shows in a browser."""

_LAYOUT = """
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -.02em; margin: 0; }
h1, h2, h3 { overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; letter-spacing: -.01em; margin: 2.5rem 0 .75rem; padding-bottom: .3rem;
  border-bottom: 1px solid var(--line); break-after: avoid; }
p { margin: .6rem 0; max-width: 44rem; overflow-wrap: anywhere; }
.subtitle, figcaption, dt { color: var(--soft); }
.subtitle { margin: .4rem 0 0; overflow-wrap: anywhere; }
/* A shadow stands at the end beyond which there is more; what scrolls along covers it. */
.scroll { overflow-x: auto; margin: .9rem 0; background:
  linear-gradient(to right, var(--paper) 40%, transparent) 0 0 / 2.5rem 100% no-repeat local,
  linear-gradient(to left, var(--paper) 40%, transparent) 100% 0 / 2.5rem 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) 0 0 / .9rem 100% no-repeat scroll,
  linear-gradient(to left, var(--shade), transparent) 100% 0 / .9rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
/* Names break between words only; long values such as hashes anywhere, dates nowhere. */
td + td { overflow-wrap: anywhere; }
.whole { white-space: nowrap; }
@media (min-width: 60rem) { .hash { white-space: nowrap; } }
th { font-weight: 600; }
th.number, td.number { text-align: right; padding: .35rem 0 .35rem .9rem; }
td.number { white-space: nowrap; }
@media (max-width: 36rem) { table { font-size: .8rem; } main { padding: 1.5rem .9rem 3rem; } }
tr { break-inside: avoid; }
@media print { .scroll { overflow: visible; background: none; } table { font-size: .75rem; } }
dl.figures { display: grid; gap: .75rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); }
dl.figures > div { background: var(--panel); border: 1px solid var(--line); border-radius: .6rem;
  padding: .8rem 1rem; break-inside: avoid; }
dl.figures dt { font-size: .85rem; }
dl.figures dd { margin: 0; }
dl.figures .value { font-size: 1.6rem; font-weight: 650; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; }
dl.figures .note { color: var(--soft); font-size: .8rem; text-wrap: balance; }
figure { margin: 1rem 0; break-inside: avoid; }
figure img { max-width: 100%; height: auto; border-radius: .4rem; background: #fff; }
/* Made smaller still, text in a wide figure could not be read: it scrolls, and arrows say so. */
figure.wide, figure.wider { overflow-x: auto; }
figure.wide img, figure.wider img { min-width: calc(.8 * var(--width)); }
figure.wide::before, figure.wider::before { content: "\u2190 \u2192"; position: sticky; left: 0;
  display: none; width: fit-content; color: var(--soft); font-size: .85rem; }
@media (max-width: 34rem) { figure.wide::before { display: block; } }
@media (max-width: 50rem) { figure.wider::before { display: block; } }
@media print { figure.wide img, figure.wider img { min-width: 0; }
  figure.wide::before, figure.wider::before { display: none; } }
figcaption { font-size: .85rem; margin-top: .3rem; }
.grid { display: grid; gap: .9rem; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); }
.grid figure { margin: 0; }
.grid img { width: 100%; aspect-ratio: 1; object-fit: contain; }
.grid figcaption { line-height: 1.35; overflow-wrap: anywhere; white-space: pre-line; }
code, pre { font: .88em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem;
  padding: .7rem .9rem; white-space: pre-wrap; overflow-wrap: anywhere; }
""".strip()
_STYLE = THEME + _LAYOUT

_NARROW_PX, _WIDE_PX = 400, 640
"""Pictures up to the first width are made smaller on narrow pages, wider ones scroll. Those up to
the second one do so on pages of telephones alone."""


_WHOLE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\([\d.,]+ to [\d.,]+\)")
_HASH = re.compile(r"\b[0-9a-f]{64}\b")


def _attribute(text: str) -> str:
    """Plain text as an attribute's value."""
    return escape(text).replace(" %", "\u00a0%")


def _text(text: str) -> str:
    """Plain text as HTML, in which no line ends between a number and its percent sign, nor within
    a date, an interval, or on wide pages a SHA-256."""
    marked = _WHOLE.sub(r'<span class="whole">\g<0></span>', _attribute(text))
    return _HASH.sub(r'<span class="hash">\g<0></span>', marked)


def page(
    title: str,
    subtitle: str,
    body: str,
    *,
    style: str = "",
    script: str = "",
    language: str = "en",
    direction: str = "ltr",
) -> str:
    """A complete HTML document.

    Args:
        title: heading of the page, and of the browser's tab.
        subtitle: one line under the heading; empty for none.
        body: HTML fragments, e.g. joined results of `section`.
        style: CSS of this page, after that of all pages.
        script: JavaScript at the end of the page, which has to do without it too. Browsers are
            told to run no other.
        language: of the texts, a tag of BCP 47 such as ``de``.
        direction: of its writing, ``ltr`` or ``rtl``.
    """
    below = f'<p class="subtitle">{_text(subtitle)}</p>\n' if subtitle else ""
    allowed = f"{_policy(script)}\n" if script else ""
    last = f"<script>{script}</script>\n" if script else ""
    turned = "" if direction == "ltr" else f' dir="{_attribute(direction)}"'
    return (
        f'<!doctype html>\n<html lang="{_attribute(language)}"{turned}>\n<head>\n'
        '<meta charset="utf-8">\n'
        f'{allowed}<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_attribute(title)}</title>\n<style>\n{_STYLE}\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n<header>\n<h1>{_text(title)}</h1>\n{below}</header>\n"
        f"{body}\n</main>\n{last}</body>\n</html>\n"
    )


def _policy(script: str) -> str:
    """Nothing may be loaded, and only this script may run, whatever the texts contain."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    rules = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<meta http-equiv="Content-Security-Policy" '
        f"content=\"{rules}; script-src 'sha256-{digest}'\">"
    )


def section(title: str, body: str) -> str:
    """A heading and what stands under it."""
    return f"<section>\n<h2>{_text(title)}</h2>\n{body}\n</section>\n"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{_text(text)}</p>\n"


def code(text: str) -> str:
    """A command or listing, in a fixed-width font, with its line breaks."""
    return f"<pre>{escape(text)}</pre>\n"


def figures(items: Iterable[tuple[str, str, str]]) -> str:
    """Headline numbers as cards.

    Args:
        items: (what it is, the number, a note such as its interval; empty for none) each.
    """
    cards = "".join(
        f'<div><dt>{_text(name)}</dt><dd class="value">{_text(value)}</dd>'
        + (f'<dd class="note">{_text(note)}</dd>' if note else "")
        + "</div>\n"
        for name, value, note in items
    )
    return f'<dl class="figures">\n{cards}</dl>\n'


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, numeric_from: int = 1) -> str:
    """A table of plain text.

    Args:
        header: the columns' titles; empty for a table without a head.
        rows: the cells, row by row.
        numeric_from: columns from this one on are set flush right, as numbers; a number beyond
            the last column for none.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        opened = (f'{tag} class="number"' if i >= numeric_from else tag for i in range(len(cells)))
        return (
            "<tr>"
            + "".join(
                f"<{start}>{_text(cell)}</{tag}>" for start, cell in zip(opened, cells, strict=True)
            )
            + "</tr>\n"
        )

    head = f"<thead>\n{line(header, 'th')}</thead>\n" if header else ""
    body = "".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table>\n{head}<tbody>\n{body}</tbody>\n</table></div>\n'


def picture(png: bytes, alt: str, *, width_px: int | None = None, caption: str = "") -> str:
    """A PNG, stored in the page itself.

    Args:
        png: the file's bytes.
        alt: what the picture shows, for those who cannot see it.
        width_px: shown width in CSS pixels; its own where None. Never wider than the page, but on
            a narrow one a wide picture scrolls, lest its text become too small.
        caption: text under the picture; empty for none.
    """
    encoded = base64.b64encode(png).decode("ascii")
    width = "" if width_px is None else f' width="{width_px}"'
    opened = "figure"
    if width_px is not None and width_px > _NARROW_PX:
        name = "wide" if width_px <= _WIDE_PX else "wider"
        opened = f'figure class="{name}" style="--width: {width_px}px"'
    below = f"<figcaption>{_text(caption)}</figcaption>" if caption else ""
    return (
        f'<{opened}><img src="data:image/png;base64,{encoded}" alt="{_attribute(alt)}"{width}>'
        f"{below}</figure>\n"
    )


def picture_grid(pictures: Iterable[tuple[bytes, str]]) -> str:
    """Small pictures side by side, as many in a line as fit.

    Args:
        pictures: (a PNG's bytes, its caption) each; the caption keeps its line breaks and
            serves as the picture's description.
    """
    cells = "".join(
        picture(png, alt=caption.replace("\n", ", "), caption=caption) for png, caption in pictures
    )
    return f'<div class="grid">\n{cells}</div>\n'
