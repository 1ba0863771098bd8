"""Pictures on their side: faces are found upright, and told in the pixels of the picture."""

from pathlib import Path

import numpy as np
import pytest

from mien.images import read_image
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import YuNet
from mien.recognition.fakes import FixedFaces
from mien.recognition.recognizer import Recognizer
from mien.recognition.turning import TURNS, turned, turned_back, upright
from mien.recognition.video_recognizer import VideoRecognizer
from mien.results import Detection
from onnx_factory import make_model_bytes
from picture_factory import noise

YUNET = "models/face_detection_yunet_2023mar.onnx"


class Counting(FixedFaces):
    """Finds what each call is told, and counts them."""

    def __init__(self, *scores: float) -> None:
        super().__init__([(10.0, 20.0, 30.0, 40.0)])
        self.scores, self.calls = scores, 0

    def detect(self, image_rgb):
        score = self.scores[self.calls % len(self.scores)]
        self.calls += 1
        return tuple(
            Detection(face.box_xywh_px, score) for face in super().detect(image_rgb) if score
        )


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(make_model_bytes())


@pytest.mark.parametrize("turn_deg", TURNS)
def test_back_in_the_pixels_of_the_picture(turn_deg) -> None:
    image = noise(60, 80)
    there = turned(image, turn_deg)
    assert np.array_equal(there, np.rot90(image, -turn_deg // 90))
    face = Detection((5.0, 10.0, 20.0, 30.0), 0.5, ((5.5, 10.5), (24.5, 39.5), (7.5, 11.5)))
    back = turned_back(face, turn_deg, (80, 60))
    x, y, width, height = map(int, back.box_xywh_px)
    part = image[y : y + height, x : x + width]
    assert np.array_equal(turned(part, turn_deg), there[10:40, 5:25])
    for before, after in zip(face.landmarks_px, back.landmarks_px, strict=True):
        pixel, other = (tuple(int(value) for value in point[::-1]) for point in (before, after))
        assert np.array_equal(there[pixel], image[other])


@pytest.mark.parametrize(
    ("scores", "turn_deg", "calls"),
    [
        ((0.95,), 0, 1),  # sure: no more is asked
        ((0.89, 0.95, 0.6, 0.6), 90, 4),
        ((0.6, 0.0, 0.94, 0.9), 180, 4),
        ((0.0, 0.86, 0.0, 0.9), 270, 4),
        ((0.0, 0.84, 0.0, 0.0), 0, 4),  # cats and patterns
        ((0.9, 0.91, 0.0, 0.0), 0, 4),
        ((0.0,), 0, 4),
    ],
)
def test_the_turn_with_the_surest_faces(scores, turn_deg, calls) -> None:
    detector = Counting(*scores)
    found_deg, image, faces = upright(noise(100, 160), detector)
    assert (found_deg, detector.calls) == (turn_deg, calls)
    assert image.shape[:2] == ((160, 100) if turn_deg % 180 else (100, 160))
    assert [face.score for face in faces] == [score for score in [scores[turn_deg // 90]] if score]


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_five_people_on_their_side(shared_folder: Path, turn_deg: int) -> None:
    image = read_image(shared_folder / "media" / "multi_face.jpg")
    recognizer = Recognizer(detector=YuNet(shared_folder / YUNET), rotate="auto")
    as_it_is = recognizer.recognize(image)
    assert (len(as_it_is.faces), as_it_is.turn_deg) == (5, 0)
    assert "turned" not in as_it_is.as_dict()
    lying = turned(image, 360 - turn_deg)
    for rotate in ("auto", turn_deg):
        recognizer.rotate = rotate
        result = recognizer.recognize(lying)
        assert (len(result.faces), result.turn_deg) == (5, turn_deg)
        assert (result.width_px, result.height_px) == lying.shape[1::-1]
        assert result.as_dict()["turned"] == turn_deg
        boxes = [face.box_xywh_px for face in result.faces]
        assert boxes == sorted(boxes)
        expected = {
            turned_back(Detection(face.box_xywh_px, 0.5), turn_deg, lying.shape[1::-1]):
            face.expression for face in as_it_is.faces
        }  # fmt: skip
        for face in result.faces:
            assert expected[Detection(face.box_xywh_px, 0.5)] == face.expression


def test_the_crop_is_that_of_the_turned_picture(classifier) -> None:
    image = noise(100, 160)
    recognizer = Recognizer(classifier, FixedFaces([(10.0, 20.0, 30.0, 40.0)]), rotate=90)
    (faces, crops), (face,) = recognizer.find(image), recognizer.recognize(image).faces
    assert np.array_equal(crops[0], turned(image, 90)[25:55, 10:40])
    assert faces[0].box_xywh_px == face.box_xywh_px == (20.0, 60.0, 40.0, 30.0)


def test_videos_are_turned_as_told_and_never_tried(classifier) -> None:
    detector = Counting(0.6)
    video = VideoRecognizer(Recognizer(classifier, detector, rotate="auto"))
    for number in range(5):
        result = video.recognize(noise(100, 160), time_s=number / 25)
        assert (len(result.faces), result.turn_deg) == (1, 0)
    assert detector.calls == 5
    video = VideoRecognizer(Recognizer(classifier, Counting(0.6), rotate=270))
    image = noise(100, 160)
    for number in range(5):
        result = video.recognize(image, time_s=number / 25)
        (face,) = result.faces
        assert (face.track, face.box_xywh_px, result.turn_deg) == (
            1,
            (100.0, 10.0, 40.0, 30.0),
            270,
        )


@pytest.mark.parametrize("rotate", [45, "90", None, True, -90])
def test_turns_that_there_are_not(classifier, rotate) -> None:
    with pytest.raises(ValueError, match="expected a rotate of auto, 0, 90, 180, 270"):
        Recognizer(classifier, FixedFaces([]), rotate=rotate)
