"""Fixed variants of the training faces: what they are, and that teachers and network share them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

from mien.data.augmentation import Augmentation
from mien.errors import RecipeError
from mien.labels import FERPLUS
from mien.preprocessing import InputSpec
from mien.recognition.classifier import Classifier
from mien.samples import Split
from mien.training import objective
from mien.training import views as views_module
from mien.training.inputs import batches_of
from mien.training.recipe import Recipe
from mien.training.teachers import consult
from mien.training.trainable import EXPRESSION, FERPLUS_HEAD
from mien.training.views import Views, views_of
from onnx_factory import make_card, make_graph, with_card
from samples_factory import random_faces, samples_of

SAMPLES = samples_of(
    random_faces(40), [row % 7 for row in range(40)], ["train"] * 28 + ["validation"] * 12
)
ROWS = SAMPLES.of(Split.TRAIN)
SPEC = InputSpec(48, 48, 1)
RECIPE = Recipe(
    "student",
    "slim_resnet",
    batch_size=14,
    teacher_weight=0.5,
    teacher_views=3,
    augmentation=Augmentation(
        width_shift=0.05, height_shift=0.05, horizontal_flip=True, brightness=0.3
    ),
)


BLENDED = replace(RECIPE, teacher_mixup=0.5)


def made(recipe: Recipe = RECIPE, spec: InputSpec = SPEC) -> Views:
    views = views_of(ROWS, spec, recipe)
    assert views is not None
    return views


def teacher(path: Path) -> Path:
    graph = make_graph(gain=3.0)
    data = {"train": {"n": len(ROWS), "sha256": ROWS.sha256()}}
    path.write_bytes(with_card(graph, make_card(graph, data=data)))
    return path


def test_views_are_shifted_faces_of_their_rows_neither_flipped_nor_brighter():
    views = made().pictures
    assert views.shape == (3, 28, 48, 48, 1)
    assert views.dtype == np.uint8
    assert np.abs(views[0].astype(int) - views[1]).mean() > 3, "every view is another one"
    faces = ROWS.images.astype(float)
    for view in views[..., 0].astype(float):
        # Every view is most like its own face among all faces and all mirror images.
        both = np.concatenate([faces, faces[:, :, ::-1]]).reshape(56, -1)
        similar = np.corrcoef(np.concatenate([view.reshape(28, -1), both]))[:28, 28:]
        assert similar.argmax(axis=1).tolist() == list(range(28))
        assert abs(view.mean() - faces.mean()) < 8


def test_views_are_a_function_of_the_recipe_and_more_of_them_change_none():
    for recipe in (RECIPE, BLENDED):
        views, again = made(recipe), made(recipe)
        more = made(replace(recipe, teacher_views=4))
        for field in ("pictures", "share", "partner"):
            np.testing.assert_array_equal(getattr(views, field), getattr(again, field))
            np.testing.assert_array_equal(getattr(more, field)[:3], getattr(views, field))
        other = made(replace(recipe, seed=2))
        assert not np.array_equal(views.pictures, other.pictures)
        assert not np.array_equal(views.partner, other.partner)


def test_no_views_where_the_recipe_has_none_and_too_many_are_refused(
    monkeypatch: pytest.MonkeyPatch,
):
    assert views_of(ROWS, SPEC, replace(RECIPE, teacher_views=0)) is None
    monkeypatch.setattr(views_module, "MOST_BYTES", 3 * 28 * 48 * 48 - 1)
    with pytest.raises(RecipeError, match=r"3 views of 28 faces take .* set teacher_views lower"):
        views_of(ROWS, SPEC, RECIPE)
    with pytest.raises(RecipeError, match="no teacher_weight; set teacher_views to 0, too"):
        replace(RECIPE, teacher_weight=0.0)
    with pytest.raises(RecipeError, match="teacher_views must be at least 0"):
        replace(RECIPE, teacher_views=-1)


def test_a_share_of_the_pictures_is_blended_with_another_face_of_the_view():
    plain = made().pictures.astype(float)
    views = made(replace(BLENDED, teacher_views=3))
    assert np.all(made().share == 1)
    assert 0.3 < np.mean(views.share < 1) < 0.7
    assert views.share.min() >= 0.5
    for view, faces, share, partner in zip(
        views.pictures, plain, views.share, views.partner, strict=True
    ):
        own = share[:, np.newaxis, np.newaxis, np.newaxis]
        np.testing.assert_allclose(view, own * faces + (1 - own) * faces[partner], atol=0.51)


def test_labels_and_votes_are_blended_like_the_pictures():
    votes = np.zeros((28, 10), np.int64)
    votes[:, :2] = 6, 4  # neutral and happiness
    votes[:7] = 0
    votes[:7, 9] = 10  # not a face
    rows = replace(ROWS, votes=votes)
    recipe = replace(BLENDED, ferplus_weight=1.0)
    views = views_of(rows, SPEC, recipe)
    taught = np.full((3, 28, 7), 1 / 7, np.float32)
    targets, weights = objective.targets(rows, recipe, training=True, taught=taught, views=views)
    one_hot = np.eye(7)[rows.labels]
    share, partner = views.share, views.partner
    labels = share[..., None] * one_hot + (1 - share)[..., None] * one_hot[partner]
    np.testing.assert_allclose(targets[EXPRESSION], 0.5 * labels + 0.5 / 7, atol=1e-6)
    np.testing.assert_allclose(weights[EXPRESSION], 1, atol=1e-6)
    counted = np.arange(28) >= 7
    expected = share * counted + (1 - share) * counted[partner]
    np.testing.assert_allclose(weights[FERPLUS_HEAD], expected, atol=1e-6)
    learned = targets[FERPLUS_HEAD][expected > 0]
    np.testing.assert_allclose(learned[:, FERPLUS.index("neutral")], 0.6, atol=1e-6)
    np.testing.assert_allclose(learned[:, FERPLUS.index("happy")], 0.4, atol=1e-6)


@pytest.mark.parametrize("overrides", [["teacher_mixup=1.1"], ["teacher_views=0"]])
def test_a_share_that_cannot_be_is_refused(overrides: list[str]):
    with pytest.raises(RecipeError, match=r"teacher_mixup must lie in \[0, 1\], and needs"):
        BLENDED.replace(overrides)


def test_teachers_are_asked_about_every_view_and_its_mirror_image(tmp_path: Path):
    path = teacher(tmp_path / "a.onnx")
    views = made()
    seen: list[tuple[int, int]] = []
    teaching = consult([path], ROWS, tmp_path, views, lambda *done: seen.append(done))
    assert teaching.targets.shape == (3, 28, 7)
    for view, targets in zip(views.pictures[..., 0], teaching.targets, strict=True):
        said, of_mirrored = (
            Classifier(path).probabilities(faces) for faces in (view, view[:, :, ::-1])
        )
        expected = (said + of_mirrored) / 2
        np.testing.assert_allclose(targets, expected, atol=1e-6)
    assert seen[-1] == (84, 84)


def test_teachers_are_asked_about_colour_views(tmp_path: Path):
    views = made(spec=InputSpec(64, 64, 3))
    assert views.pictures.shape == (3, 28, 64, 64, 3)
    teaching = consult([teacher(tmp_path / "a.onnx")], ROWS, tmp_path, views)
    assert teaching.targets.shape == (3, 28, 7)


@pytest.mark.parametrize("first_epoch", [0, 4])
def test_epochs_show_the_views_in_turn_with_their_own_targets(first_epoch: int, tmp_path: Path):
    views = made()
    teaching = consult([teacher(tmp_path / "a.onnx")], ROWS, tmp_path, views)
    parts = {split: SAMPLES.of(split) for split in (Split.TRAIN, Split.VALIDATION)}
    train, validation = batches_of(parts, SPEC, RECIPE, teaching, views)
    train.first_epoch = first_epoch
    one_hot = np.eye(7)[ROWS.labels]
    for epoch in range(4):
        view = (first_epoch + epoch) % 3
        order = np.random.default_rng((RECIPE.seed, first_epoch + epoch)).permutation(28)
        images = np.concatenate([train[2 * epoch + step][0] for step in (0, 1)])
        targets = np.concatenate([train[2 * epoch + step][1][EXPRESSION] for step in (0, 1)])
        np.testing.assert_array_equal(images, views.pictures[view][order])
        expected = (0.5 * one_hot + 0.5 * teaching.targets[view])[order]
        np.testing.assert_allclose(targets, expected, atol=1e-6)
    np.testing.assert_array_equal(validation[0][0][..., 0], SAMPLES.images[28:])


def test_what_is_drawn_anew_leaves_the_warp_to_the_views():
    assert RECIPE.drawn_augmentation == Augmentation(horizontal_flip=True, brightness=0.3)
    without = replace(RECIPE, teacher_views=0)
    assert without.drawn_augmentation == RECIPE.augmentation
