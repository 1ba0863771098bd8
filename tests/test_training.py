"""Trainings end to end, on tiny data: run folder, resumption, killing, refusals."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from jax_process import Run
from jax_steps import train_break_off_and_resume
from mien.data.augmentation import Augmentation
from mien.data.splits import OFFICIAL, SplitPlan
from mien.errors import ModelError, OutputError, ParityError, RecipeError, TrainingError
from mien.evaluation.calibration import fit_temperature
from mien.formats import bundle
from mien.labels import FER2013
from mien.model.card import ModelCard, golden_inputs
from mien.model.network import softmax
from mien.recognition.classifier import Classifier
from mien.reports.cautions import Provenance, faces_cautions
from mien.reports.content import _kept
from mien.samples import Samples, Split
from mien.training import export
from mien.training.calibration import read_calibration
from mien.training.callbacks import best_row, read_history
from mien.training.monitors import Checkpoint
from mien.training.recipe import Recipe
from mien.training.run import train
from mien.training.run_folder import check_folder, describe
from mien.workflows.training import result_lines

RECIPE = Recipe(
    name="tiny",
    architecture="slim_resnet",
    architecture_options={"stem": 8, "widths": [16], "depths": [1]},
    augmentation=Augmentation(horizontal_flip=True, rotation_deg=10, erasing_probability=0.5),
    epochs=3,
    batch_size=16,
    learning_rate=0.05,
    ema_momentum=0.9,
    label_smoothing=0.1,
    ferplus_weight=0.5,
    warmup_epochs=1,
)


def tiny_samples(n: int = 72, seed: int = 0) -> Samples:
    """Faces whose brightness tells their class, with votes; two thirds for training."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 7
    images = random.integers(0, 60, (n, 48, 48)) + 25 * labels[:, None, None]
    votes = np.zeros((n, 10), np.int64)
    votes[np.arange(n), labels] = 9
    return Samples(
        images=images.astype(np.uint8),
        labels=labels.astype(np.int64),
        splits=np.where(np.arange(n) % 3 == 2, "validation", "train"),
        label_set=FER2013,
        names=[f"row {i + 2}" for i in range(n)],
        source="tiny.csv",
        votes=votes,
    )


