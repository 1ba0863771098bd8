"""Learning curves of histories of every age: with and without F1, phases and whole rows."""

import io

import numpy as np
import PIL.Image
import pytest

from mien.training.curves import curves_png, phase_starts


def history(epochs: int = 12, *, f1: bool = False, second_phase: int = 0) -> list[dict[str, float]]:
    rows = []
    for epoch in range(1, epochs + 1):
        row = {"epoch": float(epoch), "loss": 2 / epoch, "val_loss": 2.2 / epoch}
        row |= {"accuracy": 0.7 - 0.5 / epoch, "val_accuracy": 0.66 - 0.4 / epoch}
        if f1:
            row |= {"f1": 0.6 - 0.5 / epoch, "val_f1": 0.5 - 0.4 / epoch}
        if second_phase:
            row["phase"] = 1.0 if epoch < second_phase else 2.0
        rows.append(row)
    return rows


def drawn(rows: list[dict[str, float]], best_epoch: int = 1) -> PIL.Image.Image:
    picture = PIL.Image.open(io.BytesIO(curves_png(rows, best_epoch, "a run")))
    picture.load()
    assert picture.format == "PNG"
    return picture


def colored(picture: PIL.Image.Image) -> np.ndarray:
    """Columns of the picture that hold a curve's colour."""
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    return (pixels.max(axis=2) - pixels.min(axis=2) > 120).any(axis=0)


def test_f1_has_a_panel_where_there_is_one() -> None:
    two, three = drawn(history()), drawn(history(f1=True))
    assert two.width == 1800 and three.width == 2700 and two.height == three.height
    assert colored(three)[1900:].any()


def test_rows_without_numbers_leave_a_gap() -> None:
    rows = history(f1=True)
    for row in rows[4:8]:
        del row["val_f1"], row["f1"]
    whole, gapped = colored(drawn(history(f1=True))), colored(drawn(rows))
    assert gapped[:1800].sum() == whole[:1800].sum()
    assert gapped[1800:].sum() < 0.8 * whole[1800:].sum()


@pytest.mark.parametrize("epochs", [1, 2])
def test_short_histories_show_points(epochs: int) -> None:
    assert colored(drawn(history(epochs))).sum() > 10


def test_phases_are_marked() -> None:
    assert phase_starts(history()) == []
    assert phase_starts(history(second_phase=5)) == [(2.0, 5.0)]
    # A history that began before phases were written down.
    rows = history(6)[:3] + history(6, second_phase=5)[3:]
    assert phase_starts(rows) == [(2.0, 5.0)]
    plain, marked = drawn(history()), drawn(history(second_phase=5))
    assert plain.size == marked.size and plain.tobytes() != marked.tobytes()
