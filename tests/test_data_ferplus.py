"""FER+ votes: the published rules by hand, and the file's errors."""

import numpy as np
import pytest

from mien.data import read_samples
from mien.data.ferplus import label_distributions, majority_labels, not_a_face
from mien.errors import DatasetError, SourceError
from mien.labels import FERPLUS
from samples_factory import fer_csv, random_faces

# Columns: neutral happiness surprise sadness anger disgust fear contempt unknown NF
BY_HAND = [
    ([0, 9, 1, 0, 0, 0, 0, 0, 0, 0], "happy", {"happy": 1}),  # a single vote is an outlier
    ([4, 0, 0, 1, 3, 2, 0, 0, 0, 0], None, {"neutral": 4 / 9, "angry": 3 / 9, "disgust": 2 / 9}),
    ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], None, {"neutral": 0.5, "happy": 0.5}),  # half is too few
    ([5, 4, 1, 0, 0, 0, 0, 0, 0, 0], "neutral", {"neutral": 5 / 9, "happy": 4 / 9}),
    ([0, 0, 0, 0, 0, 0, 0, 6, 4, 0], "contempt", {"contempt": 1}),
    ([0, 0, 4, 0, 0, 0, 0, 0, 6, 0], None, None),  # unknown wins
    ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], None, None),  # not a face
    ([0, 0, 0, 5, 0, 0, 0, 0, 5, 0], None, None),  # as many unknown as sad
    ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], None, None),  # nothing but outliers
    ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None, None),
]
VOTES = np.array([votes for votes, _, _ in BY_HAND])


def test_majority_by_hand():
    expected = [-1 if key is None else FERPLUS.index(key) for _, key, _ in BY_HAND]
    assert majority_labels(VOTES).tolist() == expected


def test_distributions_by_hand():
    distributions, weights = label_distributions(VOTES)
    assert distributions.dtype == weights.dtype == np.float32
    assert distributions.shape == (len(VOTES), 8)
    assert weights.tolist() == [float(shares is not None) for _, _, shares in BY_HAND]
    for row, (_, _, shares) in zip(distributions, BY_HAND, strict=True):
        expected = [(shares or {}).get(key, 0) for key in FERPLUS.keys]
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_not_a_face_by_hand():
    assert np.flatnonzero(not_a_face(VOTES)).tolist() == [6]


def test_no_rows():
    none = np.zeros((0, 10), dtype=np.int64)
    assert majority_labels(none).shape == (0,)
    assert label_distributions(none)[0].shape == (0, 8)


def test_the_votes_are_not_changed():
    before = VOTES.copy()
    majority_labels(VOTES), label_distributions(VOTES), not_a_face(VOTES)
    assert np.array_equal(VOTES, before)


def test_public_test_has_as_many_faces_as_published(fer2013):
    rows = fer2013[1]
    columns = list(rows[0])[-10:]
    votes = np.array([[int(row[name]) for name in columns] for row in rows])
    public = np.array([row["Usage"] == "PublicTest" for row in rows])
    majority = majority_labels(votes)
    assert (majority[public] >= 0).sum() == 3199
    assert (majority >= 0).sum() == 28_259
    distributions, weights = label_distributions(votes)
    np.testing.assert_allclose(distributions.sum(axis=1), weights, atol=1e-5)
    assert (weights[majority >= 0] == 1).all()


HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
)
GOOD = HEADER + (
    "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\n"
    "PublicTest,,0,3,0,0,0,0,0,0,0,7\n"
    "PrivateTest,fer0000002.png,0,10,0,0,0,0,0,0,0,0\n"
)


def read(tmp_path, text):
    usages = ("Training", "PublicTest", "PrivateTest")
    (tmp_path / "fer2013.csv").write_bytes(fer_csv(random_faces(3, side=6), (0, 1, 2), usages))
    (tmp_path / "fer2013new.csv").write_text(text)
    return read_samples(tmp_path / "fer2013.csv", ferplus=tmp_path / "fer2013new.csv")


def test_votes_follow_the_rows(tmp_path):
    votes = read(tmp_path, GOOD).votes
    assert votes.dtype == np.int64
    assert votes.tolist() == [
        [4, 0, 0, 1, 3, 2, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 7],  # an empty image name: not a face
        [0, 10, 0, 0, 0, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "Training,x,0,0,0,0,0,0,0,0,0,0\n", "has 4 rows but the samples have 3"),
        (GOOD.replace("PublicTest", "Training"), "row 3 has the Usage 'Training' but"),
        (GOOD.replace("PublicTest", "Public"), "row 3 has the Usage 'Public'"),
        (GOOD.replace(",10,", ",x,"), "row 4 has votes that are no whole numbers"),
        (GOOD.replace(",10,", ",-1,"), "row 4 has votes that are no whole numbers"),
        (GOOD.replace(",10,", ","), "row 4 has 11 columns, expected 12"),
        (GOOD.replace("Usage", "Part", 1), "is not the FER\\+ csv"),
        (GOOD.replace(",NF", "", 1), "is not the FER\\+ csv"),
        (
            GOOD.replace("neutral,happiness", "happiness,neutral"),
            "has the column 'happiness' where",
        ),
        ("", "is not the FER\\+ csv"),
    ],
)
def test_errors_name_file_and_row(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message) as caught:
        read(tmp_path, text)
    assert "fer2013new.csv" in str(caught.value)


def test_file_that_is_not_there(tmp_path):
    read(tmp_path, GOOD)
    with pytest.raises(SourceError, match="no such file"):
        read_samples(tmp_path / "fer2013.csv", ferplus=tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(DatasetError, match="is not the FER"):
        read_samples(tmp_path / "fer2013.csv", ferplus=tmp_path / "binary.csv")
