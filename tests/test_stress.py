"""Damaged faces: every kind does what it says and grows, and its cost is measured."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from command_line import assert_fails_on_one_line, mien
from mien.evaluation.corruptions import CORRUPTIONS, LARGEST_PX, Corruption, bounded
from mien.evaluation.predictions import Predictions, predict
from mien.evaluation.stress import stress_test
from mien.labels import FER2013
from mien.reports.stress import stress_csv, stress_json, stress_lines, stress_table
from mien.samples import Image, Split
from onnx_factory import write_model
from report_factory import without_plots
from samples_factory import fer_csv, random_faces, samples_of

BY_NAME = {kind.name: kind for kind in CORRUPTIONS}
FACES = random_faces(40)


@pytest.mark.parametrize("kind", CORRUPTIONS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("shape", [(48, 48), (64, 50, 3)])
def test_every_kind_grows_with_its_strength(kind: Corruption, shape: tuple[int, ...]) -> None:
    assert len(kind.strengths) == 5
    face = np.resize(FACES[0], shape[:2])
    face = face if len(shape) == 2 else np.stack([face, face // 2, 255 - face], axis=-1)
    before = face.copy()
    harm = []
    for strength in kind.strengths:
        changed = kind.apply(face, strength, row=3)
        assert changed.dtype == np.uint8 and changed.shape == face.shape
        np.testing.assert_array_equal(changed, kind.apply(face, strength, row=3))
        harm.append(float(np.abs(changed.astype(float) - face).mean()))
    np.testing.assert_array_equal(face, before)
    assert harm[0] > 0.2
    # Shifts of stripes may come round again, so only the ends are compared.
    assert harm[-1] > harm[0]


def test_chance_is_of_the_face_and_the_same_in_all_strengths() -> None:
    noise = BY_NAME["noise"]
    grey = np.full((48, 48), 128, np.uint8)
    mild, strong, other = (
        noise.apply(grey, strength, row).astype(float) - 128
        for strength, row in ((6, 1), (12, 1), (6, 2))
    )
    assert np.corrcoef(mild.ravel(), strong.ravel())[0, 1] > 0.99
    assert abs(np.corrcoef(mild.ravel(), other.ravel())[0, 1]) < 0.1
    assert mild.std() == pytest.approx(6, rel=0.1)
    signs = {np.sign(BY_NAME["brightness"].apply(grey, 50, row).mean() - 128) for row in range(20)}
    assert signs == {-1, 1}


def test_bands_cover_eyes_and_mouth() -> None:
    face = FACES[0]
    for name, middle in (("eyes covered", 18), ("mouth covered", 37)):
        covered = BY_NAME[name].apply(face, 26, 0)
        rows = np.flatnonzero((covered != face).any(axis=1))
        assert rows.min() <= middle <= rows.max() and 11 <= len(rows) <= 13
        assert len(np.unique(covered[rows.min() : rows.max() + 1])) == 1


def test_small_faces_have_no_detail_left_and_large_ones_are_reduced() -> None:
    changed = BY_NAME["face size"].apply(FACES[0], 10, 0).astype(float)
    assert np.abs(np.diff(changed, axis=1)).mean() < np.abs(np.diff(FACES[0], axis=1)).mean()
    assert bounded(np.zeros((300, 400, 3), np.uint8)).shape == (144, LARGEST_PX, 3)


def bright_or_dark(faces: Iterable[Image]) -> NDArray[np.float64]:
    """Says the first class of dark faces and the second of bright ones."""
    bright = np.array([float(face.mean()) > 127.5 for face in faces])
    answers = np.full((len(bright), 7), 0.02)
    answers[np.arange(len(bright)), bright.astype(int)] = 0.88
    return answers


def test_numbers_are_those_of_a_network_that_is_known() -> None:
    """It sees brightness alone, so only what changes that costs it anything."""
    images = np.concatenate([np.full((30, 48, 48), 100), np.full((30, 48, 48), 155)])
    samples = samples_of(images.astype(np.uint8), [0] * 30 + [1] * 30, ["validation"] * 60)
    predictions = predict(bright_or_dark, samples, Split.VALIDATION)
    found = stress_test(bright_or_dark, predictions, samples.images, FER2013)
    assert found.clean.accuracy == 1.0
    by_name = {curve.name: curve for curve in found.curves}
    assert [curve.name for curve in found.curves] == [kind.name for kind in CORRUPTIONS]
    for name in ("blur", "roll", "box shift", "box scale", "face size", "contrast"):
        assert by_name[name].cost == 0.0, name
    bright = by_name["brightness"]
    # 25 levels change no answer, 50 and more do for one of the two signs.
    accuracies = [point.accuracy for point in bright.points]
    assert accuracies[0] == 1.0 and max(accuracies[1:]) < 0.8
    assert bright.accuracy == pytest.approx(np.mean(accuracies))
    assert bright.cost == pytest.approx(1 - bright.accuracy)
    assert bright.cost_ci95[0] < bright.cost < bright.cost_ci95[1]
    assert bright.points[1].recalls[2] is None
    # 255 and 100 levels, or 155 and 0: brighter faces of the first class and darker ones of the
    # second are taken for the other.
    brighter, darker = bright.halves
    assert (brighter.name, darker.name) == ("brighter", "darker")
    assert brighter.n + darker.n == 60 and min(brighter.n, darker.n) > 15
    pooled = (brighter.n * brighter.cost + darker.n * darker.cost) / 60
    assert pooled == pytest.approx(bright.cost)
    kind = BY_NAME["brightness"]
    first = [row for row in range(60) if kind.half(row) == 0]
    assert brighter.n == len(first)
    harmed = [row for row in first if row < 30]
    # From 50 levels on, four of five strengths.
    assert brighter.cost == pytest.approx(0.8 * len(harmed) / len(first))
    assert by_name["blur"].halves == () and len(by_name["box scale"].halves) == 2
    assert found.clean_ci95 == pytest.approx((1.0, 1.0))
    (_, costs) = stress_lines(found)
    assert f"brightness: brighter {100 * brighter.cost:.1f} (" in costs
    table = stress_table(found)
    assert table.rows[0][0] in ("brightness", "gamma")
    values = json.loads(json.dumps(stress_json(found)))
    assert values["kinds"]["brightness"]["accuracy"] == bright.accuracy
    assert values["kinds"]["brightness"]["halves"][1]["name"] == "darker"
    rows = list(csv.DictReader(io.StringIO(stress_csv(found))))
    assert len(rows) == 61 and rows[0]["damage"] == "none"


def test_a_class_of_few_faces_is_not_the_one_that_loses_most() -> None:
    """Three bright faces lose all in the dark, thirty others a part."""
    images = np.concatenate([np.full((30, 48, 48), 90), np.full((3, 48, 48), 130)])
    samples = samples_of(images.astype(np.uint8), [0] * 30 + [1] * 3, ["validation"] * 33)
    predictions = predict(bright_or_dark, samples, Split.VALIDATION)
    found = stress_test(bright_or_dark, predictions, samples.images, FER2013)
    assert {curve.worst_class for curve in found.curves if curve.cost > 0} == {FER2013.keys[0]}


def test_classes_are_matched_by_name() -> None:
    labels = FER2013.keys[::-1]
    samples = samples_of(FACES, [0, 1] * 20, ["validation"] * 40)

    def reversed_answers(faces: Iterable[Image]) -> NDArray[np.float64]:
        return bright_or_dark(faces)[:, ::-1]

    from mien.labels import label_set_of

    other = label_set_of(labels)
    predictions = predict(bright_or_dark, samples, Split.VALIDATION)
    one = stress_test(bright_or_dark, predictions, samples.images, FER2013)
    two = stress_test(reversed_answers, predictions, samples.images, other)
    assert [curve.accuracy for curve in one.curves] == [curve.accuracy for curve in two.curves]


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(fer_csv(FACES, [n % 7 for n in range(40)], ["PublicTest"] * 40))
    return path


def test_the_command_writes_a_report(csv_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_model(tmp_path / "tiny.onnx")
    done = mien("stress", "tiny.onnx", "--data", csv_file, "--out", "s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mouth covered" in done.stdout and "cost, points" in done.stdout
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "stress.csv",
        "stress.html",
        "stress.json",
        "stress.md",
        "stress.png",
        "stress_faces.png",
    ]
    values = json.loads((tmp_path / "s" / "stress.json").read_text())
    assert values["n"] == 40 and len(values["kinds"]) == 12
    assert values["command"].startswith("mien stress tiny.onnx --data")


def test_an_evaluation_with_stress_and_groups(
    csv_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    without_plots(monkeypatch)
    write_model(tmp_path / "tiny.onnx")
    (tmp_path / "g.csv").write_text(
        "row,site\n" + "".join(f"{row},{'A' if row < 37 else 'B'}\n" for row in range(2, 42))
    )
    base = ("evaluate", "tiny.onnx", "--data", csv_file, "--out", "r")
    asked = ("--stress", "--groups", "g.csv", "--detector", "whole")
    done = mien(*base, *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "too small" in done.stdout and "box shift" in done.stdout
    values = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert values["stress"]["n"] == 40
    groups = values["groups"]["by"][0]["groups"]
    assert [(group["group"], group["n"], group["too_small"]) for group in groups] == [
        ("A", 35, False),
        ("B", 5, True),
    ]
    assert "By site" in (tmp_path / "r" / "report.md").read_text()
    # A later report without them replaces the folder as a whole.
    assert mien(*base, cwd=tmp_path).returncode == 0
    assert not (tmp_path / "r" / "groups.csv").exists()


def test_sample_and_errors(csv_file: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    done = mien("stress", "tiny.onnx", "--data", csv_file, "--sample", "10", cwd=tmp_path)
    assert done.returncode == 0 and "10 of 40 faces" in done.stdout
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.txt").write_text("x")
    words = ("stress", "tiny.onnx", "--data", csv_file, "--out", "other")
    assert_fails_on_one_line(mien(*words, cwd=tmp_path), "other files")
    words = ("stress", "tiny.onnx", "--data", csv_file, "--split", "test")
    assert_fails_on_one_line(mien(*words, cwd=tmp_path), "no split test")


def test_predictions_are_not_looked_at_but_for_their_labels() -> None:
    samples = samples_of(FACES[:7], list(range(7)), ["validation"] * 7)
    wrong = np.full((7, 7), 1 / 7)
    table = Predictions(
        tuple(samples.names), samples.labels, wrong, FER2013, "validation", "made up"
    )
    found = stress_test(bright_or_dark, table, samples.images, FER2013, kinds=CORRUPTIONS[:1])
    assert found.clean.confidence == pytest.approx(0.88)
