"""The audit as files: ``audit.json`` for programs and ``audit.html`` to look at.

The page shows the pictures behind the numbers, the worst first, so that anyone can see whether
the audit is right.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from mien import pages
from mien.data.audit import AuditReport, NearPair
from mien.data.audit_findings import findings, to_json
from mien.files import atomic_folder
from mien.samples import Image, Samples

SHOWN = 24
"""Pictures or pairs shown of each kind, at most."""

_HEIGHT_PX = 96
_GAP_PX = 4
_PER_PICTURE = 4
_GRID_STYLE = (
    "display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); "
    "column-gap: 1.25rem; white-space: pre-line; overflow-wrap: anywhere"
)


def write_audit(folder: Path, report: AuditReport) -> None:
    """Write ``audit.json`` and ``audit.html`` into a folder, both or none.

    Raises:
        OutputError: the folder cannot be written or holds other files; it is as it was.
    """
    with atomic_folder(folder) as temporary:
        text = json.dumps(to_json(report), indent=1, ensure_ascii=False) + "\n"
        (temporary / "audit.json").write_text(text, "utf-8")
        (temporary / "audit.html").write_text(audit_page(report), "utf-8")


def audit_page(report: AuditReport) -> str:
    """The audit as one HTML file."""
    samples = report.samples
    cards = [(what, f"{count:,}", note) for what, count, note in findings(report)]
    parts = [pages.figures(cards), pages.section("Rows by class", _balance(samples))]
    damaged = [(samples.names[row], what) for row, what in report.damaged[:SHOWN]]
    if damaged:
        table = pages.table(("picture", "what is wrong"), damaged, numeric_from=2)
        parts.append(pages.section("Damaged pictures", table))
    for title, text, pictures in _galleries(report):
        if pictures:
            parts.append(pages.section(title, pages.paragraph(text) + _grid(pictures)))
    subtitle = f"{samples.source}: {len(samples):,} rows"
    return pages.page("Audit of labelled faces", subtitle, "".join(parts))


def _balance(samples: Samples) -> str:
    counts = samples.counts()
    header = ["class", *(heading for split in counts for heading in (split.value, "share"))]
    rows = [
        [
            label.display_name,
            *(
                cell
                for column in counts.values()
                for cell in (f"{column[index]:,}", f"{100 * column[index] / column.sum():.1f} %")
            ),
        ]
        for index, label in enumerate(samples.label_set)
    ]
    totals = [cell for column in counts.values() for cell in (f"{int(column.sum()):,}", "")]
    return pages.table(header, [*rows, ["All", *totals]])


def _galleries(
    report: AuditReport,
) -> Iterable[tuple[str, str, list[tuple[bytes, str]]]]:
    """Title, explanation and captioned pictures of each kind of finding."""
    samples = report.samples
    groups = sorted(report.conflicting, key=len, reverse=True)[:SHOWN]
    yield (
        "Duplicates with conflicting labels",
        "Each picture stands in several rows, pixel by pixel the same, under different classes. "
        "No network can be right about all of them.",
        [(_png([samples.images[int(g[0])]]), _caption(samples, g.tolist())) for g in groups],
    )
    yield (
        "Near duplicates across splits",
        "The same photograph in two versions, one to learn from and one to be tested on. The "
        "number is the correlation of their pixels.",
        [
            (
                _png([samples.images[pair.first], samples.images[pair.second]]),
                _caption(samples, (pair.first, pair.second))
                + f"\n{pair.correlation:.3f}{', mirrored' if pair.mirrored else ''}",
            )
            for pair in _without_repeats(report.near_across)
        ],
    )
    across = report.groups_across[:SHOWN]
    yield (
        "Pixel-identical rows across splits",
        "The same pixels in more than one split.",
        [(_png([samples.images[int(g[0])]]), _caption(samples, g.tolist())) for g in across],
    )
    singles = [
        ("Constant pictures", "Every pixel is the same.", report.constant),
        ("Tiny pictures", "Too small to show an expression.", report.tiny),
    ]
    if report.ferplus is not None:
        text = "Most of FER+'s annotators saw no face in these."
        singles.append(("Not a face, says FER+", text, report.ferplus.not_a_face))
    for title, text, rows in singles:
        yield (
            title,
            text,
            [
                (_png([samples.images[row]]), _caption(samples, [row]))
                for row in rows[:SHOWN].tolist()
            ],
        )


def _without_repeats(pairs: Iterable[NearPair]) -> list[NearPair]:
    """The first pairs, each row in one of them only: some rows have dozens of near duplicates."""
    kept: list[NearPair] = []
    used: set[int] = set()
    for pair in pairs:
        if len(kept) == SHOWN:
            break
        if not used & {pair.first, pair.second}:
            kept.append(pair)
            used |= {pair.first, pair.second}
    return kept


def _grid(pictures: Sequence[tuple[bytes, str]]) -> str:
    """Pictures of any shape side by side; the captions keep their line breaks."""
    cells = "".join(
        pages.picture(png, alt=caption.replace("\n", ", "), caption=caption)
        for png, caption in pictures
    )
    return f'<div style="{_GRID_STYLE}">\n{cells}</div>\n'


def _caption(samples: Samples, rows: Sequence[int]) -> str:
    lines = [
        f"{samples.label_set[samples.labels[row]].key} · {samples.splits[row]} "
        f"{samples.names[row].removeprefix(samples.splits[row] + '/')}"
        for row in rows[:_PER_PICTURE]
    ]
    if len(rows) > _PER_PICTURE:
        lines.append(f"and {len(rows) - _PER_PICTURE} more")
    return "\n".join(lines)


def _png(images: Sequence[Image]) -> bytes:
    """Pictures side by side, all of one height, as a PNG."""
    shown: list[Image] = []
    for image in images:
        rgb = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
        width = max(1, min(4 * _HEIGHT_PX, round(rgb.shape[1] * _HEIGHT_PX / rgb.shape[0])))
        tile = cv2.resize(rgb, (width, _HEIGHT_PX), interpolation=cv2.INTER_NEAREST)
        if shown:
            shown.append(np.full((_HEIGHT_PX, _GAP_PX, 3), 255, dtype=np.uint8))
        shown.append(np.asarray(tile, dtype=np.uint8))
    row = np.hstack(shown)
    return cv2.imencode(".png", cv2.cvtColor(row, cv2.COLOR_RGB2BGR))[1].tobytes()
