"""Learning from other networks: what they are asked, who is refused, what a resumed run reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from mien.data.augmentation import Augmentation
from mien.errors import RecipeError, TrainingError
from mien.labels import FER2013, FERPLUS
from mien.recognition.classifier import Classifier
from mien.samples import Split
from mien.training import objective
from mien.training.recipe import Recipe
from mien.training.run import train
from mien.training.teachers import TARGETS, consult, read_teachers, write_teaching
from mien.training.trainable import EXPRESSION
from onnx_factory import make_card, make_graph, with_card, write_model
from samples_factory import random_faces, samples_of

SAMPLES = samples_of(
    random_faces(40), [row % 7 for row in range(40)], ["train"] * 28 + ["validation"] * 12
)
ROWS = SAMPLES.of(Split.TRAIN)
VOTED = replace(SAMPLES, votes=np.tile(np.array([0, 0, 10] + 7 * [0]), (40, 1)))
STUDENT = Recipe(
    "student",
    "slim_resnet",
    architecture_options={"stem": 8, "widths": [16], "depths": [1]},
    learning_rate=0.05,
    ferplus_weight=1.0,
)
TRAINED_ON = {"train": {"n": len(ROWS), "sha256": ROWS.sha256()}}


def teacher(path: Path, seed: int = 0, **changes: object) -> Path:
    graph = make_graph(seed=seed, gain=3.0)
    card = make_card(graph, **{"data": TRAINED_ON, "name": f"teacher {seed}", **changes})
    path.write_bytes(with_card(graph, card))
    return path


def test_teachers_say_the_mean_for_a_face_and_its_mirror_image(tmp_path: Path):
    paths = [teacher(tmp_path / f"{seed}.onnx", seed) for seed in (0, 1)]
    seen: list[tuple[int, int]] = []
    teaching = consult(paths, ROWS, tmp_path / "run", progress=lambda *done: seen.append(done))
    views = [ROWS.images, ROWS.images[:, :, ::-1]]
    each = [Classifier(path).probabilities(view) for path in paths for view in views]
    np.testing.assert_allclose(teaching.targets, np.mean(each, axis=0), atol=1e-6)
    assert teaching.targets.dtype == np.float32
    assert np.ptp(each, axis=0).max() > 0.05, "the four differ, so their mean says something"
    assert seen == [(28, 28)]
    assert [each["name"] for each in teaching.teachers] == ["teacher 0", "teacher 1"]


def test_a_teachers_classes_are_matched_by_name(tmp_path: Path):
    straight = consult([teacher(tmp_path / "a.onnx")], ROWS, tmp_path)
    turned = teacher(tmp_path / "b.onnx", labels=FER2013.keys[::-1])
    reversed_ = consult([turned], ROWS, tmp_path)
    np.testing.assert_allclose(reversed_.targets, straight.targets[:, ::-1], atol=1e-7)


def test_other_classes_and_other_rows_are_refused(tmp_path: Path):
    strange = teacher(tmp_path / "a.onnx", labels=(*FER2013.keys[:6], "contempt"))
    with pytest.raises(RecipeError, match=r"knows .*contempt, but the faces are labelled"):
        consult([strange], ROWS, tmp_path)
    for data in ({}, {"train": {"n": 40, "sha256": SAMPLES.sha256()}}):
        other = teacher(tmp_path / "b.onnx", data=data)
        with pytest.raises(
            RecipeError, match=r"not trained on the rows .* may know the validation"
        ):
            consult([other], ROWS, tmp_path)


def test_a_resumed_run_reads_what_the_teachers_said(tmp_path: Path):
    path = teacher(tmp_path / "a.onnx")
    first = consult([path], ROWS, tmp_path)
    write_teaching(tmp_path, replace(first, targets=first.targets[::-1].copy()))
    again = consult([path], ROWS, tmp_path)
    np.testing.assert_array_equal(again.targets, first.targets[::-1])
    with pytest.raises(TrainingError, match=r"other teachers, .*\(teacher 0, SHA-256"):
        consult([teacher(tmp_path / "c.onnx", 1)], ROWS, tmp_path)
    with pytest.raises(TrainingError, match="of other faces"):
        consult([path], SAMPLES, tmp_path)
    with pytest.raises(RecipeError, match="named twice"):
        consult([path, path], ROWS, tmp_path)
    (tmp_path / TARGETS).write_bytes(b"\x93NUMPY")
    with pytest.raises(TrainingError, match="missing or damaged"):
        consult([path], ROWS, tmp_path)


def test_targets_blend_labels_and_teachers():
    recipe = Recipe("r", "slim_resnet", teacher_weight=0.25)
    taught = np.full((len(ROWS), 7), 1 / 7, np.float32)
    heads, _ = objective.targets(ROWS, recipe, training=True, taught=taught)
    expected = 0.75 * np.eye(7)[ROWS.labels] + 0.25 / 7
    np.testing.assert_allclose(heads[EXPRESSION], expected, atol=1e-6)


def test_a_recipe_and_its_teachers_go_together(tmp_path: Path):
    alone = Recipe("r", "slim_resnet")
    taught = replace(alone, teacher_weight=0.5)
    with pytest.raises(RecipeError, match="learns from teachers; name them: --teacher"):
        train(taught, SAMPLES, tmp_path / "run")
    with pytest.raises(RecipeError, match="does not learn from teachers; leave out --teacher"):
        train(alone, SAMPLES, tmp_path / "run", teachers=[write_model(tmp_path / "a.onnx")])
    with pytest.raises(RecipeError, match=r"teacher_weight must lie in \[0, 1\]"):
        replace(alone, teacher_weight=1.5)
    assert not (tmp_path / "run").exists()


def test_a_taught_network_says_by_whom_and_keeps_its_second_head(tmp_path: Path):
    recipe = replace(
        STUDENT,
        epochs=5,
        batch_size=7,
        teacher_weight=1.0,
    )
    path = teacher(tmp_path / "a.onnx")
    run = train(recipe, VOTED, tmp_path / "run", teachers=[path])
    assert run.bundle is not None
    card = Classifier(run.bundle).card
    assert card.data["teachers"] == read_teachers(run.folder)
    assert [each["name"] for each in read_teachers(run.folder)] == ["teacher 0"]

    second = Classifier(run.folder / "ferplus.onnx")
    assert second.card.name == "student-ferplus"
    assert second.label_set == FERPLUS
    assert second.card.chosen == card.chosen
    both = [each.probabilities(SAMPLES.images) for each in (Classifier(run.bundle), second)]
    assert both[1].shape == (40, 8)
    # All votes are for surprise, so the second head has learned something the first was not told.
    surprise = FERPLUS.index("surprise")
    assert both[1][:, surprise].mean() > both[0][:, surprise].mean() + 0.02


@pytest.mark.parametrize("text", ["", "[1]", "[{}]", "5", "null", '{"name": "a"}'])
def test_a_damaged_list_of_teachers_is_told(text: str, tmp_path: Path):
    (tmp_path / "teachers.json").write_text(text)
    with pytest.raises(TrainingError, match=r"teachers\.json is damaged"):
        read_teachers(tmp_path)


@pytest.mark.parametrize("teacher_views", [0, 2])
def test_a_resumed_student_ends_with_the_same_weights(teacher_views: int, tmp_path: Path):
    recipe = replace(
        STUDENT,
        epochs=2,
        batch_size=14,
        teacher_weight=0.5,
        teacher_views=teacher_views,
        augmentation=Augmentation(width_shift=0.1, horizontal_flip=True, contrast=0.2),
        tensorboard=False,
    )
    path = teacher(tmp_path / "a.onnx")
    train(recipe, VOTED, tmp_path / "whole", teachers=[path])

    def stop(row: dict[str, float]) -> None:
        raise KeyboardInterrupt

    # After the second head's network was written, and before the epoch counts as done.
    with pytest.raises(KeyboardInterrupt):
        train(recipe, VOTED, tmp_path / "broken", teachers=[path], progress=stop)
    run = train(recipe, VOTED, tmp_path / "broken", teachers=[path], resume=True)
    for name in ("best.keras", "best_ferplus.keras"):
        whole, broken = (
            keras.models.load_model(tmp_path / folder / name, compile=False).get_weights()
            for folder in ("whole", "broken")
        )
        assert all(np.array_equal(a, b) for a, b in zip(whole, broken, strict=True))
    assert (run.folder / "ferplus.onnx").is_file()
