"""Options of the commands that divide faces into groups."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.recognition_options import DetectorName, probability

if TYPE_CHECKING:
    from mien.workflows.grouping import GroupsWanted

GroupsOption = Annotated[
    Path | None,
    typer.Option(
        "--groups",
        metavar="FILE",
        help="A csv: picture or row (row 17) in the first column, then any columns, such as age, "
        "sex, skin tone, camera, site.",
    ),
]
"""``--groups``."""

ByOption = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="A[,B]",
        help="Column of --groups, or columns for their intersection; may be repeated. "
        "[default: every column]",
    ),
]
"""``--by``."""

UncertainBelowOption = Annotated[
    float,
    typer.Option(
        "--min-confidence",
        min=0.0,
        max=1.0,
        callback=probability,
        metavar="P",
        help="In groups, faces below this confidence count as uncertain.",
    ),
]
"""``--min-confidence`` of groups."""

GroupDetectorOption = Annotated[
    DetectorName,
    typer.Option(
        "--detector",
        help="In groups, what looks for the face in every picture, to count those not found: auto: "
        "YuNet, or Haar where YuNet's file cannot be had; whole: nothing does.",
    ),
]
"""``--detector`` of groups."""


def groups_wanted(
    groups: Path | None,
    by: tuple[str, ...],
    min_confidence: float,
    detector: DetectorName,
    offline: bool,
) -> "GroupsWanted | None":
    """The options as one; None without ``--groups``."""
    from mien.workflows.grouping import GroupsWanted

    if groups is None:
        if by:
            raise typer.BadParameter(
                "needs --groups FILE, whose columns it names", param_hint="--by"
            )
        return None
    return GroupsWanted(groups, by, min_confidence, detector.value, offline)


def group_words(
    groups: Path | None,
    by: tuple[str, ...],
    min_confidence: float,
    detector: DetectorName,
    offline: bool,
) -> list[str]:
    """The options as they were given, for a command that is written down; none without groups."""
    if groups is None:
        return []
    given = ["--groups", str(groups), *(word for part in by for word in ("--by", part))]
    given += ["--min-confidence", f"{min_confidence:g}", "--detector", detector.value]
    return [*given, *(["--offline"] if offline else [])]
