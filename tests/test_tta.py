"""Test-time augmentation: one function for evaluation and recognition."""

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.cli.recognition_options import Tta as TtaOfCommands
from mien.errors import ModelError
from mien.evaluation.predictions import predict
from mien.recognition.classifier import Classifier
from mien.recognition.fakes import FixedFaces
from mien.recognition.recognizer import Recognizer
from mien.recognition.video_recognizer import VideoRecognizer
from mien.results import TTA_KINDS
from mien.samples import Image, Split
from mien.tta import averaged, check_tta
from mien.workflows.videos import recognize_video
from onnx_factory import make_model_bytes
from picture_factory import gradient, noise
from samples_factory import random_faces, samples_of

BOXES = [(10.0, 20.0, 40.0, 50.0), (80.0, 10.0, 30.0, 40.0)]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(make_model_bytes())


class Counting:
    """A classifier's function, and how many faces each of its calls had."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.calls: list[int] = []

    def __call__(self, faces: Iterable[Image]) -> NDArray[np.float64]:
        faces = list(faces)
        self.calls.append(len(faces))
        return self._classifier.probabilities(faces)


def test_the_mean_of_a_face_and_its_mirror_image_in_one_run(classifier: Classifier) -> None:
    faces = [noise(48, 48, seed=1), noise(70, 60, seed=2), noise(48, 48, seed=3)[..., 0]]
    counting = Counting(classifier)
    rows = averaged(counting, faces, "flip")
    assert counting.calls == [6]
    alone = classifier.probabilities(faces)
    mirrored = classifier.probabilities([face[:, ::-1].copy() for face in faces])
    np.testing.assert_allclose(rows, (alone + mirrored) / 2, atol=1e-7)
    assert np.abs(rows - alone).max() > 0.001
    np.testing.assert_allclose(rows.sum(axis=1), 1.0)
    assert np.array_equal(averaged(counting, faces, "none"), alone)


def test_a_mirror_image_has_the_same_probabilities(classifier: Classifier) -> None:
    face = noise(48, 48, seed=5)
    first = averaged(classifier.probabilities, [face], "flip")
    second = averaged(classifier.probabilities, [face[:, ::-1].copy()], "flip")
    np.testing.assert_allclose(first, second, atol=1e-7)


def test_parts_of_a_picture_and_every_kind_of_face_keep_their_shape() -> None:
    picture = gradient(60, 60)
    faces = [picture[5:25, 7:40], picture[..., 0][3:9, 2:7], picture[..., :1]]
    seen: list[Image] = []

    def uniform(batch: Iterable[Image]) -> NDArray[np.float64]:
        seen.extend(batch)
        return np.full((len(seen), 2), 0.5)

    averaged(uniform, faces, "flip")
    for face, mirrored in zip(faces, seen[3:], strict=True):
        assert np.array_equal(mirrored, face[:, ::-1])
        assert mirrored.flags.c_contiguous
    assert np.array_equal(seen[0], picture[5:25, 7:40])


@pytest.mark.parametrize("tta", TTA_KINDS)
def test_no_faces(classifier: Classifier, tta) -> None:
    assert averaged(classifier.probabilities, [], tta).shape == (0, 7)


def test_a_model_that_returns_too_little() -> None:
    with pytest.raises(ModelError, match=r"returned \(3, 7\) for 2 faces"):
        averaged(lambda faces: np.full((3, 7), 1 / 7), [noise(48, 48)], "flip")


def test_kinds() -> None:
    assert tuple(TtaOfCommands) == TTA_KINDS
    for kind in TTA_KINDS:
        check_tta(kind)
    with pytest.raises(ValueError, match="expected a tta of none, flip, got 'rotate'"):
        check_tta("rotate")


def test_what_is_measured_is_what_is_recognised(classifier: Classifier) -> None:
    """Evaluation and recognition give the same tile the same probabilities."""
    tiles = random_faces(3)
    samples = samples_of(tiles, [0, 1, 2], ["test"] * 3)
    table = predict(classifier.probabilities, samples, Split.TEST, tta="flip")
    recognizer = Recognizer(classifier, "whole", tta="flip")
    for tile, row in zip(tiles, table.probabilities, strict=True):
        (face,) = recognizer.recognize(np.repeat(tile[..., np.newaxis], 3, axis=2)).faces
        assert face.expression is not None
        np.testing.assert_allclose(face.expression.probabilities, row, atol=1e-7)


def test_pictures_and_videos_are_classified_alike_and_say_so(classifier: Classifier) -> None:
    picture = noise()
    plain = Recognizer(classifier, FixedFaces(BOXES))
    flip = Recognizer(classifier, FixedFaces(BOXES), tta="flip")
    found, alone = flip.recognize(picture), plain.recognize(picture)
    crops = flip.find(picture)[1]
    expected = averaged(classifier.probabilities, crops, "flip")
    assert len(found.faces) == 2
    for face, row, other in zip(found.faces, expected, alone.faces, strict=True):
        assert face.expression is not None
        assert face.expression.probabilities == tuple(row.tolist())
        assert face.expression != other.expression
    assert (found.tta, found.as_dict()["tta"]) == ("flip", "flip")
    assert (alone.tta, "tta" in alone.as_dict()) == ("none", False)
    first = VideoRecognizer(flip).recognize(picture)
    assert first.tta == "flip"
    assert [face.raw for face in first.faces] == [face.expression for face in found.faces]


def test_what_means_nothing_is_refused(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="expected a tta of none, flip"):
        Recognizer(classifier, "whole", tta="rotate")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a tta of none, flip"):
        recognize_video("none.mp4", tta="rotate")  # type: ignore[arg-type]
    recognizer = Recognizer(classifier, "whole")
    with pytest.raises(ValueError, match="the recognizer is there already"):
        recognize_video("none.mp4", recognizer=recognizer, tta="flip")
