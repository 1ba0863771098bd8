"""Teachers in the training graph: what they see, what is learned of them, what is kept."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from mien import zoo
from mien.data.augmentation import Augmentation
from mien.data.unlabelled import Unlabelled, read_unlabelled
from mien.errors import RecipeError, TrainingError
from mien.formats.saving import export_to
from mien.labels import FER2013
from mien.model.card import ModelCard
from mien.preprocessing import InputSpec
from mien.recognition.classifier import Classifier
from mien.samples import Split
from mien.training import objective
from mien.training.export import card_of_run
from mien.training.live_teachers import find_teacher, live_teachers
from mien.training.metrics import epoch_metrics
from mien.training.recipe import Recipe
from mien.training.run import train
from mien.training.teacher_layer import LiveTeachers, Reading
from mien.training.teachers import read_teachers
from mien.training.trainable import EXPRESSION, TEACHER_HEAD, trainable_copy
from onnx_factory import make_card, make_graph, with_card
from samples_factory import class_folders, random_faces, samples_of

SPEC = InputSpec(48, 48, 1)
SAMPLES = samples_of(
    random_faces(40), [row % 7 for row in range(40)], ["train"] * 28 + ["validation"] * 12
)
ROWS = SAMPLES.of(Split.TRAIN)
OPTIONS = {"stem": 8, "widths": [16], "depths": [1]}
STUDENT = Recipe(
    "student",
    "slim_resnet",
    architecture_options=OPTIONS,
    epochs=2,
    batch_size=14,
    learning_rate=0.05,
    teacher_weight=0.8,
    teaching="live",
    tensorboard=False,
)
FACES = ROWS.images[:6, ..., np.newaxis].astype(np.float32)


def teacher(path: Path, seed: int = 0, **changes: object) -> Path:
    graph = make_graph(seed=seed, gain=3.0)
    data = {"train": {"n": len(ROWS), "sha256": ROWS.sha256()}}
    card = make_card(graph, **{"data": data, "name": f"teacher {seed}", **changes})
    path.write_bytes(with_card(graph, card))
    return path


def keras_teacher(path: Path) -> Path:
    """A random network of the zoo, with its card."""
    keras.utils.set_random_seed(5)
    network = zoo.build("slim_resnet", SPEC, 7, **OPTIONS)
    data = {"train": {"n": len(ROWS), "sha256": ROWS.sha256()}}
    card = ModelCard(path.stem, "slim_resnet", FER2013.keys, SPEC.shape, "fer2013", data=data)
    export_to("keras", network, card, list(ROWS.images[:2]), path)
    return path


def layer_of(paths: Sequence[Path], tmp_path: Path, **changes: object) -> LiveTeachers:
    return live_teachers(paths, ROWS, SPEC, tmp_path / "run", replace(STUDENT, **changes))[0]


def faces_without_labels(tmp_path: Path) -> Unlabelled:
    class_folders(tmp_path / "faces", ["a", "b/c"], per_folder=5)
    return read_unlabelled([tmp_path / "faces"])


def test_they_say_the_mean_of_all_for_a_picture_and_its_mirror_image(tmp_path: Path):
    paths = [teacher(tmp_path / f"{seed}.onnx", seed) for seed in (0, 1)]
    views = [ROWS.images[:6], ROWS.images[:6, :, ::-1]]
    each = np.array([[Classifier(p).probabilities(view) for view in views] for p in paths])
    said = layer_of(paths, tmp_path)(FACES, training=True)
    np.testing.assert_allclose(said, each.mean(axis=(0, 1)), atol=1e-6)
    said = layer_of(paths, tmp_path, teacher_mirror=False)(FACES, training=True)
    np.testing.assert_allclose(said, each[:, 0].mean(axis=0), atol=1e-6)
    assert np.ptp(each, axis=1).max() > 0.05, "a mirror image is another picture to them"
    assert not np.any(layer_of(paths, tmp_path)(FACES, training=False))


def test_temperature_softens_what_they_say_and_what_the_network_says(tmp_path: Path):
    path = teacher(tmp_path / "a.onnx")
    logits = Classifier(path).logits(FACES) / 3
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    layer = layer_of([path], tmp_path, teacher_mirror=False, teacher_temperature=3.0)
    said = np.asarray(layer(FACES, training=True))
    np.testing.assert_allclose(said, expected, atol=1e-5)
    # Where both agree the loss is 9 times the entropy of the softened distribution.
    both = np.concatenate([3 * np.log(said), said], axis=1)
    loss = objective.TaughtLoss(3.0).call(np.zeros((6, 1)), keras.ops.convert_to_tensor(both))
    np.testing.assert_allclose(loss, -9 * (said * np.log(said)).sum(axis=1), rtol=1e-5)


def test_a_keras_network_is_asked_in_the_graph_and_never_trained():
    network = zoo.build("slim_resnet", SPEC, 7, **OPTIONS)
    expected = keras.ops.softmax(network(FACES, training=False) / 2)
    reading = Reading((6, 5, 4, 3, 2, 1, 0), 2.0)
    layer = LiveTeachers([], [network], [reading], classes=7, mirror=False)
    np.testing.assert_allclose(layer(FACES, training=True), expected[:, ::-1], atol=1e-6)
    assert layer.weights and not layer.trainable_weights


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_keras_file_says_what_its_network_says(precision: str, tmp_path: Path):
    path = keras_teacher(tmp_path / "b.keras")
    network = keras.models.load_model(path, compile=False)
    expected = keras.ops.softmax(network(FACES, training=False))
    layer = layer_of([path], tmp_path, teacher_mirror=False, precision=precision)
    np.testing.assert_allclose(layer(FACES, training=True), expected, atol=2e-2)


def test_a_run_folder_stands_for_its_onnx_file_or_its_keras_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "best.keras").write_bytes(b"")
    assert find_teacher(str(tmp_path)) == tmp_path / "best.keras"
    (tmp_path / "model.onnx").write_bytes(b"")
    assert find_teacher(str(tmp_path)) == tmp_path / "model.onnx"
    assert find_teacher(str(tmp_path / "best.keras")) == tmp_path / "best.keras"
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert find_teacher(str(tmp_path)) == tmp_path / "best.keras"


def test_the_network_learns_from_the_very_picture_that_they_see(tmp_path: Path):
    recipe = replace(STUDENT, augmentation=Augmentation(width_shift=0.3, contrast=0.5))
    layer = layer_of([teacher(tmp_path / "a.onnx")], tmp_path, teacher_mirror=False)
    model, copy = trainable_copy(zoo.build("slim_resnet", SPEC, 7, **OPTIONS), recipe, layer)
    seen = keras.Model(model.input, {"crop": layer.input, **model.output})
    outputs = seen(ROWS.images[:6, ..., np.newaxis], training=True)
    crop = np.asarray(outputs["crop"])
    assert np.abs(crop - FACES).max() > 10, "the picture was changed"
    logits, said = np.split(np.asarray(outputs[TEACHER_HEAD]), 2, axis=1)
    np.testing.assert_array_equal(logits, outputs[EXPRESSION])
    np.testing.assert_allclose(said, layer(crop, training=True), atol=1e-6)
    assert layer not in copy.layers


def test_they_see_pictures_before_their_damage(tmp_path: Path):
    recipe = replace(STUDENT, augmentation=Augmentation(damage_probability=1.0))
    layer = layer_of([teacher(tmp_path / "a.onnx")], tmp_path, teacher_mirror=False)
    network = zoo.build("slim_resnet", SPEC, 7, **OPTIONS)
    model, copy = trainable_copy(network, recipe, layer)
    (damage,) = (one for one in model.layers if one.name == "random_damage")
    parts = {"crop": layer.input, "harmed": damage.output, **model.output}
    outputs = keras.Model(model.input, parts)(ROWS.images[:6, ..., np.newaxis], training=True)
    crop, harmed = np.asarray(outputs["crop"]), np.asarray(outputs["harmed"])
    np.testing.assert_array_equal(crop, ROWS.images[:6, ..., np.newaxis])
    assert np.abs(harmed - crop).reshape(6, -1).max(axis=1).min() > 10
    said = np.split(np.asarray(outputs[TEACHER_HEAD]), 2, axis=1)[1]
    np.testing.assert_allclose(said, layer(crop, training=True), atol=1e-6)
    assert damage not in copy.layers


def test_weights_of_labels_and_teachers_add_up():
    heads, weights = objective.targets(ROWS, STUDENT, training=True)
    np.testing.assert_array_equal(heads[EXPRESSION], np.eye(7, dtype=np.float32)[ROWS.labels])
    np.testing.assert_allclose(weights[EXPRESSION], 0.2, atol=1e-6)
    np.testing.assert_allclose(weights[TEACHER_HEAD], 0.8, atol=1e-6)
    _, weights = objective.targets(ROWS, STUDENT)
    assert weights[EXPRESSION].min() == 1 and not weights[TEACHER_HEAD].any()


def test_rows_without_a_label_do_not_count_in_the_metrics():
    targets = np.eye(7, dtype=np.float32)[[0, 1, 2, 3]]
    targets[3] = 0
    logits = np.eye(7, dtype=np.float32)[[0, 1, 3, 0]]
    for metric in epoch_metrics():
        whole, three = type(metric)(name="a"), type(metric)(name="b")
        whole.update_state(targets, logits)
        three.update_state(targets[:3], logits[:3])
        assert float(whole.result()) == pytest.approx(float(three.result()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teaching": "live"}, "no teacher_weight"),
        ({"teaching": "live", "teacher_weight": 0.5, "teacher_views": 2}, "set teacher_views"),
        ({"teaching": "now"}, "teaching must be one of stored, live"),
        ({"teacher_temperature": 2.0, "teacher_weight": 0.5}, "only with teaching=live"),
        ({"teacher_temperature": 0.0}, "teacher_temperature must be above 0"),
        ({"unlabelled_share": 0.5}, "needs teaching=live"),
        ({"teaching": "live", "teacher_weight": 1.0, "unlabelled_share": 1.0}, r"in \[0, 1\)"),
    ],
)
def test_impossible_recipes_are_told(changes: dict[str, object], message: str):
    with pytest.raises(RecipeError, match=message):
        replace(Recipe("r", "slim_resnet"), **changes)


def test_faces_without_labels_and_the_recipe_go_together(tmp_path: Path):
    path = teacher(tmp_path / "a.onnx")
    with pytest.raises(RecipeError, match="name them: --unlabelled"):
        train(replace(STUDENT, unlabelled_share=0.2), SAMPLES, tmp_path / "run", teachers=[path])
    found = faces_without_labels(tmp_path)
    with pytest.raises(RecipeError, match="leave out --unlabelled"):
        train(STUDENT, SAMPLES, tmp_path / "run", teachers=[path], unlabelled=found)
    assert not (tmp_path / "run").exists()


def test_other_classes_rows_and_inputs_are_refused(tmp_path: Path):
    strange = teacher(tmp_path / "a.onnx", labels=(*FER2013.keys[:6], "contempt"))
    with pytest.raises(RecipeError, match="knows"):
        layer_of([strange], tmp_path)
    with pytest.raises(RecipeError, match="not trained on the rows"):
        layer_of([teacher(tmp_path / "b.onnx", data={})], tmp_path)
    with pytest.raises(RecipeError, match=r"takes pictures of 48 x 48 x 1 and .* 64 x"):
        live_teachers([teacher(tmp_path / "c.onnx")], ROWS, InputSpec(64, 64, 1), tmp_path, STUDENT)


@pytest.mark.usefixtures("no_export")
def test_a_run_without_any_labels_learns_and_says_of_whom(tmp_path: Path):
    path = teacher(tmp_path / "a.onnx")
    recipe = replace(
        STUDENT,
        epochs=12,
        teacher_weight=1.0,
        unlabelled_share=0.5,
        unlabelled_credit="somebody, CC BY 4.0",
    )
    found = faces_without_labels(tmp_path)
    run = train(recipe, SAMPLES, tmp_path / "run", teachers=[path], unlabelled=found)
    network = keras.models.load_model(run.folder / "best.keras", compile=False)
    student = network(ROWS.images[..., np.newaxis].astype(np.float32), training=False)
    said = Classifier(path).probabilities(ROWS.images)
    assert (np.argmax(student, axis=1) == said.argmax(axis=1)).mean() > 0.5
    card = card_of_run(run.folder, network)
    assert card.data["teachers"] == read_teachers(run.folder)
    assert [each["name"] for each in card.data["teachers"]] == ["teacher 0"]
    others = card.data["unlabelled"]
    assert (others["n"], others["credit"]) == (10, "somebody, CC BY 4.0")
    assert [each["source"] for each in others["sources"]] == ["faces"]
    assert len(others["sources"][0]["sha256"]) == 64
    for row in run.history:
        # Without labels all of the loss is the teachers', and validation has none of theirs.
        assert row["loss"] == pytest.approx(row["teacher_loss"])
        assert row["val_loss"] > 0 == row["val_teacher_loss"]


def stop(row: dict[str, float]) -> None:
    raise KeyboardInterrupt


def assert_same_weights(folder: Path, name: str) -> None:
    """The networks of the runs ``whole`` and ``broken`` are alike, bit by bit."""
    whole, broken = (
        keras.models.load_model(folder / run / name, compile=False).get_weights()
        for run in ("whole", "broken")
    )
    for a, b in zip(whole, broken, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("no_export")
def test_a_resumed_run_ends_with_the_same_weights_and_keeps_no_teacher(tmp_path: Path):
    recipe = replace(
        STUDENT,
        augmentation=Augmentation(width_shift=0.1, horizontal_flip=True, mixup_alpha=0.3),
        unlabelled_share=0.5,
        ferplus_weight=1.0,
        ema_momentum=0.9,
    )
    votes = np.tile(np.array([0, 0, 10] + 7 * [0]), (40, 1))
    samples = replace(SAMPLES, votes=votes)
    found = faces_without_labels(tmp_path)
    paths = [teacher(tmp_path / "a.onnx")]
    train(recipe, samples, tmp_path / "whole", teachers=paths, unlabelled=found)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, samples, tmp_path / "broken", teachers=paths, unlabelled=found, progress=stop)
    again = {"unlabelled": found, "resume": True}
    other = teacher(tmp_path / "b.onnx", 1)
    with pytest.raises(TrainingError, match="other teachers"):
        train(recipe, samples, tmp_path / "broken", teachers=[other], **again)
    train(recipe, samples, tmp_path / "broken", teachers=paths, **again)
    for name in ("best.keras", "best_ferplus.keras"):
        assert_same_weights(tmp_path, name)
    kept = keras.models.load_model(tmp_path / "whole" / "best.keras", compile=False)
    plain = zoo.build("slim_resnet", SPEC, 7, **OPTIONS)
    assert [each.name for each in kept.layers] == [each.name for each in plain.layers]


JAX_TRAINING = """
import sys
from dataclasses import replace
from pathlib import Path
import keras
folder, tests = map(Path, sys.argv[1:])
sys.path.insert(0, str(tests))
from mien.data.augmentation import Augmentation
from mien.training.run import train
from test_live_teachers import (
    SAMPLES, STUDENT, faces_without_labels, keras_teacher, stop, teacher
)
assert keras.backend.backend() == "jax"
# One outside of the graph and one within it.
masters = [teacher(folder / "a.onnx"), keras_teacher(folder / "b.keras")]
recipe = replace(
    STUDENT,
    augmentation=Augmentation(width_shift=0.1, mixup_alpha=0.3),
    unlabelled_share=0.5,
    precision="mixed_bfloat16",
)
found = faces_without_labels(folder)
train(recipe, SAMPLES, folder / "whole", teachers=masters, unlabelled=found)
try:
    train(recipe, SAMPLES, folder / "broken", teachers=masters, unlabelled=found, progress=stop)
except KeyboardInterrupt:
    pass
train(recipe, SAMPLES, folder / "broken", teachers=masters, unlabelled=found, resume=True)
"""


@pytest.mark.slow
def test_on_jax_both_kinds_teach_and_a_resumed_run_ends_the_same(tmp_path: Path):
    pytest.importorskip("jax", reason="needs JAX")
    subprocess.run(
        [sys.executable, "-c", JAX_TRAINING, tmp_path, Path(__file__).parent],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    assert_same_weights(tmp_path, "best.keras")
    assert [each["name"] for each in read_teachers(tmp_path / "whole")] == ["teacher 0", "b"]
