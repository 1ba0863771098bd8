"""Where data and model meet: classes by name, streaming, mirror images, clear errors."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import DatasetError, ModelError
from mien.evaluation.predictions import BATCH_FACES, Predictions, predict
from mien.labels import FER2013, FERPLUS, LabelSet, label_set_of
from mien.samples import Image, Samples, Split


def make_samples(
    labels: list[int], *, split: str = "test", label_set: LabelSet = FER2013
) -> Samples:
    """Faces whose every pixel is the class index, darker by 100 on the left."""
    faces = np.zeros((len(labels), 4, 4), np.uint8)
    faces += np.array(labels, np.uint8)[:, None, None]
    faces[:, :, 2:] += 100
    return Samples(
        images=faces,
        labels=np.array(labels, np.int64),
        splits=np.array([split] * len(labels), np.str_),
        label_set=label_set,
        names=[f"row {i + 2}" for i in range(len(labels))],
        source="fake.csv",
    )


def oracle(classes: int) -> object:
    """A predictor that reads the class from the top left pixel."""

    def probabilities_of(faces: Iterable[Image]) -> NDArray[np.float64]:
        indices = np.array([int(face[0, 0]) % 100 for face in faces])
        return np.eye(classes)[indices]

    return probabilities_of


def uniform(faces: Iterable[Image]) -> NDArray[np.float64]:
    return np.full((len(list(faces)), 7), 1 / 7)


def test_perfect_predictor() -> None:
    samples = make_samples([3, 0, 6, 3])
    table = predict(oracle(7), samples, Split.TEST)  # type: ignore[arg-type]
    assert table.names == ("row 2", "row 3", "row 4", "row 5")
    assert table.predicted.tolist() == table.labels.tolist() == [3, 0, 6, 3]
    assert table.correct.all() and (table.confidence == 1).all()
    assert (table.split, table.source, table.tta) == ("test", "fake.csv", "none")
    assert table.label_set is FER2013 and table.seen_duplicate is None
    assert table.probabilities.dtype == np.float64


def test_only_the_split_is_touched_and_duplicates_follow() -> None:
    samples = make_samples([0, 1, 2, 3])
    samples = replace(samples, splits=np.array(["train", "test", "train", "test"]))
    seen = np.array([False, True, False, False])
    table = predict(oracle(7), samples, Split.TEST, seen_duplicate=seen)  # type: ignore[arg-type]
    assert table.names == ("row 3", "row 5")
    assert table.seen_duplicate is not None
    assert table.seen_duplicate.tolist() == [True, False]


def test_models_classes_in_another_order_are_matched_by_name() -> None:
    alphabetical = label_set_of(tuple(sorted(FER2013.keys)))
    samples = make_samples([3, 4, 5, 6])

    def model(faces: Iterable[Image]) -> NDArray[np.float64]:
        keys = [FER2013[int(face[0, 0])].key for face in faces]
        return np.eye(7)[[alphabetical.index(key) for key in keys]]

    table = predict(model, samples, Split.TEST, model_labels=alphabetical)
    assert table.label_set is FER2013
    assert table.correct.all()
    by_position = predict(model, samples, Split.TEST)
    assert not by_position.correct.all()


def test_model_with_more_classes_keeps_them_as_columns() -> None:
    samples = make_samples([0, 3])
    table = predict(oracle(8), samples, Split.TEST, model_labels=FERPLUS)  # type: ignore[arg-type]
    assert table.label_set is FERPLUS and table.probabilities.shape == (2, 8)


def test_class_with_rows_that_the_model_lacks_is_an_error() -> None:
    samples = make_samples([0, 7, 7], label_set=FERPLUS)
    with pytest.raises(DatasetError, match=r"2 rows are contempt.*it knows: angry, "):
        predict(oracle(7), samples, Split.TEST, model_labels=FER2013)  # type: ignore[arg-type]


def test_class_without_rows_that_the_model_lacks_is_left_out() -> None:
    samples = make_samples([0, 3], label_set=FERPLUS)
    table = predict(oracle(7), samples, Split.TEST, model_labels=FER2013)  # type: ignore[arg-type]
    assert table.label_set is FER2013 and table.correct.all()


def test_missing_class_only_matters_in_the_evaluated_split() -> None:
    samples = make_samples([7, 1], label_set=FERPLUS)
    samples = replace(samples, splits=np.array(["train", "test"]))
    table = predict(oracle(7), samples, Split.TEST, model_labels=FER2013)  # type: ignore[arg-type]
    assert len(table) == 1


def test_empty_split_names_the_splits_that_exist() -> None:
    samples = replace(make_samples([0, 1, 2]), splits=np.array(["train", "train", "validation"]))
    with pytest.raises(
        DatasetError,
        match=r"fake.csv has no split test; .*--split\): train \(2\), validation \(1\)$",
    ):
        predict(uniform, samples, Split.TEST)
    with pytest.raises(DatasetError, match="no rows at all"):
        predict(uniform, samples.of(Split.TEST), Split.TEST)


def test_flip_averages_with_the_mirror_image() -> None:
    def left_side(faces: Iterable[Image]) -> NDArray[np.float64]:
        left = np.array([face[0, 0] >= 100 for face in faces])
        rows = np.zeros((len(left), 7))
        rows[:, 0], rows[:, 1] = np.where(left, 0.2, 1.0), np.where(left, 0.8, 0.0)
        return rows

    plain = predict(left_side, make_samples([0]), Split.TEST)
    flipped = predict(left_side, make_samples([0]), Split.TEST, tta="flip")
    assert plain.probabilities[0, :2].tolist() == [1.0, 0.0]
    np.testing.assert_allclose(flipped.probabilities[0, :2], [0.6, 0.4])
    assert flipped.tta == "flip"


def test_flip_hands_over_contiguous_colour_faces() -> None:
    faces = np.zeros((2, 5, 4, 3), np.uint8)
    faces[:, :, 0] = 9
    seen = []

    def probabilities_of(batch: Iterable[Image]) -> NDArray[np.float64]:
        batch = list(batch)
        seen.append(batch)
        assert all(face.flags.c_contiguous and face.shape == (5, 4, 3) for face in batch)
        return uniform(batch)

    samples = replace(make_samples([0, 1]), images=faces)
    predict(probabilities_of, samples, Split.TEST, tta="flip")
    (both,) = seen  # one run for the faces and their mirror images
    assert len(both) == 4
    assert all(face[0, 0, 0] == 9 for face in both[:2])
    assert all(face[0, -1, 0] == 9 for face in both[2:])


class _Lazy:
    """Pictures decoded on access, which counts how many are alive at once."""

    def __init__(self, indices: NDArray[np.int64]) -> None:
        self.indices = indices
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Image:
        self.read.append(index)
        return np.zeros((2, 2), np.uint8)

    def take(self, indices: NDArray[np.int64]) -> "_Lazy":
        taken = _Lazy(self.indices[indices])
        taken.read = self.read
        return taken


def test_faces_are_streamed_in_bounded_batches() -> None:
    n = 2 * BATCH_FACES + 3
    lazy = _Lazy(np.arange(n))
    samples = replace(make_samples([0] * n), images=lazy)
    sizes, read_at_call, progress = [], [], []

    def probabilities_of(faces: Iterable[Image]) -> NDArray[np.float64]:
        rows = uniform(faces)
        sizes.append(len(rows))
        read_at_call.append(len(lazy.read))
        return rows

    table = predict(
        probabilities_of,
        samples,
        Split.TEST,
        progress=lambda done, total: progress.append((done, total)),
    )
    assert len(table) == n
    assert sizes == [BATCH_FACES, BATCH_FACES, 3]
    assert read_at_call == [BATCH_FACES, 2 * BATCH_FACES, n]
    assert lazy.read == list(range(n))
    assert progress == [(BATCH_FACES, n), (2 * BATCH_FACES, n), (n, n)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.full((2, 7), np.nan), "no probabilities for row 2 of fake.csv"),
        (np.ones((2, 7)), "no probabilities for row 2"),
        (np.vstack([np.eye(7)[0], -np.eye(7)[0]]), "no probabilities for row 3"),
        (np.full((2, 8), 1 / 8), "does not fit its network"),
    ],
)
def test_what_is_not_probabilities_is_an_error(rows: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        predict(lambda faces: rows, make_samples([0, 1]), Split.TEST)


def test_confident_errors_come_most_confident_first() -> None:
    rows = np.array([[0.6, 0.4], [0.9, 0.1], [0.8, 0.2], [0.9, 0.1]])
    table = Predictions(
        names=("a", "b", "c", "d"),
        labels=np.array([1, 1, 0, 1]),
        probabilities=rows,
        label_set=label_set_of(FER2013.keys[:2]),
        split="test",
        source="x",
    )
    assert table.confident_errors(10) == [1, 3, 0]
    assert table.confident_errors(2) == [1, 3]


def test_table_refuses_columns_that_do_not_fit() -> None:
    table = predict(uniform, make_samples([0, 1]), Split.TEST)
    for change in (
        {"names": ("a",)},
        {"labels": np.array([0, 7])},
        {"probabilities": np.ones((2, 7))},
        {"probabilities": np.ones((2, 3))},
        {"seen_duplicate": np.array([True])},
        {"names": (), "labels": np.array([], np.int64), "probabilities": np.ones((0, 7))},
    ):
        with pytest.raises(ValueError, match="expected"):
            replace(table, **change)  # type: ignore[arg-type]
