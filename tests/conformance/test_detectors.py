"""What every face detector must do; a new one is added to `DETECTORS`."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.images import read_image
from mien.recognition.detectors.detector import FaceDetector, reduced_to
from mien.recognition.detectors.haar import Haar
from mien.recognition.detectors.whole import Whole
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.fakes import FixedFaces

YUNET_FILE = "face_detection_yunet_2023mar.onnx"
DETECTORS: dict[str, Callable[[pytest.FixtureRequest], FaceDetector]] = {
    "yunet": lambda request: YuNet(
        request.getfixturevalue("shared_folder") / "models" / YUNET_FILE
    ),
    "haar": lambda request: Haar(),
    "yunet, video": lambda request: YuNet(
        request.getfixturevalue("shared_folder") / "models" / YUNET_FILE, search_side_px=320
    ),
    "haar, video": lambda request: Haar(search_side_px=320),
    "whole": lambda request: Whole(),
    "fixed": lambda request: FixedFaces([(-5.0, 2.0, 30.0, 40.0), (0.0, 0.0, 1.0, 1.0)]),
}


@pytest.fixture(params=DETECTORS)
def detector(request):
    return DETECTORS[request.param](request)


@pytest.fixture(params=["yunet", "haar"])
def finder(request):
    """Detectors that look at the pixels."""
    return DETECTORS[request.param](request)


def check(detections, image):
    height, width = image.shape[:2]
    for found in detections:
        left, top, box_width, box_height = found.box_xywh_px
        assert 0 <= left < left + box_width <= width + 1e-6
        assert 0 <= top < top + box_height <= height + 1e-6
        assert 0 <= found.score <= 1
        assert len(found.landmarks_px) in (0, 5)
    boxes = [found.box_xywh_px for found in detections]
    assert boxes == sorted(boxes)


def test_name_and_crops(detector):
    assert detector.name
    geometry = detector.crops["fer2013"]
    assert 0.8 < geometry.side_per_width < 1.5
    assert abs(geometry.shift_x) < 0.1
    assert abs(geometry.shift_y) < 0.1
    assert len(geometry.landmarks) in (0, 5)
    assert np.abs(np.array(geometry.landmarks)).max(initial=0.0) < 0.5


@pytest.mark.parametrize("size", [(1, 1), (320, 180), (1920, 1080), (1080, 1920)])
def test_smallest_face(detector, size):
    smallest = detector.minimum_face_px(*size)
    assert smallest >= 1
    assert detector.minimum_face_px(2 * size[0], 2 * size[1]) >= smallest


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 40), (40, 1), (3, 2), (23, 24), (97, 61), (480, 481), (2, 3000)]
)
def test_any_size(detector, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    detections = detector.detect(image)
    assert isinstance(detections, tuple)
    check(detections, image)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_plain_pictures_have_no_face(finder, value):
    assert finder.detect(np.full((240, 320, 3), value, np.uint8)) == ()


def test_noise_has_no_face(finder):
    grey = np.random.default_rng(0).integers(0, 256, (240, 320, 1), dtype=np.uint8)
    assert finder.detect(np.repeat(grey, 3, axis=2)) == ()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3)),
        np.zeros((0, 10, 3), np.uint8),
    ],
)
def test_what_is_no_picture(detector, image):
    with pytest.raises(ValueError, match="expected uint8"):
        detector.detect(image)


def test_the_picture_is_not_changed_and_read_only_is_enough(detector):
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    image.setflags(write=False)
    before = image.copy()
    assert detector.detect(image) == detector.detect(image)
    assert np.array_equal(image, before)
    # Mirrored pictures and those of other libraries need not be contiguous.
    check(detector.detect(image[:, ::-1]), image)


def test_five_people(finder, shared_folder):
    image = read_image(shared_folder / "media" / "multi_face.jpg")
    detections = finder.detect(image)
    check(detections, image)
    # One wears sunglasses, which the Haar cascade does not take for a face.
    assert len(detections) == (5 if finder.name == "yunet" else 4)
    assert finder.detect(image) == detections
    mirrored = finder.detect(np.ascontiguousarray(image[:, ::-1]))
    assert len(mirrored) in (len(detections), len(detections) + 1)


@pytest.mark.parametrize("scale", [2, 5])
def test_boxes_of_large_pictures_are_in_their_pixels(finder, shared_folder, scale):
    image = read_image(shared_folder / "media" / "multi_face.jpg")
    small = finder.detect(image)
    large = finder.detect(np.repeat(np.repeat(image, scale, axis=0), scale, axis=1))
    assert len(large) == len(small) > 0
    for a, b in zip(small, large, strict=True):
        difference = np.array(b.box_xywh_px) / scale - a.box_xywh_px
        assert np.abs(difference).max() < 0.2 * a.box_xywh_px[2]


def test_a_face_that_fills_a_large_picture(shared_folder):
    yunet = YuNet(shared_folder / "models" / YUNET_FILE)
    image = read_image(shared_folder / "media" / "Image_with_alpha.png")
    close = image[180:720, 520:1000]
    for scale in (1, 2, 4):
        enlarged = np.repeat(np.repeat(close, scale, axis=0), scale, axis=1)
        assert len(yunet.detect(enlarged)) == 1


def test_turned_faces_are_told_by_their_landmarks(shared_folder):
    yunet = YuNet(shared_folder / "models" / YUNET_FILE)
    image = read_image(shared_folder / "media" / "multi_face.jpg")
    height, width = image.shape[:2]
    clockwise = cv2.getRotationMatrix2D((width / 2, height / 2), -20.0, 1.28)
    clockwise[:, 2] += 0.14 * np.array([width, height])
    turned = cv2.warpAffine(image, clockwise, (int(1.28 * width), int(1.28 * height)))
    faces = yunet.detect(turned)
    assert len(faces) == 5
    for face in faces:
        assert 14.0 < yunet.crops["fer2013"].turn_deg(face.landmarks_px) < 30.0


def test_tiny_pictures_are_enlarged(shared_folder):
    yunet = YuNet(shared_folder / "models" / YUNET_FILE)
    image = read_image(shared_folder / "media" / "multi_face.jpg")
    close = image[210:390, 280:440]
    assert len(yunet.detect(np.ascontiguousarray(close[::4, ::4]))) == 1


@pytest.mark.parametrize("size", [(640, 427), (1000, 667), (1920, 1281)])
def test_faces_of_the_promised_size_are_found_in_a_reduced_picture(shared_folder, size):
    yunet = YuNet(shared_folder / "models" / YUNET_FILE, search_side_px=320)
    assert yunet.minimum_face_px(*size) == 24 * size[0] / 320
    image = read_image(shared_folder / "media" / "multi_face.jpg")
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    thorough = YuNet(shared_folder / "models" / YUNET_FILE).detect(resized)
    found = yunet.detect(resized)
    assert len(found) == len(thorough) == 5
    for a, b in zip(found, thorough, strict=True):
        assert a.box_xywh_px[2] >= yunet.minimum_face_px(*size)
        difference = np.array(a.box_xywh_px) - b.box_xywh_px
        assert np.abs(difference).max() < 0.25 * b.box_xywh_px[2]


def test_the_search_side_counts(shared_folder):
    image = read_image(shared_folder / "media" / "multi_face.jpg")
    assert YuNet(shared_folder / "models" / YUNET_FILE, search_side_px=80).detect(image) == ()
    assert len(Haar(search_side_px=320).detect(image)) >= 3
    assert Haar(search_side_px=120).detect(image) == ()
    assert Haar(search_side_px=500).minimum_face_px(1000, 700) == 48


def test_the_search_side_of_photos(shared_folder):
    """More finds smaller faces and loses none of the large ones; less is quicker."""
    path = shared_folder / "models" / YUNET_FILE
    people = read_image(shared_folder / "media" / "multi_face.jpg")
    close = read_image(shared_folder / "media" / "Image_with_alpha.png")
    crowd = np.full((2000, 4000, 3), 128, np.uint8)
    small = cv2.resize(people, (200, 133), interpolation=cv2.INTER_AREA)
    crowd[1000:1133, 3000:3200] = small
    crowd[:1036, :1524] = close
    usual = YuNet(path).detect(crowd)
    assert [round(face.box_xywh_px[2], -2) for face in usual] == [300]
    thorough = YuNet(path, search_side_px=4000, thoroughly=True)
    found = thorough.detect(crowd)
    assert found[0].box_xywh_px == pytest.approx(usual[0].box_xywh_px, abs=60)
    assert sum(face.box_xywh_px[0] > 3000 for face in found) >= 3
    assert thorough.minimum_face_px(4000, 2000) == 24
    assert YuNet(path, thoroughly=True).detect(people) == YuNet(path).detect(people)
    quick = YuNet(path, search_side_px=300, thoroughly=True)
    assert len(quick.detect(people)) == 5
    assert quick.minimum_face_px(3000, 2000) == 240


def test_search_sides_that_leave_nothing():
    with pytest.raises(ValueError, match="at least 64, got 63"):
        Haar(search_side_px=63)
    with pytest.raises(ValueError, match="at least 64, got -1"):
        YuNet(Path("none"), search_side_px=-1)


@pytest.mark.parametrize("shape", [(20, 30), (200, 320), (300, 500), (1080, 1920), (4000, 3)])
def test_reducing_quickly(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    reduced = reduced_to(image, 320)
    assert max(reduced.shape) == min(320, max(shape))
    assert reduced.shape[1] / reduced.shape[0] == pytest.approx(shape[1] / shape[0], rel=0.02) or (
        min(reduced.shape[:2]) == 1
    )
    assert abs(float(reduced.mean()) - float(image.mean())) < 2
    assert reduced is image or max(shape) > 320


def test_reducing_by_four_averages_all_pixels():
    image = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    averaged = image.reshape(180, 4, 320, 4, 3).mean(axis=(1, 3))
    assert np.abs(reduced_to(image, 320) - averaged).max() <= 1.0
