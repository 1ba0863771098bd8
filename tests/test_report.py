"""The report folder: complete, the same twice, honest about what it cannot know, or not there."""

import csv
import errno
import io
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from mien.errors import OutputError
from mien.evaluation.confidence import coverage_curve
from mien.evaluation.metrics import Evaluation, evaluate
from mien.evaluation.predictions import Predictions
from mien.labels import FER2013, FERPLUS
from mien.model.card import ModelCard
from mien.paths import check_folder
from mien.reports import confusion_plots, plots
from mien.reports.cautions import Provenance, cautions
from mien.reports.classification_report import classification_report
from mien.reports.content import (
    error_gallery,
    report_sections,
    sample_gallery,
)
from mien.reports.document import Faces, Section, Table, Text, to_html, to_markdown
from mien.reports.face_grid import ClassifiedFace, classified_faces, face_grid_png, square_tile
from mien.reports.parts import ReportPart
from mien.reports.report import (
    ALL_FILES,
    REPORT_FILES,
    predictions_csv,
    write_report,
)
from mien.reports.wording import percent, percent_interval
from report_factory import without_plots
from test_model_card import CALIBRATION

DATA, MODEL = "d" * 64, "e" * 64
COMMAND = "mien evaluate default --data fer2013.csv --split test --out report"


NO_FACES = Faces((), "none.png", b"", "")


def make_predictions(n: int = 120, split: str = "test", seen: bool = True) -> Predictions:
    generator = np.random.default_rng(0)
    labels = np.arange(n) % 7
    raw = np.exp(generator.normal(size=(n, 7)) + 2 * np.eye(7)[labels])
    return Predictions(
        names=tuple(f"row {i + 2}" for i in range(n)),
        labels=labels,
        probabilities=raw / raw.sum(axis=1, keepdims=True),
        label_set=FER2013,
        split=split,
        source="faces <1>.csv",
        seen_duplicate=generator.random(n) < 0.1 if seen else None,
    )


def make_card(**changes: object) -> ModelCard:
    card = ModelCard(
        name="tiny",
        architecture="plain",
        labels=FER2013.keys,
        input_shape=(48, 48, 1),
        framing="fer2013",
        recipe={"epochs": 40, "optimizer": {"name": "adam"}},
        data={"train": {"n": 100, "sha256": "a" * 64}, "validation": {"n": 9, "sha256": "b" * 64}},
        chosen={"epoch": 37, "metric": "val_accuracy", "split": "validation", "value": 0.69},
        licence="MIT",
    )
    return replace(card, **changes)  # type: ignore[arg-type]


def write(
    out: Path,
    predictions: Predictions | None = None,
    *,
    data_sha256: str = DATA,
    errors: int = 3,
    note: str = "",
    card: ModelCard | None = None,
    parts: Sequence[ReportPart] = (),
) -> list[str]:
    predictions = predictions or make_predictions()
    face = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48).astype(np.uint8)
    return write_report(
        out,
        evaluate(predictions, n_resamples=50),
        predictions,
        card=card or make_card(),
        model_sha256=MODEL,
        data_sha256=data_sha256,
        command=COMMAND,
        parameters=853_671,
        sampled=[(row, face) for row in predictions.sample_rows(4)],
        worst_errors=[(row, face) for row in predictions.confident_errors(errors)],
        note=note,
        parts=parts,
    )


def metrics_of(out: Path) -> dict[str, object]:
    values = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


