import itertools
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from mien.data import batches as batches_module
from mien.data.batches import Batches, own_errors
from mien.errors import ImageError
from mien.preprocessing import InputSpec
from mien.samples import Image, Samples
from samples_factory import random_faces, samples_of

SPEC = InputSpec(48, 48, 1)


class OnAccess:
    """Pictures decoded on access, as those of a folder."""

    def __init__(self, images: Sequence[Image]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Image:
        if self.images[index].size == 0:
            raise ImageError(f"picture {index} is damaged")
        return self.images[index]

    def encoded(self, index: int) -> bytes:
        return self.images[index].tobytes()

    def take(self, indices: np.ndarray) -> "OnAccess":
        return OnAccess([self.images[i] for i in indices])


def make(n: int = 10, *, images: object = None, **options: object) -> Batches:
    labels = [row % 7 for row in range(n)]
    samples = samples_of(random_faces(n), labels, ["train"] * n)
    if images is not None:
        samples = Samples(
            OnAccess(images), samples.labels, samples.splits, samples.label_set, samples.names, "x"
        )
    targets = {"expression": np.eye(n, dtype=np.float32)}
    weights = {"expression": np.arange(n, dtype=np.float32)}
    return Batches(samples, SPEC, targets, weights, batch_size=4, **options)


def rows(batches: Batches, indices: Sequence[int]) -> list[int]:
    return [int(row) for i in indices for row in batches[i][2]["expression"]]


def test_without_a_seed_rows_come_once_in_order():
    batches = make()
    assert (batches.num_batches, batches.steps_per_epoch) == (3, 3)
    assert rows(batches, range(3)) == list(range(10))
    images, targets, _ = batches[2]
    assert (images.dtype, images.shape) == (np.uint8, (2, 48, 48, 1))
    assert targets["expression"].argmax(axis=1).tolist() == [8, 9]


def test_every_epoch_holds_every_row_once_in_another_order():
    batches = make(seed=5)
    assert batches.num_batches is None
    first, second = rows(batches, range(3)), rows(batches, range(3, 6))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert first != rows(make(seed=6), range(3))


def test_a_batch_depends_on_seed_epoch_and_step_alone():
    whole, resumed = make(seed=5), make(seed=5)
    resumed.first_epoch = 2
    expected = rows(whole, range(6, 9))
    assert rows(resumed, [2, 0, 1]) == expected[8:] + expected[:4] + expected[4:8]


def test_pictures_belong_to_their_rows():
    faces = random_faces(10)
    images, _, weights = make(seed=5)[1]
    for image, row in zip(images, weights["expression"], strict=True):
        np.testing.assert_array_equal(image[..., 0], faces[int(row)])


def test_pictures_on_access_are_prepared_alike_whatever_their_size():
    faces = list(random_faces(10, side=30))
    faces[3] = np.repeat(random_faces(1, side=96)[0][..., np.newaxis], 3, axis=2)
    batches = make(images=faces)
    assert batches.workers > 1
    images, _, _ = batches[0]
    assert (images.dtype, images.shape) == (np.uint8, (4, 48, 48, 1))
    small = faces[3].reshape(48, 2, 48, 2, 3).mean(axis=(1, 3, 4))
    np.testing.assert_allclose(images[3][..., 0], small, atol=1.01)


def test_mixup_blends_in_training_only_and_repeats():
    mixing, resumed = make(seed=5, mixup_alpha=1.0), make(seed=5, mixup_alpha=1.0)
    resumed.first_epoch = 1
    images, targets, _ = mixing[4]
    again, targets_again, _ = resumed[1]
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(targets["expression"], targets_again["expression"])
    assert ((targets["expression"] > 0).sum(axis=1) > 1).any()
    _, one_hot, _ = make(mixup_alpha=1.0)[0]
    assert ((one_hot["expression"] > 0).sum(axis=1) == 1).all()


def small_model() -> keras.Model:
    inputs = keras.Input(SPEC.shape)
    outputs = keras.layers.Dense(10)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, {"expression": outputs})
    model.compile(loss="mse")
    return model


@pytest.mark.parametrize("damaged_part", ["training", "validation"])
def test_a_damaged_picture_ends_a_training_with_its_own_error(damaged_part: str):
    faces = list(random_faces(10))
    damaged = [*faces[:9], np.zeros((0, 48), np.uint8)]
    train = make(images=damaged if damaged_part == "training" else faces, seed=3)
    validation = make(images=damaged if damaged_part == "validation" else faces)
    with (
        pytest.raises(ImageError, match="picture 9 is damaged"),
        own_errors(train, validation),
    ):
        small_model().fit(
            train, validation_data=validation, steps_per_epoch=3, shuffle=False, verbose=0
        )


def test_other_errors_pass():
    with pytest.raises(ValueError, match="something else"), own_errors(make()):
        raise ValueError("something else")


