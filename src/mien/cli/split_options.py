"""Options that say which of the labelled faces a command looks at."""

from enum import StrEnum
from typing import Annotated

import typer


class SplitName(StrEnum):
    """The values of `mien.samples.Split`, which would load numpy with it."""

    VALIDATION = "validation"
    TEST = "test"
    TRAIN = "train"


RecipeSplitOption = Annotated[
    bool,
    typer.Option(
        "--recipe-split",
        help="Divide the faces as the model's training did, where its recipe carved the "
        "validation faces out of the training ones.",
    ),
]
"""``--recipe-split``."""
