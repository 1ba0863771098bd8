"""``mien evaluate`` from end to end, on tiny faces and a tiny network."""

import csv
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import typer
from typer.testing import CliRunner, Result

from mien.cli.evaluate import evaluate
from mien.errors import DatasetError, ModelError, OutputError, SourceError
from mien.labels import FER2013, FERPLUS_VOTE_COLUMNS
from mien.reports.report import REPORT_FILES
from onnx_factory import write_model
from report_factory import without_plots

PER_CLASS = {"train": 2, "test": 3}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def quick_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty plots, for tests that look at everything else."""
    without_plots(monkeypatch)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders; the first test face of each class is also a training face."""
    root = tmp_path_factory.mktemp("faces")
    generator = np.random.default_rng(0)
    for split, count in PER_CLASS.items():
        for label in FER2013:
            folder = root / split / label.key
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(0, 256, (48, 48), dtype=np.uint8)
                if split == "test" and i == 0:
                    duplicate = root / "train" / label.key / "0.png"
                    (folder / "0.png").write_bytes(duplicate.read_bytes())
                else:
                    PIL.Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


def run(*arguments: object) -> Result:
    """Evaluate on the test split, where no other is named: most sets here have no other."""
    app = typer.Typer()
    app.command()(evaluate)
    if "--split" not in arguments:
        arguments = (*arguments, "--split", "test")
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def metrics_of(out: Path) -> dict[str, object]:
    values = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


