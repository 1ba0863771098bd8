from dataclasses import replace

import numpy as np
import pytest

from mien.cli.recognize import DetectorName
from mien.errors import DetectorError, ModelError, WeightsError
from mien.model import store
from mien.preprocessing import CropGeometry
from mien.recognition import detectors
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import DETECTOR_NAMES, Haar, Whole, YuNet, load_detector
from mien.recognition.fakes import FixedFaces
from mien.recognition.recognizer import Recognizer
from onnx_factory import make_model_bytes, write_model
from picture_factory import gradient, noise

BOXES = [(80.0, 10.0, 30.0, 40.0), (10.0, 20.0, 40.0, 50.0)]


@pytest.fixture(scope="module")
def classifier():
    return Classifier(make_model_bytes())


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(name):
        raise WeightsError(f"cannot fetch {name}: no network")

    monkeypatch.setattr(store, "fetch", refuse)
    monkeypatch.setattr(store, "fetch_quickly", refuse)


def test_every_face_gets_the_expression_of_its_crop(classifier):
    image = noise(120, 160)
    result = Recognizer(classifier, FixedFaces(BOXES, score=0.8)).recognize(image)
    assert (result.width_px, result.height_px, result.detector) == (160, 120, "fixed")
    assert [face.box_xywh_px for face in result.faces] == sorted(BOXES)
    first = result.faces[0]
    assert first.detection_score == 0.8
    assert first.track is None
    crop = image[25:65, 10:50]  # the square of the box's width around its centre
    expected = classifier.probabilities([crop])[0]
    assert first.expression.probabilities == pytest.approx(expected.tolist(), abs=1e-6)
    assert result.faces[0].expression != result.faces[1].expression


def test_the_detectors_geometry_is_used(classifier):
    detector = FixedFaces(BOXES[1:])
    detector.crops = {"fer2013": CropGeometry(0.5, 0.0, 0.25)}
    image = noise(120, 160)
    (face,) = Recognizer(classifier, detector).recognize(image).faces
    expected = classifier.probabilities([image[40:60, 20:40]])[0]
    assert face.expression.probabilities == pytest.approx(expected.tolist(), abs=1e-6)


def test_faces_are_turned_upright_by_their_landmarks(classifier):
    upright = ((-0.2, -0.1), (0.2, -0.1), (0.0, 0.1), (-0.15, 0.3), (0.15, 0.3))
    image = noise(120, 160)
    (found,) = FixedFaces(BOXES[1:]).detect(image)
    landmarks = tuple((30.0 - 40 * y, 45.0 + 40 * x) for x, y in upright)  # a quarter clockwise
    detector = FixedFaces(BOXES[1:])
    detector.detect = lambda _: (replace(found, landmarks_px=landmarks),)
    detector.crops = {"fer2013": CropGeometry(1.0, 0.0, 0.0, upright)}
    _, (crop,) = Recognizer(classifier, detector).find(image)
    assert np.abs(crop.astype(int) - np.rot90(image[25:65, 10:50])).max() <= 1


def test_where_the_frame_comes_from_is_kept(classifier):
    recognizer = Recognizer(classifier, FixedFaces([]))
    result = recognizer.recognize(gradient(), source="a.mp4", frame=7, time_s=0.28)
    assert (result.source, result.frame, result.time_s) == ("a.mp4", 7, 0.28)
    assert result.faces == ()


def test_the_same_picture_twice_is_the_same_result(classifier):
    recognizer = Recognizer(classifier, "haar")
    assert recognizer.recognize(gradient()) == recognizer.recognize(gradient())


def test_a_tile_as_a_whole(classifier):
    tile = noise(48, 48)
    (face,) = Recognizer(classifier, "whole").recognize(tile).faces
    assert face.box_xywh_px == (0.0, 0.0, 48.0, 48.0)
    expected = classifier.probabilities([tile])[0].tolist()
    assert face.expression.probabilities == tuple(expected)
    (face,) = Recognizer(classifier, "whole").recognize(noise(40, 60)).faces
    assert face.box_xywh_px == (10.0, 0.0, 40.0, 40.0)


def test_an_unmeasured_framing_is_an_error():
    classifier = Classifier(make_model_bytes(framing="wide"))
    with pytest.raises(DetectorError, match=r"framed as 'wide'.*haar.*fer2013"):
        Recognizer(classifier, "haar")
    assert Recognizer(classifier, "whole").recognize(gradient()).faces


def test_model_by_path_and_by_name(tmp_path, monkeypatch):
    path = write_model(tmp_path / "a.onnx")
    for model in (path, str(path)):
        assert Recognizer(model, "whole").classifier.card.name == "tiny"
    monkeypatch.setattr(store, "_PACKAGED", tmp_path)
    with pytest.raises(WeightsError, match="mien-small"):
        Recognizer("default", "whole")
    write_model(tmp_path / "mien-small-int8.onnx")
    assert Recognizer(detector="whole").classifier.card.name == "tiny"
    with pytest.raises(ModelError, match="no model is called"):
        Recognizer("nonsense", "whole")


def test_detectors_by_name():
    assert isinstance(load_detector("haar"), Haar)
    assert isinstance(load_detector("whole"), Whole)
    with pytest.raises(DetectorError, match="known: auto, yunet, haar, whole"):
        load_detector("mtcnn")
    assert tuple(DetectorName) == DETECTOR_NAMES


