"""Options of the commands that recognise: which detector, and how videos are smoothed."""

from enum import StrEnum
from typing import Annotated

import typer


class DetectorName(StrEnum):
    """Detectors by name, as `mien.recognition.detectors.DETECTOR_NAMES`."""

    AUTO = "auto"
    YUNET = "yunet"
    HAAR = "haar"
    WHOLE = "whole"


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

HalfLifeOption = Annotated[
    float | None,
    typer.Option(
        "--half-life",
        min=0.0,
        metavar="S",
        help="Smoothing of videos: after so many seconds a frame counts half; 0: none. "
        "[default: 0.08]",
    ),
]
"""``--half-life``."""
