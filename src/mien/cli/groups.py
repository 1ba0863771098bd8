"""``mien groups``: what a network does with groups of faces that nobody has labelled."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.group_options import (
    ByOption,
    GroupDetectorOption,
    UncertainBelowOption,
    group_words,
)
from mien.cli.model_argument import (
    MODEL_HELP,
    ArchitectureOption,
    InputSizeOption,
    LabelsOption,
    ScalingOption,
    reading_of,
    words,
)
from mien.cli.recognition_options import DetectorName, OfflineOption


class FacesName(StrEnum):
    """The values of `mien.workflows.group_alarms.Faces`, which would load more with it."""

    CROPPED = "cropped"
    PHOTOS = "photos"


def groups(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    data: Annotated[
        str,
        typer.Option(
            metavar="SRC", help="A folder or zip of pictures, or fer2013.csv; labels are not used."
        ),
    ],
    groups: Annotated[
        Path,
        typer.Option(
            "--groups",
            metavar="FILE",
            help="A csv: picture or row in the first column, then any columns, such as age, sex.",
        ),
    ],
    by: ByOption = None,
    faces: Annotated[
        FacesName,
        typer.Option(
            help="cropped: every picture is a cut out face; photos: the largest face of each is "
            "found and cut out."
        ),
    ] = FacesName.CROPPED,
    sample: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Look at so many pictures, drawn at random."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for groups.html, .md, .json, .csv and figures."),
    ] = None,
    min_confidence: UncertainBelowOption = 0.5,
    detector: GroupDetectorOption = DetectorName.AUTO,
    offline: OfflineOption = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Compare what a model does with groups of faces that have no labels.

    Prints for each group how often each expression is answered, the mean confidence, how many
    faces are uncertain, not found, or answered otherwise in the mirror; and which of these
    differences chance does not explain. They are alarms, not errors: without labels nobody can
    tell. With labels: mien evaluate --groups.

    For example:

    mien groups default --data faces.zip --groups people.csv --by sex --by age,sex --out groups
    """
    from mien.cli.console import output, print_written, progress_bar
    from mien.cli.tables import boxed
    from mien.workflows.group_alarms import groups as compare
    from mien.workflows.grouping import GroupsWanted

    if faces is FacesName.PHOTOS and detector is DetectorName.WHOLE:
        raise typer.BadParameter("photos have to be searched for faces", param_hint="--detector")
    asked = groups, tuple(by or ()), min_confidence, detector, offline
    reading = labels, scaling, architecture, input_size
    command = ["mien", "groups", model, *words(*reading), "--data", data, *group_words(*asked)]
    command += ["--faces", faces.value]
    command += [] if sample is None else ["--sample", str(sample)]
    command += [] if out is None else ["--out", str(out)]
    with progress_bar("faces") as progress:
        result = compare(
            model,
            data,
            GroupsWanted(groups, asked[1], min_confidence, detector.value, offline),
            out=out,
            faces=faces.value,
            sample=sample,
            reading=reading_of(*reading),
            command=shlex.join(command),
            progress=progress,
        )
    output.print(result.title, markup=False)
    for table in result.tables:
        output.print(boxed(table))
    for line in result.lines:
        output.print(line, markup=False, soft_wrap=False)
    if out is not None:
        print_written(out / "groups.html")
