"""``mien compare`` from end to end, on tiny faces and tiny networks."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from mien.cli.compare import compare
from mien.cli.evaluate import evaluate
from mien.errors import DatasetError, ModelError, OutputError, SourceError
from mien.labels import FER2013
from mien.reports.comparison_report import COMPARISON_FILES
from onnx_factory import make_card, make_graph, with_card
from report_factory import without_plots
from samples_factory import class_folders


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    without_plots(monkeypatch)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    folders = [f"{split}/{key}" for split in ("train", "val", "test") for key in FER2013.keys]
    class_folders(tmp_path / "faces", folders, per_folder=6)
    return tmp_path / "faces"


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two folders of trainings; the first has a history."""
    folders = [tmp_path / name for name in ("first", "second")]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        graph = make_graph(seed=seed, gain=3.0)
        chosen = {"epoch": 2, "of_epochs": 3, "split": "validation"}
        card = make_card(graph, architecture="plain_cnn", chosen=chosen)
        (folder / "model.onnx").write_bytes(with_card(graph, card))
    (folders[0] / "history.csv").write_text("epoch,val_accuracy\n1.0,0.2\n2.0,0.4\n3.0,0.3\n")
    return folders


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(compare)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def report_of(run_folder: Path, faces: Path, *more: str) -> Path:
    app = typer.Typer()
    app.command()(evaluate)
    out = run_folder.with_name(f"report_{run_folder.name}{''.join(more)}")
    done = CliRunner().invoke(
        app, [str(run_folder), "--data", str(faces), "--out", str(out), *more]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    return out


def test_trainings_are_measured_and_drawn(runs: list[Path], faces: Path, tmp_path: Path) -> None:
    result = run(*runs, "--data", faces, "--out", tmp_path / "c")
    assert result.exit_code == 0, (result.output, result.exception)
    for text in ("first", "second", "2,489,095", "2 of 3", "told apart", "42 faces"):
        assert text in result.stdout, text
    assert "makes it a validation split" in result.stdout
    assert "chosen on the validation split" in result.stdout
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == sorted(COMPARISON_FILES)
    values = json.loads((tmp_path / "c" / "comparison.json").read_text("utf-8"))
    assert values["command"] == (
        f"mien compare {runs[0]} {runs[1]} --data {faces} --tta none --out {tmp_path / 'c'}"
    )
    curves = {model["name"]: len(model["curve"]) for model in values["models"]}
    assert curves == {"first": 3, "second": 0}


def test_reports_need_no_data_and_give_the_same_numbers(runs: list[Path], faces: Path) -> None:
    reports = [report_of(folder, faces) for folder in runs]
    stored = json.loads(run(*reports, "--json").stdout)
    fresh = json.loads(run(*runs, "--data", faces, "--json").stdout)
    assert [model["name"] for model in stored["models"]] != []
    for one, two in zip(stored["models"], fresh["models"], strict=True):
        assert one["name"] == f"report_{two['name']}"
        for key in ("model_sha256", "accuracy_ci95", "macro_f1", "parameters", "chosen"):
            assert one[key] == two[key], key
    assert stored["pairs"][0]["p"] == fresh["pairs"][0]["p"]
    assert stored["data_sha256"] == fresh["data_sha256"]
    assert stored["notes"] == fresh["notes"]


def test_a_report_and_a_model_are_compared(runs: list[Path], faces: Path) -> None:
    report = report_of(runs[0], faces)
    values = json.loads(run(report, runs[0], "--data", faces, "--json").stdout)
    (pair,) = values["pairs"]
    assert pair["only_first"] == pair["only_second"] == 0 and pair["p"] == 1.0


def test_split_and_flip_are_those_that_are_named(runs: list[Path], faces: Path) -> None:
    plain = json.loads(run(*runs, "--data", faces, "--json").stdout)
    test = json.loads(run(*runs, "--data", faces, "--split", "test", "--json").stdout)
    flip = json.loads(run(*runs, "--data", faces, "--tta", "flip", "--json").stdout)
    assert (plain["split"], test["split"]) == ("validation", "test")
    assert flip["models"][0]["tta"] == "flip"
    assert flip["models"][0]["nll"] != plain["models"][0]["nll"]


def test_a_file_of_a_training_stands_for_it(runs: list[Path], faces: Path) -> None:
    files = [folder / "model.onnx" for folder in runs]
    models = json.loads(run(*files, "--data", faces, "--json").stdout)["models"]
    # The second folder has no history, so nothing says that it is a training.
    assert {model["name"]: len(model["curve"]) for model in models} == {
        "first": 3,
        str(files[1]): 0,
    }


def test_same_folder_names_are_told_apart_by_their_paths(
    runs: list[Path], faces: Path, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    duplicate = (runs[1]).rename(tmp_path / "b" / "first")
    values = json.loads(run(runs[0], duplicate, "--data", faces, "--json").stdout)
    assert {model["name"] for model in values["models"]} == {str(runs[0]), str(duplicate)}


def test_other_rows_are_one_line(runs: list[Path], faces: Path) -> None:
    reports = [report_of(runs[0], faces), report_of(runs[1], faces, "--split", "test")]
    error = run(*reports).exception
    assert isinstance(error, DatasetError) and "\n" not in str(error)
    assert "on validation and report_second--splittest on test" in str(error)


def test_models_without_data_and_missing_ones_are_one_line(
    runs: list[Path], faces: Path, tmp_path: Path
) -> None:
    error = run(*runs).exception
    assert isinstance(error, ModelError) and "--data SRC" in str(error)
    error = run(runs[0], "nope", "--data", faces).exception
    assert isinstance(error, ModelError) and "no model is called nope" in str(error)
    error = run(runs[0], "nope").exception
    assert isinstance(error, ModelError)
    report = report_of(runs[0], faces)
    (report / "predictions.csv").write_text("broken")
    error = run(report, runs[1], "--data", "not even read").exception
    assert isinstance(error, SourceError) and "report_first is not the report" in str(error)


def test_foreign_folder_is_refused_before_the_work(runs: list[Path]) -> None:
    result = run(*runs, "--data", "not even read", "--out", runs[0])
    assert isinstance(result.exception, OutputError)


def test_wrong_usage_exits_with_2(runs: list[Path], faces: Path) -> None:
    assert run(runs[0], "--data", faces).exit_code == 2
    assert run(runs[0], runs[0], "--data", faces).exit_code == 2
    assert run(*runs, "--data", faces, "--split", "public").exit_code == 2
    reports = [report_of(folder, faces) for folder in runs]
    assert run(*reports, "--split", "test").exit_code == 2


def test_failure_is_one_line_of_the_command() -> None:
    from mien.cli.app import app

    result = CliRunner().invoke(app, ["compare", "nope", "none"])
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith("mien: no model is called nope")
    assert result.stderr.count("\n") == 1