def test_report_of_class_folders(faces: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    result = run(model, "--data", faces, "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == sorted(REPORT_FILES)
    values = metrics_of(out)
    assert (values["split"], values["n"], values["n_seen_duplicates"]) == ("test", 21, 7)
    assert values["tta"] == "none"
    assert values["command"] == (
        f"mien evaluate {model} --data {faces} --split test --tta none --out {out}"
    )
    assert "tiny on test" in result.stdout
    assert "7 of 21 faces have a pixel-identical duplicate" in result.stdout
    for text in (
        "accuracy, unseen faces",
        "macro F1",
        "ECE",
        "surprise",
        "weighted",
    ):
        assert text in result.stdout, text
    assert result.stderr == f"written: {out / 'report.html'}\n"


@pytest.mark.usefixtures("quick_plots")
def test_probabilities_are_the_classifiers(faces: Path, model: Path, tmp_path: Path) -> None:
    from mien.data import read_samples
    from mien.recognition.classifier import Classifier
    from mien.samples import Split

    run(model, "--data", faces, "--out", tmp_path / "r")
    rows = read_samples(faces).of(Split.TEST)
    expected = Classifier(model).probabilities(rows.iter_images())
    with open(tmp_path / "r" / "predictions.csv", newline="", encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    given = [[float(row[f"p_{key}"]) for key in FER2013.keys] for row in table]
    np.testing.assert_allclose(given, expected, rtol=1e-6)
    assert [row["name"] for row in table] == list(rows.names)
    assert metrics_of(tmp_path / "r")["data_sha256"] == rows.sha256()


@pytest.mark.usefixtures("quick_plots")
def test_split_and_flip_change_the_result(faces: Path, model: Path, tmp_path: Path) -> None:
    run(model, "--data", faces, "--out", tmp_path / "plain")
    run(model, "--data", faces, "--tta", "flip", "--out", tmp_path / "flip")
    result = run(model, "--data", faces, "--split", "train", "--out", tmp_path / "train")
    plain, flip = metrics_of(tmp_path / "plain"), metrics_of(tmp_path / "flip")
    assert flip["tta"] == "flip" and flip["nll"] != plain["nll"]
    train = metrics_of(tmp_path / "train")
    assert train["n"] == 14 and train["accuracy_unseen"] is None
    assert "Caution: these faces were trained on" in result.stdout


@pytest.mark.usefixtures("quick_plots")
def test_folder_of_a_training_is_a_model(faces: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "model.onnx")
    result = run(tmp_path, "--data", faces, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("quick_plots")
def test_alphabetical_model_is_matched_by_name(faces: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m.onnx", labels=tuple(sorted(FER2013.keys)))
    run(tmp_path / "m.onnx", "--data", faces, "--out", tmp_path / "r")
    with open(tmp_path / "r" / "predictions.csv", newline="", encoding="utf-8") as stream:
        row = next(csv.DictReader(stream))
    from mien.recognition.classifier import Classifier

    first = faces / "test" / row["label"] / "0.png"
    pixels = np.asarray(PIL.Image.open(first))
    by_key = Classifier(tmp_path / "m.onnx").classify([pixels])[0].as_dict()
    assert set(by_key) == set(FER2013.keys)
    for key, probability in by_key.items():
        assert float(row[f"p_{key}"]) == pytest.approx(probability, abs=1e-6)


def write_fer_csv(folder: Path) -> tuple[Path, Path]:
    """Five rows: a training row, then test rows of which one is undecided, one contempt."""
    generator = np.random.default_rng(1)
    keys = [label.key for label in FERPLUS_VOTE_COLUMNS]
    votes = [{"happy": 10}, {"happy": 10}, {"sad": 9}, {"angry": 5, "fear": 5}, {"contempt": 8}]
    faces, plus = ["emotion,pixels,Usage"], ["Usage,Image name," + ",".join([*keys, "unknown,NF"])]
    for i, given in enumerate(votes):
        usage = "Training" if i == 0 else "PrivateTest"
        pixels = " ".join(map(str, generator.integers(0, 256, 48 * 48)))
        faces.append(f"{i},{pixels},{usage}")
        row = [given.get(key, 0) for key in keys]
        plus.append(f"{usage},fer{i}.png," + ",".join(map(str, [*row, 0, 10 - sum(row)])))
    (folder / "fer2013.csv").write_text("\n".join(faces) + "\n")
    (folder / "fer2013new.csv").write_text("\n".join(plus) + "\n")
    return folder / "fer2013.csv", folder / "fer2013new.csv"


@pytest.mark.usefixtures("quick_plots")
def test_ferplus_measures_against_the_majority(model: Path, tmp_path: Path) -> None:
    faces, plus = write_fer_csv(tmp_path)
    result = run(model, "--data", faces, "--ferplus", plus, "--out", tmp_path / "r")
    assert result.exit_code == 0, (result.output, result.exception)
    values = metrics_of(tmp_path / "r")
    assert values["n"] == 2
    note = str(values["note"])
    assert "Of 4 faces, 2 are measured; without such a label: 1; contempt" in note
    assert "majority of the FER+ annotators" in result.stdout
    assert "--ferplus" in str(values["command"])
    per_class = values["per_class"]
    assert isinstance(per_class, dict)
    assert (per_class["happy"]["support"], per_class["sad"]["support"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("MODEL", "--data", "FACES", "--split", "validation"), DatasetError, "has no split"),
        (("nope", "--data", "FACES"), ModelError, "no model is called nope"),
        (("MODEL", "--data", "nope"), SourceError, "no such file or folder"),
        (("FOREIGN", "--data", "FACES"), ModelError, "is not a model"),
    ],
)
def test_errors_leave_no_report(
    faces: Path,
    model: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    error: type[Exception],
    message: str,
) -> None:
    (tmp_path / "x.txt").write_text("x")
    names = {"MODEL": model, "FACES": faces, "FOREIGN": tmp_path / "x.txt"}
    result = run(*(names.get(word, word) for word in arguments), "--out", tmp_path / "r")
    assert isinstance(result.exception, error)
    assert message in str(result.exception) and "\n" not in str(result.exception)
    assert not (tmp_path / "r").exists()


def test_foreign_folder_is_refused_before_the_work(model: Path, tmp_path: Path) -> None:
    result = run(model, "--data", "not even read", "--out", model.parent)
    assert isinstance(result.exception, OutputError)


def test_wrong_usage_exits_with_2(model: Path, faces: Path) -> None:
    assert run(model, "--data", faces).exit_code == 2
    assert run(model, "--data", faces, "--out", "r", "--split", "public").exit_code == 2
    assert run(model, "--data", faces, "--out", "r", "--tta", "rotate").exit_code == 2


def test_failure_is_one_line_of_the_command() -> None:
    from mien.cli.app import app

    result = CliRunner().invoke(app, ["evaluate", "nope", "--data", "x", "--out", "r"])
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith("mien: no model is called nope")
    assert result.stderr.count("\n") == 1


def test_help_shows_an_example() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "mien evaluate default --data fer2013.csv" in " ".join(result.output.split())


def test_the_validation_split_is_the_default(model: Path, tmp_path: Path) -> None:
    """A forgotten option must not look at the test split."""
    faces, _ = write_fer_csv(tmp_path)
    app = typer.Typer()
    app.command()(evaluate)
    arguments = [str(model), "--data", str(faces), "--out", str(tmp_path / "r")]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, DatasetError)
    assert "no split validation" in str(error)
    assert not (tmp_path / "r").exists()
