"""What several tests of evaluations share."""

import pytest

PLOTS = (
    "confusion_matrix_png",
    "confusion_counts_png",
    "reliability_png",
    "per_class_png",
    "coverage_png",
    "face_grid_png",
)
"""What reports draw with."""


def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make reports quick: every plot is empty."""
    for name in PLOTS:
        for module in ("content", "confidence_section"):
            monkeypatch.setattr(
                f"mien.reports.{module}.{name}", lambda *_: b"a plot", raising=False
            )
