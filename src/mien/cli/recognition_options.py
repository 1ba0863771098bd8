"""Options of the commands that recognise: the detector, the smoothing, what is said when unsure."""

import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from mien.workflows.files import WantedFiles


class DetectorName(StrEnum):
    """Detectors by name, as `mien.recognition.detectors.DETECTOR_NAMES`."""

    AUTO = "auto"
    YUNET = "yunet"
    HAAR = "haar"
    WHOLE = "whole"


class Tta(StrEnum):
    """The values of `mien.results.Tta`, which would load more with it."""

    NONE = "none"
    FLIP = "flip"


class RotateName(StrEnum):
    """The values of `mien.recognition.turning.Rotate`, which would load more with it."""

    AUTO = "auto"
    NONE = "0"
    RIGHT = "90"
    OVER = "180"
    LEFT = "270"

    @property
    def degrees(self) -> 'Literal["auto", 0, 90, 180, 270]':
        """The value."""
        return "auto" if self is RotateName.AUTO else _DEGREES[self]


_DEGREES: "dict[RotateName, Literal[0, 90, 180, 270]]" = {
    RotateName.NONE: 0,
    RotateName.RIGHT: 90,
    RotateName.OVER: 180,
    RotateName.LEFT: 270,
}


class ProviderName(StrEnum):
    """The values of `mien.model.sessions.ExecutionProvider`, which would load more."""

    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    MIGRAPHX = "migraphx"
    DIRECTML = "directml"
    COREML = "coreml"
    OPENVINO = "openvino"
    QNN = "qnn"


ProviderOption = Annotated[
    ProviderName,
    typer.Option(
        "--execution-provider",
        help="What computes the networks of detector and model, as ONNX Runtime calls it; all but "
        "cpu need another build of ONNX Runtime.",
    ),
]
"""``--execution-provider``."""

RotateOption = Annotated[
    RotateName,
    typer.Option(
        "--rotate",
        help="Turn pictures and frames clockwise by so many degrees to search for faces; auto: "
        "photos in which no upright face is found are turned to where some are.",
    ),
]
"""``--rotate``."""

DetectorOption = Annotated[
    DetectorName,
    typer.Option(
        "--detector",
        help="auto: YuNet, or Haar where YuNet's file cannot be had; "
        "whole: every picture is one face.",
    ),
]
"""``--detector``."""

OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Never fetch model files from the network.")
]
"""``--offline``."""


def number(value: float | None) -> float | None:
    """A number as it was given, but not nan, which is in every range."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("it takes a number")
    return value


HalfLifeOption = Annotated[
    float | None,
    typer.Option(
        "--half-life",
        min=0.0,
        max=60.0,  # as the service takes
        callback=number,
        metavar="S",
        help="Half-life in seconds of the smoothing of videos; 0: none. [default: 0.08]",
    ),
]
"""``--half-life``."""

TtaOption = Annotated[
    Tta,
    typer.Option(
        "--tta",
        help="'flip' averages each face with its mirror image; the network takes twice as long.",
    ),
]
"""``--tta``."""


def probability(value: float) -> float:
    """A probability as it was given, but not nan, which is in every range."""
    if math.isnan(value):
        raise typer.BadParameter("nan is no probability")
    return value


MinConfidenceOption = Annotated[
    float,
    typer.Option(
        "--min-confidence",
        min=0.0,
        max=1.0,
        callback=probability,
        metavar="P",
        help="Call a face uncertain where no expression is as probable as this, 0 to 1. Choose it "
        "with the coverage curve in the report of `mien evaluate`. [default: 0, never]",
        show_default=False,
    ),
]
"""``--min-confidence``."""


def wanted_files(
    tables: Sequence[Path] | None,
    segments: Sequence[Path] | None,
    timelines: Sequence[Path] | None,
) -> "WantedFiles":
    """``--table``, ``--segments`` and ``--timeline`` as one."""
    from mien.workflows.files import WantedFiles

    return WantedFiles(tuple(tables or ()), tuple(segments or ()), tuple(timelines or ()))
