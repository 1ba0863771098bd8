"""Trainings on several devices: the same numbers on one, two and four, and whole batches."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")
pytest.importorskip("jax", reason="needs JAX")

from command_line import assert_fails_on_one_line, mien
from jax_process import Run
from jax_steps import refusals_of_devices, train_on_devices
from mien.data.batches import Batches
from mien.labels import FER2013
from mien.preprocessing import InputSpec
from mien.samples import Samples, Split
from mien.training.export import export_run
from mien.training.proof_faces import read_proof_faces
from samples_factory import fer_csv
from test_training import tiny_samples

SPEC = InputSpec(48, 48, 1)


History = list[dict[str, float]]
Trained = tuple[Path, dict[str, History]]


@pytest.fixture(scope="module")
def trained(on_jax: Run, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("devices")
    return folder, on_jax(train_on_devices, folder, {"one": 1}, 4, 2)


def assert_same(one: History, other: History) -> None:
    assert [row["epoch"] for row in other] == [1, 2, 3]
    assert len({round(row["loss"], 2) for row in one}) == 3  # it learns
    for here, there in zip(one, other, strict=True):
        for name in ("loss", "val_loss", "accuracy", "val_accuracy", "val_f1"):
            assert here[name] == pytest.approx(there[name], abs=1e-4), (name, here, there)


@pytest.mark.slow
def test_four_devices_and_then_two_give_the_losses_of_one(trained: Trained):
    assert_same(trained[1]["one"], trained[1]["resumed"])


@pytest.mark.slow
def test_all_batches_being_whole_nothing_depends_on_devices(
    on_jax: Run, trained: Trained, tmp_path: Path
):
    # Without a word about devices a batch of 32 validates, with one it is filled up to 256.
    found = on_jax(train_on_devices, tmp_path, {"none": None, "four": 4})
    for name in ("none", "four"):
        assert_same(trained[1]["one"], found[name])


@pytest.mark.slow
def test_a_spread_training_is_exported_as_any_other(trained: Trained):
    run = trained[0] / "resumed"
    assert json.loads((run / "environment.json").read_text())["devices"] == 2
    bundle, parity = export_run(run, read_proof_faces(run))
    assert bundle is not None and bundle.is_file()
    assert parity.faces == 32 and parity.largest_difference < 1e-4


@pytest.mark.slow
def test_what_cannot_be_spread_is_refused_on_one_line(on_jax: Run, trained: Trained):
    said = on_jax(refusals_of_devices, trained[0])
    assert said["none"] == "a training needs at least 1 device, not 0"
    assert "JAX has 4" in said["too many"] and "host_platform_device_count=5" in said["too many"]
    assert "batches of 18 do not divide by 4" in said["indivisible"]
    assert "--batch-size 20" in said["indivisible"]
    assert "fewer than one batch of 1024" in said["too few rows"]
    assert "live teacher teacher.onnx runs outside of the devices" in said["outside"]
    assert "began with --devices" in said["resume one"]
    assert "began without --devices" in said["resume other"]


def test_the_command_says_that_it_needs_jax(tmp_path: Path):
    images = np.zeros((16, 48, 48), np.uint8) + np.arange(16, dtype=np.uint8)[:, None, None]
    usages = ["Training"] * 12 + ["PublicTest"] * 4
    (tmp_path / "faces.csv").write_bytes(fer_csv(images, [i % 7 for i in range(16)], usages))
    (tmp_path / "r.py").write_text(
        "from mien.training.recipe import Recipe\n"
        "RECIPE = Recipe(name='r', architecture='slim_resnet', epochs=1, batch_size=8)\n"
    )
    done = mien(
        "train", "r.py", "--data", "faces.csv", "--out", "run", "--devices", 2, cwd=tmp_path
    )
    assert_fails_on_one_line(done, "KERAS_BACKEND=jax", "tensorflow")
    assert not (tmp_path / "run").exists()


def samples(rows: int) -> Samples:
    return tiny_samples(rows).of(Split.TRAIN)


def batches(rows: Samples, **options: object) -> Batches:
    one_hot = np.eye(len(FER2013), dtype=np.float32)[rows.labels]
    weights = np.ones(len(rows), np.float32)
    return Batches(rows, SPEC, {"expression": one_hot}, {"expression": weights}, **options)


def test_whole_batches_leave_other_rows_out_in_every_epoch():
    rows = samples(60)  # 40 train
    whole = batches(rows, batch_size=16, seed=3, whole=True)
    assert whole.steps_per_epoch == 2
    shown = []
    for epoch in range(8):
        steps = [whole[2 * epoch + step][0] for step in range(2)]
        assert [len(step) for step in steps] == [16, 16]
        shown.append({image.tobytes() for step in steps for image in step})
        assert len(shown[-1]) == 32
    assert len(set.union(*shown)) == 40
    assert len({frozenset(epoch) for epoch in shown}) == 8


def test_filling_changes_no_mean():
    rows = samples(60)
    filled = batches(rows, batch_size=16, whole=True)
    assert filled.num_batches == 3
    got = [filled[step] for step in range(3)]
    assert [len(images) for images, _, _ in got] == [16, 16, 16]
    targets = np.concatenate([targets["expression"] for _, targets, _ in got])
    weights = np.concatenate([weights["expression"] for _, _, weights in got])
    assert not targets[40:].any() and not weights[40:].any()
    losses = np.random.default_rng(0).random(48)
    # Keras's mean: the sum of what the rows weigh, over the number of rows.
    assert (weights * losses).mean() == pytest.approx(losses[:40].mean(), rel=1e-6)
