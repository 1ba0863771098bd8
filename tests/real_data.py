"""Where the tests find real faces, films and weights that are no part of the repository."""

import os
from pathlib import Path

VARIABLE = "MIEN_TEST_DATA"
"""Environment variable: a folder with ``data``, ``media`` and ``models``."""
DEFAULT = Path(__file__).resolve().parent.parent.parent / "shared"
"""The folder where the variable is not set: ``shared`` beside the repository."""


def folder() -> Path | None:
    """The folder, or None where there is none."""
    path = Path(os.environ.get(VARIABLE) or DEFAULT)
    return path if path.is_dir() else None


def reason() -> str:
    """Why a test is skipped without it."""
    tried = os.environ.get(VARIABLE) or "../shared"
    return f"no real data in {tried}; name their folder by the environment variable {VARIABLE}"