class StopAt(keras.callbacks.Callback):
    """Breaks a training off in the middle of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        super().__init__()
        self.stop_epoch, self.stop_step = epoch, step

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        if (self.epoch, batch) == (self.stop_epoch, self.stop_step):
            raise KeyboardInterrupt


def weights_of(run: Path) -> list[np.ndarray]:
    return keras.models.load_model(run / "best.keras", compile=False).get_weights()


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(RECIPE, tiny_samples(), folder)
    return folder


def test_run_folder_is_complete(whole_run: Path):
    files = {path.name for path in whole_run.iterdir()}
    assert files == {
        *("recipe.json", "data.json", "environment.json", "history.csv", "best.keras"),
        *("augmentation.png", "curves.png", "model.onnx", "backup", "tensorboard"),
        *("best_ferplus.keras", "ferplus.onnx", "calibration.json", "faces.png"),
    }
    assert json.loads((whole_run / "recipe.json").read_text())["epochs"] == 3
    assert json.loads((whole_run / "data.json").read_text())["train"]["n"] == 48
    assert json.loads((whole_run / "environment.json").read_text())["backend"] == "tensorflow"
    assert (whole_run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert any((whole_run / "tensorboard").rglob("events*"))
    history = read_history(whole_run / "history.csv")
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_bundle_is_the_best_network(whole_run: Path):
    classifier = Classifier(whole_run / "model.onnx")
    network = keras.models.load_model(whole_run / "best.keras", compile=False)
    faces = tiny_samples(14).images
    expected = network(faces[..., np.newaxis].astype(np.float32), training=False).numpy()
    expected = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.probabilities(faces), expected, atol=1e-4)
    card = classifier.card
    best = best_row(read_history(whole_run / "history.csv"))
    assert card.labels == FER2013.keys
    assert card.chosen["epoch"] == best["epoch"]
    assert card.chosen["value"] == best["val_accuracy"]
    assert card.data["validation"] == {"n": 24, **_sha_of_validation()}
    assert card.commit


def _sha_of_validation() -> dict[str, str]:
    return {"sha256": tiny_samples().of(Split.VALIDATION).sha256()}


def test_too_few_validation_rows_keep_temperature_1_and_say_so(whole_run: Path):
    stored = read_calibration(whole_run)
    assert (stored.temperature, stored.calibration) == (1.0, None)
    assert "24 faces are too few" in stored.reason
    card = Classifier(whole_run / "model.onnx").card
    assert (card.temperature, card.calibration) == (1.0, None)


def blurred_samples(n: int = 700) -> Samples:
    """Faces of which a third have a label drawn by lot, so that no network can be sure."""
    samples = tiny_samples(n)
    random = np.random.default_rng(4)
    lots = np.where(random.random(n) < 1 / 3, random.integers(0, 7, n), samples.labels)
    return replace(samples, labels=lots.astype(np.int64))


def test_the_temperature_is_fitted_on_the_validation_rows_of_the_kept_epoch(tmp_path: Path):
    samples = blurred_samples()
    test_rows = np.arange(700) % 10 == 0
    samples = replace(samples, splits=np.where(test_rows, "test", samples.splits))
    run = train(replace(RECIPE, epochs=2), samples, tmp_path / "run")
    record = run.temperature.calibration
    assert record is not None and run.temperature.reason == ""
    validation = samples.of(Split.VALIDATION)
    assert (record.split, record.n, record.source) == ("validation", len(validation), "tiny.csv")
    assert record.data_sha256 == validation.sha256()
    # By the network that was kept, and no other.
    network = keras.models.load_model(tmp_path / "run" / "best.keras", compile=False)
    logits = network(validation.images[..., np.newaxis].astype(np.float32), training=False).numpy()
    expected = fit_temperature(logits.astype(np.float64), validation.labels)
    assert run.temperature.temperature == pytest.approx(expected, rel=1e-3)
    assert read_calibration(tmp_path / "run") == run.temperature
    classifier = Classifier(tmp_path / "run" / "model.onnx")
    assert classifier.card.temperature == run.temperature.temperature
    assert classifier.card.calibration == record
    assert record.nll_after < record.nll_before
    # Golden outputs stay at temperature 1.
    golden = classifier.logits(golden_inputs(classifier.card.input).astype(np.float32))
    np.testing.assert_allclose(softmax(golden), classifier.card.golden, atol=1e-5)
    # A resumed run ends with the same, and so does every later export.
    again = train(replace(RECIPE, epochs=2), samples, tmp_path / "run", resume=True)
    assert again.temperature == run.temperature
    path, _ = export.export_run(tmp_path / "run", validation.images, tmp_path / "again.onnx")
    assert Classifier(path).card == classifier.card
    (tmp_path / "run" / "calibration.json").write_text('{"temperature": 1')
    with pytest.raises(TrainingError, match=r"calibration.json is damaged"):
        export.export_run(tmp_path / "run", validation.images)
    # Runs of an older mien have no such file.
    (tmp_path / "run" / "calibration.json").unlink()
    path, _ = export.export_run(tmp_path / "run", validation.images)
    assert Classifier(path).card.temperature == 1.0


def test_validation_rows_of_one_class_end_no_training(tmp_path: Path):
    samples = blurred_samples()
    labels = np.where(samples.splits == "validation", 3, samples.labels)
    run = train(replace(RECIPE, epochs=1), replace(samples, labels=labels), tmp_path / "run")
    assert run.temperature.temperature == 1.0 and "of one class" in run.temperature.reason
    assert run.bundle is not None


@pytest.mark.usefixtures("no_export")
def test_an_interrupted_training_resumes_to_the_same_weights(whole_run: Path, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        train(RECIPE, tiny_samples(), tmp_path / "run", extra_callbacks=[StopAt(1, 1)])
    run = train(RECIPE, tiny_samples(), tmp_path / "run", resume=True)
    assert read_history(tmp_path / "run" / "history.csv") == read_history(whole_run / "history.csv")
    for ours, theirs in zip(weights_of(run.folder), weights_of(whole_run), strict=True):
        np.testing.assert_array_equal(ours, theirs)


KILLED_TRAINING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_training import RECIPE, tiny_samples
from mien.training.run import train
train(RECIPE, tiny_samples(), Path(sys.argv[1]))
"""


