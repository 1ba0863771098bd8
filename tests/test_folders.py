"""A folder in one call, beside what the commands show of it."""

from pathlib import Path

import numpy as np

import mien
from samples_factory import png


def test_a_detector_that_stands_in_is_told_and_no_problem(tmp_path: Path) -> None:
    (tmp_path / "grey.png").write_bytes(png(np.full((80, 80), 128, np.uint8)))
    told: list[str] = []
    found = mien.recognize_folder(tmp_path, offline=True, on_problem=told.append)
    assert len(found.pictures) == 1 and found.problems == ()
    assert len(told) == 1 and "Haar" in told[0]