@pytest.fixture
def quick_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty plots, for tests that look at everything else of a report."""
    without_plots(monkeypatch)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "deep" / "report"
    write(out)
    return out


def test_folder_holds_exactly_the_report(report: Path) -> None:
    assert sorted(path.name for path in report.iterdir()) == sorted(REPORT_FILES)
    assert list(report.parent.iterdir()) == [report]
    assert report.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_metrics_json_holds_every_number(report: Path) -> None:
    predictions = make_predictions()
    expected = evaluate(predictions, n_resamples=50)
    values = metrics_of(report)
    assert values["split"] == "test" and values["n"] == 120
    assert values["accuracy"] == expected.accuracy
    assert values["accuracy_ci95"] == list(expected.accuracy_ci95)
    assert values["accuracy_unseen"] == expected.accuracy_unseen
    assert values["accuracy_unseen_ci95"] == list(expected.accuracy_unseen_ci95 or ())
    assert values["n_seen_duplicates"] == expected.n_seen_duplicates != 0
    assert values["ece_cross_fitted"] is None  # of 120 faces
    assert (values["temperature"], values["calibration"]) == (1.0, None)
    assert values["min_confidence"] == [asdict(row) for row in expected.answered]
    coverage = values["coverage"]
    assert isinstance(coverage, list) and coverage[-1]["gain"] == 0
    assert coverage[0]["gain"] == pytest.approx(coverage[0]["accuracy"] - expected.accuracy)
    for key in ("balanced_accuracy", "macro_f1", "nll", "brier", "ece", "ece_by_chance"):
        assert values[key] == getattr(expected, key)
    per_class = values["per_class"]
    assert isinstance(per_class, dict) and list(per_class) == list(FER2013.keys)
    assert per_class["fear"]["support"] == 17
    assert values["confusion_matrix"] == expected.confusion_matrix.tolist()
    assert values["labels"] == list(FER2013.keys)
    assert (values["model_sha256"], values["data_sha256"]) == (MODEL, DATA)
    assert values["tta"] == "none" and values["command"] == COMMAND
    assert values["mien_version"] == "0.1.0" and values["commit"]
    assert values["bootstrap"] == {"resamples": 50, "seed": 0}
    assert values["note"] is None
    averages = values["averages"]
    assert isinstance(averages, dict)
    assert averages["macro"]["f1"] == pytest.approx(expected.macro_f1)
    assert averages["weighted"]["recall"] == pytest.approx(expected.accuracy)
    assert values["architecture"] == "plain" and values["parameters"] == 853_671
    assert values["chosen"] == make_card().chosen
    cautions = values["cautions"]
    assert isinstance(cautions, list) and len(cautions) == 1


def test_predictions_csv_has_a_line_per_face(report: Path) -> None:
    predictions = make_predictions()
    with open(report / "predictions.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 120
    assert list(rows[0])[:5] == ["name", "label", "predicted", "confidence", "correct"]
    assert list(rows[0])[5:7] == ["seen_duplicate", "seen_twin"]  # the second is its former name
    assert list(rows[0])[7:] == [f"p_{key}" for key in FER2013.keys]
    for i in (0, 59, 119):
        row = rows[i]
        assert row["name"] == f"row {i + 2}"
        assert row["label"] == FER2013[i % 7].key
        assert row["predicted"] == FER2013[int(predictions.predicted[i])].key
        assert (row["correct"] == "true") == bool(predictions.correct[i])
        assert predictions.seen_duplicate is not None
        assert (row["seen_duplicate"] == "true") == bool(predictions.seen_duplicate[i])
        assert float(row["confidence"]) == pytest.approx(predictions.confidence[i], rel=1e-7)
        given = [float(row[f"p_{key}"]) for key in FER2013.keys]
        np.testing.assert_allclose(given, predictions.probabilities[i], rtol=1e-7)


def test_csv_quotes_names_and_leaves_unknown_duplicates_empty() -> None:
    predictions = replace(make_predictions(1, seen=False), names=('a,"b"\nc.png',))
    row = next(csv.DictReader(io.StringIO(predictions_csv(predictions), newline="")))
    assert row["name"] == 'a,"b"\nc.png' and row["seen_duplicate"] == ""


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def unbroken(text: str) -> str:
    """The text as pages set it: a percent sign stays with its number."""
    return text.replace(" %", "\u00a0%")


def test_html_stands_alone_and_says_what_matters(report: Path) -> None:
    page = _Page()
    page.feed((report / "report.html").read_text(encoding="utf-8"))
    assert len(page.sources) == 5 + 4 + 3
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not page.tags & {"script", "link", "iframe", "1"}
    result = evaluate(make_predictions(), n_resamples=50)
    for text in (
        "tiny on test",
        "faces <1>.csv",
        unbroken(percent(result.accuracy)),
        unbroken(percent_interval(result.accuracy_ci95)),
        unbroken(percent(result.accuracy_unseen)),
        f"{result.n_seen_duplicates} of 120 faces have a pixel-identical duplicate",
        "not what the person feels",
        "Surprise",
        unbroken("epoch 37, metric val_accuracy, split validation, value 69.00 %"),
        "optimizer",
        MODEL,
        DATA,
        COMMAND,
        "macro average",
        "labelled Surprise",
        "\N{BALLOT X} ",
    ):
        assert text in page.text, text


def test_markdown_says_the_same(report: Path) -> None:
    text = (report / "report.md").read_text(encoding="utf-8")
    result = evaluate(make_predictions(), n_resamples=50)
    assert text.startswith("# tiny on test\n")
    assert r"faces \<1\>.csv" in text
    assert f"| Accuracy | {percent(result.accuracy)} |" in text
    assert COMMAND in text and DATA in text
    pictures = [name for name in REPORT_FILES if name.endswith(".png")]
    assert len(pictures) == 7
    for name in pictures:
        assert f"({name})" in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == 8


def test_same_input_gives_the_same_files(report: Path, tmp_path: Path) -> None:
    write(tmp_path / "again")
    for name in REPORT_FILES:
        assert (tmp_path / "again" / name).read_bytes() == (report / name).read_bytes(), name


@pytest.mark.usefixtures("quick_plots")
def test_unknown_duplicates_are_null_with_the_reason(tmp_path: Path) -> None:
    cautions = write(tmp_path / "r", make_predictions(seen=False))
    values = metrics_of(tmp_path / "r")
    assert values["accuracy_unseen"] is None and values["n_seen_duplicates"] is None
    assert values["accuracy_unseen_ci95"] is None
    assert len(cautions) == 1 and "no training rows" in cautions[0]
    for name in ("report.md", "report.html"):
        assert "the source holds no training rows" in (tmp_path / "r" / name).read_text("utf-8")


@pytest.mark.usefixtures("quick_plots")
def test_score_on_the_choosing_split_is_cautioned(tmp_path: Path) -> None:
    validation = make_predictions(split="validation")
    cautions = write(tmp_path / "r", validation, data_sha256="b" * 64)
    assert "was chosen on the validation split" in cautions[0]
    cautions = write(tmp_path / "o", validation, data_sha256="c" * 64)
    assert "was chosen on another validation split, by its hash" in cautions[0]
    assert not any("chosen" in text for text in write(tmp_path / "s"))


@pytest.mark.usefixtures("quick_plots")
@pytest.mark.parametrize(("split", "sha256"), [("train", DATA), ("test", "a" * 64)])
def test_score_on_training_faces_is_cautioned(tmp_path: Path, split: str, sha256: str) -> None:
    predictions = make_predictions(split=split, seen=False)
    cautions = write(tmp_path / "r", predictions, data_sha256=sha256)
    assert "were trained on" in cautions[0]
    if sha256 != DATA:
        assert "as its train rows" in (tmp_path / "r" / "report.md").read_text("utf-8")


@pytest.mark.usefixtures("quick_plots")
def test_a_temperature_of_these_faces_is_cautioned_with_the_cross_fitted_error(
    tmp_path: Path,
) -> None:
    fitted = make_card(temperature=0.8765, calibration=replace(CALIBRATION, data_sha256=DATA))
    many, few = make_predictions(400), make_predictions()
    expected = evaluate(many, n_resamples=50)
    assert expected.ece_cross_fitted is not None and expected.ece_cross_fitted != expected.ece
    (caution, _) = write(tmp_path / "r", many, card=fitted)
    assert caution.startswith("Caution: the temperature was fitted on these very faces")
    assert f"(ECE) of {percent(expected.ece)} may be" in caution
    assert f"the cross-fitted one, {percent(expected.ece_cross_fitted)}, is measured" in caution
    values = metrics_of(tmp_path / "r")
    assert values["temperature"] == 0.8765 and values["calibration"] == asdict(fitted.calibration)
    assert values["ece_cross_fitted"] == expected.ece_cross_fitted
    text = (tmp_path / "r" / "report.md").read_text("utf-8")
    assert f"| ECE, cross-fitted | {percent(expected.ece_cross_fitted)} |" in text
    assert f"Cross-fitted it is {percent(expected.ece_cross_fitted)}: a temperature is" in text
    assert "0.8765, fitted on 3,589 validation faces of fer2013.csv" in text
    # Of other faces, and where no temperature can be fitted.
    other = write(tmp_path / "o", many, card=fitted, data_sha256="9" * 64)
    assert not any("temperature" in line for line in other)
    (caution, _) = write(tmp_path / "f", few, card=fitted)
    assert caution.endswith("may be a little too good.")
    assert "There is no cross-fitted value" in (tmp_path / "f" / "report.md").read_text("utf-8")
    assert "| temperature | 1, not fitted |" in _model_table(tmp_path / "n", few)


def _model_table(out: Path, predictions: Predictions) -> str:
    write(out, predictions)
    return (out / "report.md").read_text("utf-8")


@pytest.mark.usefixtures("quick_plots")
def test_thresholds_are_there_to_choose_from(tmp_path: Path) -> None:
    predictions = make_predictions(400)
    write(tmp_path / "r", predictions)
    text = (tmp_path / "r" / "report.md").read_text("utf-8")
    threshold = np.sort(predictions.confidence)[-320]
    answered = predictions.confidence >= threshold
    accuracy = predictions.correct[answered].mean()
    gain = 100 * (accuracy - predictions.correct.mean())
    assert answered.sum() == 320 and gain > 0
    shown = np.floor(1000 * threshold) / 1000
    assert (
        f"Answering the most confident 80.0 % of the faces (--min-confidence {shown:.3f}) gives an "
        f"accuracy of {percent(accuracy)}, {gain:.1f} points more than answering all." in text
    )
    assert f"| 80.0 % | {percent(accuracy)} | +{gain:.1f} | {shown:.3f} |" in text
    kept = predictions.confidence >= 0.5
    half = predictions.correct[kept].mean()
    row = f"| 0.5 | {kept.sum()} | {percent(kept.mean())} | {percent(half)} |"
    assert row in text
    assert "tta none" not in text
    write(tmp_path / "f", replace(predictions, tta="flip"))
    assert "from a report with --tta none" in (tmp_path / "f" / "report.md").read_text("utf-8")


@pytest.mark.usefixtures("quick_plots")
def test_other_parts_stand_before_the_pictures_of_faces(tmp_path: Path, quick_plots: None) -> None:
    part = ReportPart("groups", {}, (Section("Groups", (Text("a gap"),)),))
    write(tmp_path / "r", parts=[part])
    titles = re.findall("<h2>(.*?)</h2>", (tmp_path / "r" / "report.html").read_text("utf-8"))
    order = ["Confidence", "Groups", "Sample predictions", "Most confident errors", "Model"]
    assert titles[3:-1] == order


def test_note_comes_first(tmp_path: Path) -> None:
    cautions = write(tmp_path / "r", note="Some rows are left out.")
    assert cautions[0] == "Some rows are left out."
    assert metrics_of(tmp_path / "r")["note"] == "Some rows are left out."
    assert "Some rows are left out." in (tmp_path / "r" / "report.html").read_text("utf-8")


@pytest.mark.usefixtures("quick_plots")
def test_without_errors_there_is_no_section_for_them(tmp_path: Path) -> None:
    write(tmp_path / "r")
    write(tmp_path / "r", errors=0)
    assert "Most confident errors" not in (tmp_path / "r" / "report.html").read_text("utf-8")
    # Its picture is there all the same, or a folder with errors could not be replaced.
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == sorted(REPORT_FILES)


@pytest.mark.usefixtures("quick_plots")
def test_older_report_is_replaced_and_other_files_are_not(tmp_path: Path) -> None:
    out = tmp_path / "r"
    write(out)
    (out / "metrics.json").write_text("old")
    check_folder(out, ALL_FILES)
    write(out)
    assert metrics_of(out)["n"] == 120
    (out / "thesis.tex").write_text("mine")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for refuse in (lambda: check_folder(out, ALL_FILES), lambda: write(out)):
        with pytest.raises(OutputError, match="thesis"):
            refuse()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert list(tmp_path.iterdir()) == [out]


def test_file_in_the_folders_place_is_refused_early(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        check_folder(tmp_path / "r", ALL_FILES)
    check_folder(tmp_path / "new", ALL_FILES)
    with pytest.raises(OutputError, match=r"new\.png is to be a folder; name it without \.png"):
        check_folder(tmp_path / "new.png", ALL_FILES)
    (tmp_path / "v1.json").mkdir()
    check_folder(tmp_path / "v1.json", ALL_FILES)


@pytest.mark.usefixtures("quick_plots")
@pytest.mark.parametrize("name", REPORT_FILES)
def test_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real = Path.write_bytes

    def fill_up(path: Path, content: bytes) -> int:
        if path.name == name:
            real(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(OutputError, match="No space left on device; nothing half-written"):
        write(tmp_path / "r", errors=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick_plots")
def test_full_disk_keeps_the_older_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "r"
    write(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        write(out)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_really_full_disk(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(options, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small file system needs root")
    try:
        with pytest.raises(OutputError, match="No space left"):
            write(disk / "report")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.usefixtures("quick_plots")
def test_face_names_that_are_no_text_do_not_spoil_the_report(tmp_path: Path) -> None:
    predictions = make_predictions(7)
    predictions = replace(
        predictions,
        names=("bad\udcff.png", *predictions.names[1:]),
        probabilities=np.roll(predictions.probabilities, 1, axis=1),
    )
    write(tmp_path / "r", predictions, errors=7)
    assert "bad\\udcff.png" in (tmp_path / "r" / "predictions.csv").read_text("utf-8")


def png(content: bytes) -> PIL.Image.Image:
    picture = PIL.Image.open(io.BytesIO(content))
    picture.load()
    return picture


def all_plots(evaluation: Evaluation, predictions: Predictions) -> list[PIL.Image.Image]:
    return [
        png(confusion_plots.confusion_matrix_png(evaluation)),
        png(confusion_plots.confusion_counts_png(evaluation)),
        png(plots.reliability_png(evaluation)),
        png(plots.per_class_png(evaluation)),
        png(plots.coverage_png(evaluation, coverage_curve(predictions))),
    ]


def is_framed_in_white(picture: PIL.Image.Image) -> bool:
    """Nothing is cut off: the outermost pixels are blank."""
    pixels = np.asarray(picture.convert("L"))
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return all((edge > 250).all() for edge in edges)


@pytest.mark.filterwarnings("error")
def test_plots_are_large_and_nothing_is_cut_off() -> None:
    predictions = make_predictions()
    for picture in all_plots(evaluate(predictions, n_resamples=20), predictions):
        assert picture.format == "PNG"
        assert min(picture.size) >= 700
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        assert is_framed_in_white(picture)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("right", [True, False])
def test_plots_of_one_face_and_classes_without_rows(right: bool) -> None:
    predictions = Predictions(
        names=("a",),
        labels=np.array([3]),
        probabilities=np.eye(8)[[3 if right else 0]],
        label_set=FERPLUS,
        split="test",
        source="x",
    )
    pictures = all_plots(evaluate(predictions, n_resamples=20), predictions)
    assert len(pictures) == 5
    assert all(is_framed_in_white(picture) for picture in pictures)


def test_confusion_matrix_is_dark_where_the_counts_are() -> None:
    predictions = make_predictions(70)
    perfect = replace(predictions, probabilities=np.eye(7)[predictions.labels])
    evaluation = evaluate(perfect, n_resamples=2)
    for draw in (confusion_plots.confusion_matrix_png, confusion_plots.confusion_counts_png):
        pixels = np.asarray(png(draw(evaluation)).convert("RGB")).astype(int)
        dark_blue = (pixels[..., 2] > 90) & (pixels[..., 0] < 40)
        assert 0.04 < dark_blue.mean() < 0.2


def darkness(content: bytes) -> np.ndarray:
    """How dark each of the 7 x 7 fields is, about, in 0..255."""
    pixels = np.asarray(png(content).convert("L")).astype(float)
    is_field = pixels < 254
    rows = np.flatnonzero(is_field.mean(axis=1) > 0.5)
    columns = np.flatnonzero(is_field.mean(axis=0) > 0.5)
    grid = 255 - pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # Corners of the fields, which no text covers.
    side = grid.shape[0] / 7
    ends = [int((i + 0.1) * side) for i in range(7)]
    return grid[np.ix_(ends, ends)]


def test_counts_and_percentages_have_pictures_of_their_own() -> None:
    """Of 100 angry and 10 disgusted faces, all are taken for angry ones."""
    labels = np.array([0] * 100 + [1] * 10)
    predictions = replace(
        make_predictions(110, seen=False), labels=labels, probabilities=np.eye(7)[labels * 0]
    )
    evaluation = evaluate(predictions, n_resamples=2)
    shares = darkness(confusion_plots.confusion_matrix_png(evaluation))
    counts = darkness(confusion_plots.confusion_counts_png(evaluation))
    assert shares[0, 0] == shares[1, 0] > 150
    assert counts[0, 0] == shares[0, 0] and counts[1, 0] < 60
    assert shares[0, 1] == counts[0, 1] < 20


def test_galleries_tell_right_from_wrong_without_colour() -> None:
    predictions = make_predictions()
    face = np.zeros((48, 48), np.uint8)
    rows = predictions.sample_rows(24)
    faces = classified_faces(predictions, [(row, face) for row in rows])
    assert len(faces) == 24 == len(set(rows)) and rows == sorted(rows)
    for row, shown in zip(rows, faces, strict=True):
        sign = "\N{CHECK MARK}" if predictions.correct[row] else "\N{BALLOT X}"
        assert shown.caption.startswith(f"{sign} {shown.predicted} ")
        assert f"{100 * predictions.confidence[row]:.1f} %" in shown.caption
        assert f"labelled {FER2013[row % 7].display_name}\nrow {row + 2}" in shown.caption
    right = sum(bool(predictions.correct[row]) for row in rows)
    gallery = sample_gallery(faces, "test")
    assert 0 < right < 24
    assert f"{right} right (\N{CHECK MARK}), {24 - right} wrong (\N{BALLOT X})" in gallery.alt
    picture = png(gallery.png)
    assert is_framed_in_white(picture)
    # Three rows of eight.
    assert picture.width > 8 * 240 and 3 * 240 < picture.height < 6 * 240
    assert [png(tile).size for tile, _ in gallery.items if tile] == [
        (148, 148) if shown.correct else (160, 160) for shown in faces
    ]


def test_sample_is_a_function_of_its_seed() -> None:
    predictions = make_predictions()
    assert predictions.sample_rows(10) == predictions.sample_rows(10, seed=0)
    assert predictions.sample_rows(10) != predictions.sample_rows(10, seed=1)
    assert predictions.sample_rows(500) == list(range(120))


def test_tiles_are_enlarged_without_blur() -> None:
    face = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    tile = square_tile(face, 240)
    assert tile.shape == (240, 240, 3)
    np.testing.assert_array_equal(tile[..., 0], np.kron(face, np.ones((5, 5), np.uint8)))
    # In the drawn grid, too: every pixel of the face is a block of one value.
    classified = ClassifiedFace(face, "Happy", "Happy", 0.5, "a")
    pixels = np.asarray(png(face_grid_png([classified], "title")).convert("L"))
    expected = tile[..., 0]
    found = [
        (y, x)
        for y, x in np.argwhere(pixels[:-240, :-240] == expected[0, 0]).tolist()
        if np.array_equal(pixels[y : y + 240, x : x + 240], expected)
    ]
    assert len(found) == 1


@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (300, 500, 3), (30, 1000), (20, 10, 3)])
def test_tiles_of_other_sizes_fit(shape: tuple[int, ...]) -> None:
    tile = square_tile(np.zeros(shape, np.uint8), 240)
    assert tile.shape == (240, 240, 3)
    dark = tile[..., 0] < 50
    height, width = dark.any(axis=1).sum(), dark.any(axis=0).sum()
    assert max(height, width) > 180
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.15)


@pytest.mark.parametrize(
    "name", ["$x^2$ \\frac{", "bad\udcff\n\t.png", "\u7b11.png", "a/" * 200 + "b.png"]
)
def test_names_of_every_kind_can_be_drawn(name: str) -> None:
    face = np.full((48, 48), 128, np.uint8)
    classified = ClassifiedFace(face, "Happy", "Sad", 0.5, name)
    assert is_framed_in_white(png(face_grid_png([classified] * 8, "title")))


def test_gallery_without_faces_says_so() -> None:
    assert error_gallery((), "test").alt == "No errors on the test split are shown"
    assert is_framed_in_white(png(error_gallery((), "test").png))


def test_classification_report_is_a_file_to_paste(report: Path) -> None:
    text = (report / "classification_report.txt").read_text(encoding="utf-8")
    assert text == classification_report(evaluate(make_predictions(), n_resamples=2))


def test_plotting_leaves_matplotlib_alone() -> None:
    code = (
        "import sys, numpy as np, matplotlib\n"
        # Looking at the backend would load pyplot.
        "def state():\n"
        "    names = set(matplotlib.rcParams) - {'backend'}\n"
        "    return {name: matplotlib.rcParams[name] for name in names}\n"
        "before = state()\n"
        "from mien.evaluation.metrics import evaluate\n"
        "from mien.evaluation.predictions import Predictions\n"
        "from mien.reports import plots\n"
        "from mien.labels import FER2013\n"
        "p = Predictions(('a',), np.array([0]), np.eye(7)[[0]], FER2013, 'test', 'x')\n"
        "plots.reliability_png(evaluate(p))\n"
        "assert state() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_duplicate_is_spoken_of_as_one() -> None:
    seen = np.arange(120) == 0
    result = evaluate(replace(make_predictions(), seen_duplicate=seen), n_resamples=2)
    provenance = Provenance(make_card(), MODEL, DATA, COMMAND, "0", "0")
    (text,) = cautions(result, provenance)
    assert text.startswith("1 of 120 faces has a pixel-identical duplicate")
    assert text.endswith("leaves it out.")


@pytest.mark.usefixtures("quick_plots")
def test_kept_epoch_and_empty_facts_are_for_people() -> None:
    chosen = {"epoch": 11, "metric": "val_accuracy", "of_epochs": 12, "value": 0.6174421906471252}
    card = make_card(chosen=chosen, recipe={"options": {}, "clip": None})
    predictions = make_predictions(14)
    evaluation = evaluate(predictions, n_resamples=2)
    provenance = Provenance(card, MODEL, DATA, COMMAND, "0", "0")
    (section,) = (
        part
        for part in report_sections(evaluation, predictions, provenance, NO_FACES, NO_FACES)
        if part.title == "Model"
    )
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    facts = dict(table.rows)
    assert facts["kept epoch"] == "epoch 11 of 12, metric val_accuracy, value 61.74 %"
    assert facts["recipe: options"] == facts["recipe: clip"] == "none"


def test_document_escapes_in_both_forms() -> None:
    sections = [Section("a|b", (Text("<i> *x*"), Table(("h",), (("p|q\nr",),), 1)))]
    assert "&lt;i&gt; *x*" in to_html("t", "s", sections)
    markdown = to_markdown("t", "s", sections)
    assert r"## a\|b" in markdown and r"\<i\> \*x\*" in markdown
    assert r"| p\|q, r |" in markdown
