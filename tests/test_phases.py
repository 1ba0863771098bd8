"""Two-phase trainings: what learns, what is kept, and resumption in the second phase."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from mien import zoo
from mien.errors import RecipeError
from mien.preprocessing import InputSpec
from mien.training import run_folder
from mien.training.callbacks import read_history
from mien.training.monitors import Checkpoint, EarlyStopping, ReduceOnPlateau
from mien.training.phases import Phase, freeze
from mien.training.recipe import Recipe
from mien.training.run import train
from test_training import RECIPE, StopAt, tiny_samples, weights_of

FINE_TUNED = "stage1_block1_1_conv"
TWO_PHASES = replace(
    RECIPE,
    name="two-phases",
    ema_momentum=None,
    ferplus_weight=0.0,
    warmup_epochs=0.0,
    checkpoint=Checkpoint(monitor="loss"),  # falls to the last epoch, so that one is kept
    phases=(
        Phase(trainable="head", epochs=2, learning_rate=0.05),
        Phase(trainable=FINE_TUNED, epochs=3, learning_rate=0.03, freeze_statistics=True),
    ),
)


def network() -> keras.Model:
    return zoo.build("slim_resnet", InputSpec(48, 48, 1), 7, **RECIPE.architecture_options)


def learning(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if layer.trainable and layer.weights]


def test_the_head_alone_learns():
    model = network()
    freeze(model, Phase(trainable="head"), "logits")
    assert learning(model) == ["logits"]


def test_layers_learn_from_a_named_one_on_with_or_without_their_normalisation():
    model = network()
    freeze(model, Phase(trainable=FINE_TUNED), "logits")
    names = learning(model)
    assert names[0] == FINE_TUNED and "stage1_block1_1_bn" in names and "stem_conv" not in names
    freeze(model, Phase(trainable=FINE_TUNED, freeze_statistics=True), "logits")
    assert learning(model) == [name for name in names if not name.endswith("_bn")]
    freeze(model, Phase(), "logits")
    assert learning(model)[0] == "stem_conv"


def test_an_unknown_layer_is_explained_and_nothing_written(tmp_path: Path):
    recipe = replace(TWO_PHASES, phases=(Phase(trainable="block9"),))
    with pytest.raises(RecipeError, match=r"no layer 'block9' .* last layers: .*logits"):
        train(recipe, tiny_samples(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module", autouse=True)
def no_export() -> Iterator[None]:
    """No ONNX bundle at the end of a training; tests/test_training.py has those."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mien.training.run.can_export", lambda: False)
        yield


@pytest.fixture(scope="module")
def two_phases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phases") / "run"
    train(TWO_PHASES, tiny_samples(), folder)
    return folder


def test_each_phase_is_in_the_history_with_its_rate(two_phases: Path):
    history = read_history(two_phases / "history.csv")
    assert [row["phase"] for row in history] == [1, 1, 2, 2, 2]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert max(row["learning_rate"] for row in history[2:]) < 0.03 + 1e-6


def test_frozen_layers_and_statistics_do_not_move(two_phases: Path):
    keras.utils.set_random_seed(TWO_PHASES.seed)
    before = network()
    after = keras.models.load_model(two_phases / "best.keras", compile=False)
    for layer in before.layers:
        same = all(
            np.array_equal(a, b)
            for a, b in zip(
                layer.get_weights(), after.get_layer(layer.name).get_weights(), strict=True
            )
        )
        learns = layer.name == "logits" or (
            layer.name.startswith("stage1") and layer.name.endswith("conv")
        )
        assert same is (not (learns and layer.weights)), layer.name


@pytest.mark.parametrize(("epoch", "step"), [(2, 1), (4, 0)])
def test_broken_off_in_phase_two_it_resumes_there(
    two_phases: Path, tmp_path: Path, epoch: int, step: int
):
    with pytest.raises(KeyboardInterrupt):
        train(TWO_PHASES, tiny_samples(), tmp_path / "run", extra_callbacks=[StopAt(epoch, step)])
    _, position = run_folder.position(tmp_path / "run")
    assert position.epochs == epoch
    assert (position.phase, position.phase_ended) == ((0, True) if epoch == 2 else (1, False))
    train(TWO_PHASES, tiny_samples(), tmp_path / "run", resume=True)
    whole = (two_phases / "history.csv").read_text()
    assert (tmp_path / "run" / "history.csv").read_text() == whole
    for ours, theirs in zip(weights_of(tmp_path / "run"), weights_of(two_phases), strict=True):
        np.testing.assert_array_equal(ours, theirs)


WATCHED = replace(
    TWO_PHASES,
    name="watched",
    schedule="constant",
    phases=(Phase(trainable="head", epochs=8), Phase(epochs=8)),
    learning_rate=1e-9,
    early_stopping=EarlyStopping(monitor="val_accuracy", patience=3, min_delta=0.5),
    reduce_on_plateau=ReduceOnPlateau(monitor="val_accuracy", patience=2, factor=0.5),
)
"""Learns nothing, so that both watchers act."""


def test_a_phase_that_no_longer_gets_better_slows_and_ends_and_resumes_alike(tmp_path: Path):
    train(WATCHED, tiny_samples(), tmp_path / "whole")
    history = read_history(tmp_path / "whole" / "history.csv")
    assert [row["phase"] for row in history] == [1] * 4 + [2] * 4
    first = [round(row["learning_rate"] / 1e-9, 3) for row in history[:4]]
    assert first == [1, 1, 1, 0.5]
    with pytest.raises(KeyboardInterrupt):
        train(WATCHED, tiny_samples(), tmp_path / "run", extra_callbacks=[StopAt(2, 1)])
    train(WATCHED, tiny_samples(), tmp_path / "run", resume=True)
    assert read_history(tmp_path / "run" / "history.csv") == history


def test_the_watchers_and_phases_are_checked():
    with pytest.raises(RecipeError, match="needs the constant schedule"):
        replace(RECIPE, reduce_on_plateau=ReduceOnPlateau())
    with pytest.raises(ValueError, match="monitor must be one of loss, accuracy"):
        EarlyStopping(monitor="val_auc")
    with pytest.raises(ValueError, match="factor"):
        ReduceOnPlateau(factor=1.0)
    with pytest.raises(ValueError, match="epochs"):
        Phase(epochs=0)
    changed = Recipe("r", "plain_cnn").replace(["early_stopping.patience=3"])
    assert changed.early_stopping == EarlyStopping(patience=3)
    assert changed.replace(["early_stopping=null"]).early_stopping is None
    assert TWO_PHASES.replace(["phases.1.epochs=9"]).phases[1].epochs == 9
    with pytest.raises(RecipeError, match=r"has 2 entries; there is no phases\.7"):
        TWO_PHASES.replace(["phases.7.epochs=9"])


def test_every_epoch_is_kept_with_its_losses_in_its_name(tmp_path: Path):
    recipe = replace(RECIPE, epochs=2, warmup_epochs=0.0).replace(["checkpoint.every_epoch=true"])
    train(recipe, tiny_samples(), tmp_path / "run")
    with (tmp_path / "run" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == [
        f"epoch_{int(float(row['epoch'])):02d}-loss_{float(row['loss']):.4f}"
        f"-val_loss_{float(row['val_loss']):.4f}.keras"
        for row in rows
    ]
    kept = keras.models.load_model(tmp_path / "run" / "checkpoints" / names[0], compile=False)
    assert kept.name == "slim_resnet"
