"""Other labels than the data's own: what is kept, what is left out, what is said."""

import numpy as np

from mien.evaluation.relabel import relabel
from mien.labels import FER2013, FERPLUS
from mien.samples import Samples, Split


def make_samples() -> Samples:
    return Samples(
        images=np.arange(6, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2),
        labels=np.array([0, 1, 2, 3, 4, 5]),
        splits=np.array(["train", "test", "test", "test", "test", "validation"]),
        label_set=FER2013,
        names=[f"row {i}" for i in range(6)],
        source="x.csv",
    )


NEW = np.array([-1, 6, -1, 7, 3, 0])


def test_rows_without_label_or_unknown_to_the_model_are_left_out_and_counted() -> None:
    result = relabel(
        make_samples(), NEW, FERPLUS, name="majority", model_labels=FER2013, split=Split.TEST
    )
    assert result.kept.tolist() == [1, 4, 5]
    assert result.samples.labels.tolist() == [6, 3, 0]
    assert list(result.samples.names) == ["row 1", "row 4", "row 5"]
    assert isinstance(result.samples.images, np.ndarray)
    assert result.samples.images[:, 0, 0].tolist() == [1, 4, 5]
    assert result.samples.label_set is FERPLUS
    assert result.note == (
        "Labels: majority. Of 4 faces, 2 are measured; without such a label: 1; "
        "contempt, which the model does not know: 1."
    )


def test_model_with_every_class_keeps_every_labelled_row() -> None:
    result = relabel(
        make_samples(), NEW, FERPLUS, name="majority", model_labels=FERPLUS, split=Split.TEST
    )
    assert result.kept.tolist() == [1, 3, 4, 5]
    assert result.note == "Labels: majority. Of 4 faces, 3 are measured; without such a label: 1."
