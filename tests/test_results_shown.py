"""How measurements and data show themselves, in a console and in a notebook."""

from pathlib import Path

import pytest

import mien
from mien.data import read_samples
from mien.labels import FER2013
from mien.recognition.classifier import Classifier
from mien.recognition.detectors.haar import Haar
from mien.reports.findings import picture_rows
from mien.results import FrameResult
from mien.workflows.calibrating import calibrate
from mien.workflows.comparing import compare
from mien.workflows.evaluating import evaluate
from onnx_factory import make_card, make_graph, with_card
from samples_factory import fer_csv, random_faces


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models and 280 faces to validate on."""
    folder = tmp_path_factory.mktemp("shown")
    for seed, name in enumerate(("first", "second")):
        graph = make_graph(seed=seed, gain=3.0)
        (folder / f"{name}.onnx").write_bytes(with_card(graph, make_card(graph, name=name)))
    faces = random_faces(280)
    said = Classifier(folder / "first.onnx").probabilities(faces).argmax(axis=1)
    # The first one is right about more than chance, so that it has a temperature.
    labels = [int(said[row]) if row % 3 else row % 7 for row in range(280)]
    (folder / "faces.csv").write_bytes(fer_csv(faces, labels, ["PublicTest"] * 280))
    return folder


def test_a_measurement_shows_its_accuracy_and_every_class(place: Path) -> None:
    result = evaluate(place / "first.onnx", place / "faces.csv")
    accuracy = f"accuracy {100 * result.evaluation.accuracy:.1f} %"
    assert repr(result).startswith("EvaluationResult(") and accuracy in repr(result)
    page = result._repr_html_()
    assert all(label.display_name in page or label.key in page for label in FER2013)
    assert page.count("<table") == page.count("</table>") == 2


def test_a_comparison_shows_both_models(place: Path) -> None:
    result = compare([place / "first.onnx", place / "second.onnx"], place / "faces.csv")
    assert repr(result).startswith("ComparisonResult(") and "\n" not in repr(result)
    for text in (repr(result), result._repr_html_()):
        assert "first" in text and "second" in text


def test_a_calibration_shows_the_temperature(place: Path, tmp_path: Path) -> None:
    result = calibrate(place / "first.onnx", place / "faces.csv", tmp_path / "o.onnx")
    assert repr(result).startswith("CalibrationResult(")
    assert f"temperature {result.fit.temperature:.4g}" in repr(result)
    assert "o.onnx" in repr(result)


def test_samples_show_what_they_are_but_no_rows(place: Path) -> None:
    text = repr(read_samples(place / "faces.csv"))
    assert "280 faces" in text and "validation 280" in text and "surprise" in text
    assert len(text) < 300


def test_haar_keeps_its_settings_at_another_search_size() -> None:
    searching = Haar(minimum_side_px=30, search_side_px=500).searching(250)
    assert searching.search_side_px == 250
    assert searching.minimum_face_px(1000, 700) == 4 * 30


def test_a_video_in_a_window_from_python(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pygame", reason="needs pygame-ce, of the extra live")
    from mien.live.session import show_live
    from video_factory import make_clip

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    told: list[str] = []
    pace = show_live(
        str(make_clip(tmp_path / "a.mp4", 10)),
        model=place / "first.onnx",
        detector="whole",
        table=tmp_path / "t.jsonl",
        record=tmp_path / "r.mp4",
        on_line=told.append,
    )
    assert len((tmp_path / "t.jsonl").read_text().splitlines()) >= 1
    assert (tmp_path / "r.mp4").is_file() and any("r.mp4" in line for line in told)
    assert pace is not None
    with pytest.raises(mien.MienError, match="no such file"):
        show_live(str(tmp_path / "none.mp4"), model=place / "first.onnx", detector="whole")


def test_names_of_pictures_stay_on_their_line() -> None:
    rows = picture_rows([FrameResult(9, 9, "haar", source="a\nb\x1b[31m\udcff \u00e4.jpg")])
    assert rows[0][0] == "a\\nb\\x1b[31m\\udcff \u00e4.jpg"