def test_auto_takes_yunet_from_the_cache(shared_folder, no_network):
    weights_file = store.MODEL_FILES["yunet"]
    copy = shared_folder / "models" / weights_file.file_name
    target = store._path_of(weights_file)
    target.parent.mkdir(parents=True)
    target.write_bytes(copy.read_bytes())
    for name in ("auto", "yunet"):
        for offline in (False, True):
            detector = load_detector(name, offline=offline, on_fallback=pytest.fail)
            assert isinstance(detector, YuNet)


def test_auto_falls_back_with_one_line(no_network):
    lines = []
    assert isinstance(load_detector("auto", on_fallback=lines.append), Haar)
    assert len(lines) == 1
    assert "no network" in lines[0]
    assert "mien fetch yunet" in lines[0]


def test_the_fallback_is_logged_where_nobody_listens(no_network, classifier, caplog):
    Recognizer(classifier)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_offline_never_touches_the_network(monkeypatch):
    monkeypatch.setattr(store, "_download", lambda *_, **__: pytest.fail("network"))
    monkeypatch.setattr(store, "_answers", lambda *_: pytest.fail("network"))
    lines = []
    assert isinstance(load_detector("auto", offline=True, on_fallback=lines.append), Haar)
    assert len(lines) == 1
    with pytest.raises(DetectorError, match="mien fetch yunet --from FILE"):
        load_detector("yunet", offline=True)


def test_naming_an_absent_detector_is_an_error(no_network):
    with pytest.raises(DetectorError, match="no network"):
        load_detector("yunet")


def test_not_a_yunet_file(tmp_path, capfd):
    path = tmp_path / "x.onnx"
    for content in (b"", b"garbage", make_model_bytes()[:500]):
        path.write_bytes(content)
        with pytest.raises(DetectorError, match="not the YuNet that mien knows"):
            YuNet(path)
    with pytest.raises(DetectorError):
        YuNet(tmp_path / "none.onnx")
    assert capfd.readouterr().err == ""


def test_opencv_without_cascades(monkeypatch):
    monkeypatch.setattr(detectors.haar, "_CASCADE", "gone.xml")
    with pytest.raises(DetectorError, match="no Haar cascades"):
        Haar()


def test_haars_threshold_counts(shared_folder):
    from mien.images import read_image

    image = read_image(shared_folder / "media" / "multi_face.jpg")
    scores = [face.score for face in Haar(score_threshold=0.0).detect(image)]
    middle = sorted(scores)[len(scores) // 2]
    kept = Haar(score_threshold=middle).detect(image)
    assert len(kept) == sum(score >= middle for score in scores) < len(scores)
    assert Haar(minimum_side_px=250).detect(image) == ()


def test_yunets_thresholds_count(shared_folder):
    from mien.images import read_image

    image = read_image(shared_folder / "media" / "multi_face.jpg")
    path = shared_folder / "models" / "face_detection_yunet_2023mar.onnx"
    assert len(YuNet(path).detect(image)) == 5
    assert YuNet(path, score_threshold=0.99).detect(image) == ()
    assert len(YuNet(path, minimum_side_px=93.0).detect(image)) == 3


def test_the_search_side_reaches_the_detector(classifier, no_network):
    recognizer = Recognizer(classifier, "haar", search_side_px=100)
    assert recognizer.detector.minimum_face_px(1000, 500) == 240
    assert Recognizer(classifier, "auto", on_fallback=len, search_side_px=100).detector.name
    fallback = load_detector("auto", offline=True, on_fallback=len, search_side_px=100)
    assert fallback.minimum_face_px(1000, 500) == 240
    with pytest.raises(ValueError, match="fixed is there already"):
        Recognizer(classifier, FixedFaces([]), search_side_px=320)
    with pytest.raises(ValueError, match="at least 64"):
        Recognizer(classifier, "haar", search_side_px=10)


def test_fixed_faces_are_clipped():
    found = FixedFaces([(-10.0, -10.0, 30.0, 30.0), (500.0, 0.0, 9.0, 9.0)]).detect(gradient())
    assert [face.box_xywh_px for face in found] == [(0.0, 0.0, 20.0, 20.0)]


def test_crops_may_reach_beyond_the_picture(classifier):
    result = Recognizer(classifier, FixedFaces([(-15.0, -15.0, 40.0, 40.0)])).recognize(
        gradient(20, 20)
    )
    assert len(result.faces) == 1
    assert np.isclose(sum(result.faces[0].expression.probabilities), 1.0)


def test_the_least_confidence_reaches_the_faces(classifier):
    image = noise(120, 160)
    plain = Recognizer(classifier, FixedFaces(BOXES)).recognize(image)
    most = sorted(face.expression.confidence for face in plain.faces)
    assert most[0] < most[1]
    between = Recognizer(classifier, FixedFaces(BOXES), min_confidence=sum(most) / 2)
    faces = between.recognize(image).faces
    assert sorted(face.expression.is_uncertain for face in faces) == [False, True]
    for face, other in zip(faces, plain.faces, strict=True):
        assert face.expression.probabilities == other.expression.probabilities
        assert face.expression.index == other.expression.index
    for wrong in (-0.1, 1.01, float("nan")):
        with pytest.raises(ValueError, match="min_confidence"):
            Recognizer(classifier, FixedFaces(BOXES), min_confidence=wrong)