@pytest.mark.usefixtures("no_export")
def test_a_killed_training_resumes_to_the_same_weights(whole_run: Path, tmp_path: Path):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", KILLED_TRAINING, folder, Path(__file__).parent]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(folder.glob("backup/epoch_*")) and process.poll() is None:
        assert time.monotonic() < deadline, "no backup was written"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(read_history(folder / "history.csv")) < 4
    (folder / ".best.keras.0a1b.keras").write_bytes(b"half")
    train(RECIPE, tiny_samples(), folder, resume=True)
    assert not [path for path in folder.rglob(".*")], "unfinished files were left"
    assert read_history(folder / "history.csv") == read_history(whole_run / "history.csv")
    for ours, theirs in zip(weights_of(folder), weights_of(whole_run), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_finished_run_resumes_to_itself(whole_run: Path):
    before = (whole_run / "history.csv").read_bytes(), weights_of(whole_run)
    train(RECIPE, tiny_samples(), whole_run, resume=True)
    assert (whole_run / "history.csv").read_bytes() == before[0]
    np.testing.assert_array_equal(weights_of(whole_run)[0], before[1][0])


@pytest.mark.usefixtures("no_export")
def test_another_seed_gives_other_weights(whole_run: Path, tmp_path: Path):
    train(replace(RECIPE, seed=2, epochs=1), tiny_samples(), tmp_path / "run")
    assert not np.array_equal(weights_of(tmp_path / "run")[0], weights_of(whole_run)[0])


def test_the_last_epoch_can_be_kept(tmp_path: Path):
    still = replace(RECIPE, epochs=2, learning_rate=1e-9)  # both epochs are alike
    first = train(still, tiny_samples(), tmp_path / "first")
    last = train(
        replace(still, checkpoint=Checkpoint(monitor="epoch")), tiny_samples(), tmp_path / "last"
    )
    assert (first.best["epoch"], last.best["epoch"]) == (1, 2)
    card = Classifier(tmp_path / "last" / "model.onnx").card
    assert (card.chosen["epoch"], card.chosen["metric"]) == (2, "epoch")
    sha = tiny_samples().of(Split.VALIDATION).sha256()
    cautions = faces_cautions("validation", Provenance(card, "", sha, "", "0", ""))
    assert _kept(card.chosen) == "the last one, 2 of 2"
    assert "recipes are compared on" in cautions[0] and "epoch" not in cautions[0]
    assert any("epoch 2 of 2, the last one" in line for line in result_lines(last, "tiny"))


@pytest.mark.usefixtures("no_export")
def test_a_share_of_the_start_stays_in_what_is_kept(whole_run: Path, tmp_path: Path):
    start = whole_run / "best.keras"
    goes_on = replace(RECIPE, seed=4, epochs=1, pretrained=str(start))
    train(goes_on, tiny_samples(), tmp_path / "learned")
    blended = replace(goes_on, start_share=0.75)
    train(blended, tiny_samples(), tmp_path / "blended")
    ends = zip(weights_of(whole_run), weights_of(tmp_path / "learned"), strict=True)
    expected = [0.75 * first + 0.25 * last for first, last in ends]
    for ours, theirs in zip(weights_of(tmp_path / "blended"), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    # And that network is the one that was validated.
    network = keras.models.load_model(tmp_path / "blended" / "best.keras", compile=False)
    rows = tiny_samples().of(Split.VALIDATION)
    logits = network(np.asarray(rows.images)[..., np.newaxis].astype(np.float32), training=False)
    right = np.mean(logits.numpy().argmax(axis=1) == rows.labels)
    (row,) = read_history(tmp_path / "blended" / "history.csv")
    assert row["val_accuracy"] == pytest.approx(right)


@pytest.mark.usefixtures("no_export")
def test_a_blended_training_resumes_to_the_same_weights(whole_run: Path, tmp_path: Path):
    start = tmp_path / "start.keras"
    start.write_bytes((whole_run / "best.keras").read_bytes())
    recipe = replace(RECIPE, epochs=2, pretrained=str(start), start_share=0.5)
    train(recipe, tiny_samples(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tiny_samples(), tmp_path / "run", extra_callbacks=[StopAt(1, 1)])
    start.unlink()  # the run folder has it
    train(recipe, tiny_samples(), tmp_path / "run", resume=True)
    for ours, theirs in zip(
        weights_of(tmp_path / "run"), weights_of(tmp_path / "whole"), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    (tmp_path / "run" / "start.keras").write_bytes(b"PK")
    with pytest.raises(TrainingError, match=r"start\.keras is damaged or missing"):
        train(recipe, tiny_samples(), tmp_path / "run", resume=True)


def test_a_share_of_the_start_needs_one(whole_run: Path, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"has no pretrained file.*start_share=0"):
        train(replace(RECIPE, start_share=0.5), tiny_samples(), tmp_path / "run")
    other = replace(RECIPE, pretrained=str(whole_run / "best_ferplus.keras"), start_share=0.5)
    with pytest.raises(RecipeError, match="starts with a new head"):
        train(other, tiny_samples(), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(RecipeError, match="start_share must be at least 0 and below 1"):
        replace(RECIPE, start_share=1.0)


def test_a_used_folder_is_refused(whole_run: Path):
    with pytest.raises(TrainingError, match="--resume"):
        train(RECIPE, tiny_samples(), whole_run)


def test_another_recipe_or_other_data_do_not_resume(whole_run: Path):
    with pytest.raises(TrainingError, match="another recipe: epochs is 3 there and 9 here"):
        train(replace(RECIPE, epochs=9), tiny_samples(), whole_run, resume=True)
    with pytest.raises(TrainingError, match="leave out --resume"):
        train(RECIPE, tiny_samples(), whole_run / "typo", resume=True)
    assert not (whole_run / "typo").exists()
    with pytest.raises(TrainingError, match="data differ"):
        train(RECIPE, tiny_samples(seed=5), whole_run, resume=True)
    assert len(read_history(whole_run / "history.csv")) == 3


def test_a_run_of_an_earlier_version_resumes_with_fields_that_it_did_not_have(tmp_path: Path):
    stored = RECIPE.as_dict()
    del stored["teacher_views"]
    (tmp_path / "recipe.json").write_text(json.dumps(stored))
    check_folder(tmp_path, RECIPE, resume=True)
    other = replace(RECIPE, teacher_weight=0.5, teacher_views=2)
    with pytest.raises(TrainingError, match=r"teacher_weight is 0\.0 there and 0.5 here"):
        check_folder(tmp_path, other, resume=True)


def test_a_run_of_an_earlier_version_resumes_with_its_split(tmp_path: Path):
    stored = RECIPE.as_dict()
    stored["split"] = {"validation_fraction": 0.0, "seed": 0}
    (tmp_path / "recipe.json").write_text(json.dumps(stored))
    check_folder(tmp_path, RECIPE, resume=True)  # before the data are read
    check_folder(tmp_path, replace(RECIPE, split=OFFICIAL), resume=True)
    with pytest.raises(TrainingError, match=r"split is .* there and .* here"):
        check_folder(tmp_path, replace(RECIPE, split=SplitPlan(0.3)), resume=True)
    parts = {split: tiny_samples().of(split) for split in (Split.TRAIN, Split.VALIDATION)}
    describe(tmp_path, parts)
    facts = json.loads((tmp_path / "data.json").read_text())
    del facts["layout"]
    (tmp_path / "data.json").write_text(json.dumps(facts))
    describe(tmp_path, parts)
    with pytest.raises(TrainingError, match="data differ"):
        describe(tmp_path, {**parts, Split.TRAIN: tiny_samples(seed=9).of(Split.TRAIN)})


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path):
    recipe = replace(RECIPE, learning_rate=1e30, warmup_epochs=0.0, schedule="constant")
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) at step \d+"):
        train(recipe, tiny_samples(), tmp_path / "run")


def test_missing_votes_and_rows_are_explained(tmp_path: Path):
    with pytest.raises(RecipeError, match="--ferplus"):
        train(RECIPE, replace(tiny_samples(), votes=None), tmp_path / "a")
    only_training = replace(tiny_samples(), splits=np.full(72, "train"))
    as_they_are = replace(RECIPE, split=OFFICIAL)
    with pytest.raises(TrainingError, match="no validation rows"):
        train(as_they_are, only_training, tmp_path / "b")


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        train(RECIPE, tiny_samples(), tmp_path / "file" / "run")


def test_a_start_that_fails_leaves_no_folder(tmp_path: Path):
    for samples, recipe in (
        (replace(tiny_samples(), votes=None), RECIPE),
        (tiny_samples(), replace(RECIPE, architecture="missing")),
        (tiny_samples(), replace(RECIPE, architecture_options={"depth": 1})),
    ):
        with pytest.raises(RecipeError):
            train(recipe, samples, tmp_path / "run")
        assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_export")
def test_a_full_disk_is_one_clear_line_and_the_training_goes_on_later(
    whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if "epoch_00002" in path.name:
            real(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        train(RECIPE, tiny_samples(), tmp_path / "run")
    backups = [path.name for path in (tmp_path / "run" / "backup").iterdir()]
    assert backups == ["epoch_00001.npz"]
    monkeypatch.undo()
    train(RECIPE, tiny_samples(), tmp_path / "run", resume=True)
    np.testing.assert_array_equal(weights_of(tmp_path / "run")[0], weights_of(whole_run)[0])


class Poison(keras.callbacks.Callback):
    """Makes a weight no number in the middle of the second epoch."""

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        if int(self.model.optimizer.iterations) == 4:
            weight = self.model.trainable_variables[-1]  # of a head: no ReLU hides it
            weight.assign(weight * float("nan"))


@pytest.mark.usefixtures("no_export")
def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(
    whole_run: Path, tmp_path: Path
):
    with pytest.raises(TrainingError, match=r"is nan at step [23] of epoch 2; .* 1 to 1 are kept"):
        train(RECIPE, tiny_samples(), tmp_path / "run", extra_callbacks=[Poison()])
    assert len(read_history(tmp_path / "run" / "history.csv")) == 1
    assert all(np.isfinite(weight).all() for weight in weights_of(tmp_path / "run"))
    train(RECIPE, tiny_samples(), tmp_path / "run", resume=True)
    np.testing.assert_array_equal(weights_of(tmp_path / "run")[0], weights_of(whole_run)[0])


def test_a_damaged_backup_is_explained(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        train(RECIPE, tiny_samples(), tmp_path / "run", extra_callbacks=[StopAt(1, 0)])
    for backup in (tmp_path / "run" / "backup").iterdir():
        backup.write_bytes(backup.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="damaged"):
        train(RECIPE, tiny_samples(), tmp_path / "run", resume=True)


def test_an_export_that_disagrees_is_refused(monkeypatch: pytest.MonkeyPatch, whole_run: Path):
    network = keras.models.load_model(whole_run / "best.keras", compile=False)
    card = ModelCard("n", "a", FER2013.keys, (48, 48, 1), framing="fer2013")
    faces = list(tiny_samples(14).images)
    right = bundle._to_onnx(network)
    kernel = network.get_layer("logits").kernel
    kernel.assign(kernel * 1.01)
    monkeypatch.setattr(bundle, "_to_onnx", lambda network: right)
    with pytest.raises(ParityError, match="differ"):
        bundle.to_bundle(network, card, faces)
    with pytest.raises(ModelError, match="real faces"):
        bundle.to_bundle(network, card, [])


def test_a_damaged_network_is_one_clear_line(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"no best\.keras"):
        export.export_run(tmp_path, list(tiny_samples(7).images))
    (tmp_path / "best.keras").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ModelError, match="damaged"):
        export.export_run(tmp_path, list(tiny_samples(7).images))


def test_a_training_on_jax_resumes_too_and_is_exported_by_tensorflow(tmp_path: Path, on_jax: Run):
    on_jax(train_break_off_and_resume, tmp_path)
    whole, resumed = tmp_path / "whole", tmp_path / "broken_off"
    for ours, theirs in zip(weights_of(resumed), weights_of(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    path, parity = export.export_run(whole, list(tiny_samples(14).images))
    assert parity.largest_difference <= bundle.PARITY_TOLERANCE
    card = Classifier(path).card
    assert card.chosen["of_epochs"] == 3
    # With the temperature that JAX fitted.
    assert card.calibration is not None
    assert card.temperature == read_calibration(whole).temperature != 1