def test_what_is_read_ahead_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch):
    assert make().max_queue_size == 16
    monkeypatch.setattr(batches_module, "QUEUE_BYTES", 5 * 4 * 48 * 48)
    assert make().max_queue_size == 5
    monkeypatch.setattr(batches_module, "QUEUE_BYTES", 1)
    assert make().max_queue_size == 2


class Recorder(keras.Model):
    """A model that notes the rows of each step instead of learning."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def call(self, images: object) -> object:
        return images

    def train_step(self, data: tuple) -> dict[str, float]:
        self.rows += [int(row) for row in data[2]["expression"]]
        return {"loss": 0.0}


def test_keras_gets_every_row_in_order_over_epochs_from_files():
    """Keras stops its reading threads between epochs; no row may be lost or come twice."""
    faces = list(random_faces(10))
    model = Recorder()
    model.compile(loss="mse", run_eagerly=True)
    model.fit(make(images=faces, seed=5), epochs=3, steps_per_epoch=3, shuffle=False, verbose=0)
    assert model.rows == rows(make(seed=5), range(9))


def with_others(n: int = 10, others: int = 5, **options: object) -> Batches:
    """Batches whose unlabelled pictures are black, one pixel with their number apart."""
    images = np.zeros((others, 48, 48), np.uint8)
    images[:, 0, 0] = np.arange(others)
    return make(
        n,
        seed=5,
        unlabelled=images,
        unlabelled_weights={"teacher": 1.0, "expression": 0},
        **options,
    )


def test_a_share_of_every_batch_has_no_label():
    batches = with_others(unlabelled_share=0.5)
    assert batches.steps_per_epoch == 5
    labelled, others = [], []
    for step in range(10):
        images, targets, weights = batches[step]
        assert images.shape == (4, 48, 48, 1)
        assert not images[2:, 1:].any() and not targets["expression"][2:].any()
        assert not weights["expression"][2:].any()
        labelled += weights["expression"][:2].astype(int).tolist()
        others += images[2:, 0, 0, 0].tolist()
    # An epoch is one pass over the labelled rows; the others come again when all have been seen.
    assert sorted(labelled[:10]) == sorted(labelled[10:]) == list(range(10))
    for first in range(0, 20, 5):
        assert sorted(others[first : first + 5]) == list(range(5))
    assert others[:5] != others[5:10] != others[10:15]


def test_unlabelled_pictures_of_a_step_depend_on_the_seed_and_the_step_alone():
    whole, resumed = with_others(unlabelled_share=0.25), with_others(unlabelled_share=0.25)
    resumed.first_epoch = 3
    expected = [whole[4 * 3 + step][0] for step in (2, 0, 1)]
    for step, images in zip((2, 0, 1), expected, strict=True):
        np.testing.assert_array_equal(resumed[step][0], images)


def test_a_blend_with_an_unlabelled_picture_keeps_its_label_at_less_weight():
    batches = with_others(unlabelled_share=0.5, mixup_alpha=5.0)
    _, targets, weights = batches[0]
    labelled = weights["expression"] > 0
    # What is left of a label is a whole distribution; its weight says how much of it there is.
    np.testing.assert_allclose(targets["expression"][labelled].sum(axis=1), 1, atol=1e-6)
    assert not targets["expression"][~labelled].any()
    assert not float(weights["expression"].sum()).is_integer()


def is_mirrored(picture: np.ndarray) -> bool:
    """Whether the number in the upper left corner stands in the upper right one."""
    assert picture[0, 0, 0] == 0 or picture[0, -1, 0] == 0
    return bool(picture[0, -1, 0])


def test_alternating_flips_show_every_picture_both_ways_in_two_epochs() -> None:
    images = np.zeros((10, 48, 48), np.uint8)
    images[:, 0, 0] = np.arange(1, 11)
    batches = make(images=images, seed=3, alternating_flip=True)
    ways: list[dict[int, bool]] = [{}, {}, {}]
    for epoch, step in itertools.product(range(3), range(batches.steps_per_epoch)):
        pictures, _, weights = batches[epoch * batches.steps_per_epoch + step]
        for picture, row in zip(pictures, weights["expression"].astype(int), strict=True):
            assert picture[0].max() == row + 1
            ways[epoch][int(row)] = is_mirrored(picture)
    assert len(ways[0]) == 10 and set(ways[0].values()) == {False, True}
    assert ways[2] == ways[0] == {row: not way for row, way in ways[1].items()}
    assert not any(map(is_mirrored, make(images=images, seed=3)[0][0]))  # the layers' affair
    assert not any(map(is_mirrored, make(images=images, alternating_flip=True)[0][0]))


def test_unlabelled_pictures_alternate_by_their_own_passes() -> None:
    batches = with_others(unlabelled_share=0.5, alternating_flip=True)
    ways: dict[int, list[bool]] = {}
    for step in range(20):
        for picture in batches[step][0][2:]:
            number = int(picture[0].max())
            if number:
                ways.setdefault(number, []).append(is_mirrored(picture))
    assert sorted(ways) == [1, 2, 3, 4]
    for seen in ways.values():
        assert len(seen) == 8 and all(one != then for one, then in itertools.pairwise(seen))
