"""A report's content, apart from its form: sections of blocks, rendered as HTML or Markdown.

The two files of a report say the same because they come from one list of sections. Texts are
plain; each form escapes them its own way.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mien import pages
from mien.reports.interval_plot import STYLE


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    """Plain text."""


@dataclass(frozen=True, slots=True)
class Code:
    """A command, shown as it is typed."""

    text: str
    """Plain text."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Headline numbers."""

    items: tuple[tuple[str, str, str], ...]
    """(what it is, the number, a note) each."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table."""

    header: tuple[str, ...]
    """Titles of the columns."""
    rows: tuple[tuple[str, ...], ...]
    """Cells."""
    numeric_from: int = 1
    """First column of numbers."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot that lies beside the report as a file, and inside the HTML."""

    file_name: str
    """Name of the PNG in the report's folder."""
    png: bytes
    """The PNG."""
    alt: str
    """What it shows."""
    width_px: int
    """Shown width."""
    html: str = ""
    """What a page has in its place, such as drawings that fit every window; the PNG where empty."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Small pictures of faces: in HTML a grid that fits every window; in Markdown one picture,
    a file beside the report, and the captions."""

    items: tuple[tuple[bytes, str], ...]
    """(a PNG, its caption, one fact a line) each."""
    file_name: str
    """Name of the PNG of all in the report's folder."""
    png: bytes
    """The PNG of all."""
    alt: str
    """What it shows."""


Block = Text | Code | Figures | Table | Plot | Faces


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its blocks."""

    title: str
    """Heading."""
    blocks: tuple[Block, ...]
    """What stands under it."""


def to_html(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The report as one HTML file that stands alone."""
    parts = [
        pages.section(section.title, "".join(_html(block) for block in section.blocks))
        for section in sections
    ]
    blocks = [block for section in sections for block in section.blocks]
    is_drawn = any(isinstance(block, Plot) and block.html for block in blocks)
    return pages.page(title, subtitle, "".join(parts), style=STYLE if is_drawn else "")


def to_markdown(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The report as Markdown with tables as GitHub reads them; plots are links to their files."""
    parts = [f"# {_escaped(title)}", _escaped(subtitle)]
    for section in sections:
        parts.append(f"## {_escaped(section.title)}")
        parts += [_markdown(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def _html(block: Block) -> str:
    match block:
        case Text():
            return pages.paragraph(block.text)
        case Code():
            return pages.code(block.text)
        case Figures():
            return pages.figures(block.items)
        case Table():
            return pages.table(block.header, block.rows, numeric_from=block.numeric_from)
        case Plot():
            return block.html or pages.picture(block.png, block.alt, width_px=block.width_px)
        case Faces():
            return pages.picture_grid(block.items)


def _markdown(block: Block) -> str:
    match block:
        case Text():
            return _escaped(block.text)
        case Code():
            return "\n".join(f"    {line}" for line in block.text.splitlines())
        case Figures():
            rows = tuple((name, value, note) for name, value, note in block.items)
            return _markdown_table(("", "value", "note"), rows, numeric_from=3)
        case Table():
            return _markdown_table(block.header, block.rows, block.numeric_from)
        case Plot():
            return f"![{_escaped(block.alt)}]({block.file_name})"
        case Faces():
            captions = "\n".join(f"- {_escaped(caption)}" for _, caption in block.items)
            return f"![{_escaped(block.alt)}]({block.file_name})\n\n{captions}"


def _markdown_table(
    header: tuple[str, ...], rows: tuple[tuple[str, ...], ...], numeric_from: int
) -> str:
    rules = ["---:" if i >= numeric_from else "---" for i in range(len(header))]
    lines = [[_escaped(cell) for cell in row] for row in (header, *rows)]
    lines.insert(1, rules)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    one_line = re.sub(r"\s*\n\s*", ", ", text)
    return re.sub(r"([\\`*_<>|\[\]#])", r"\\\1", one_line)
