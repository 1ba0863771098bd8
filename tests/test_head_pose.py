"""Roll, yaw and pitch: of points that are known, and of real faces that are turned."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.head_pose import DISTANCE_MM, MODEL_MM, head_pose, rotation_of
from mien.images import read_image
from mien.live.mirroring import mirrored
from mien.outputs.rows import PLACE_COLUMNS, columns, rows
from mien.preprocessing import CropGeometry
from mien.recognition.detectors.second_look import looked_at_again
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.fakes import FixedFaces
from mien.recognition.recognizer import Recognizer
from mien.recognition.tilts import TiltedTracks
from mien.recognition.video_recognizer import VideoRecognizer
from mien.results import LANDMARKS, Detection, Face, FrameResult, HeadPose
from video_factory import make_clip

YUNET_FILE = "face_detection_yunet_2023mar.onnx"


def seen(pose, *, at=(320.0, 240.0), distance_mm=DISTANCE_MM, focal_px=800.0):
    """Landmarks of the average head as a camera that looks straight at it sees them."""
    points = np.array(MODEL_MM)
    points = (points - points.mean(axis=0)) @ rotation_of(pose).T + (0.0, 0.0, distance_mm)
    return tuple(
        (at[0] + focal_px * x / z, at[1] + focal_px * y / z) for x, y, z in points.tolist()
    )


def angles(pose):
    return pose.roll_deg, pose.yaw_deg, pose.pitch_deg


def test_a_face_that_looks_into_the_camera():
    assert angles(head_pose(seen(HeadPose(0.0, 0.0, 0.0)))) == pytest.approx((0, 0, 0), abs=0.05)


@pytest.mark.parametrize("distance_mm", [500.0, 1000.0, 5000.0])
def test_angles_come_back(distance_mm):
    random = np.random.default_rng(4)
    for _ in range(200):
        roll, yaw, pitch = random.uniform((-180, -60, -40), (180, 60, 40))
        found = head_pose(seen(HeadPose(roll, yaw, pitch), distance_mm=distance_mm))
        assert (found.roll_deg - roll + 180) % 360 - 180 == pytest.approx(0.0, abs=1.0)
        assert (found.yaw_deg, found.pitch_deg) == pytest.approx((yaw, pitch), abs=1.2)


def test_signs_are_as_a_viewer_sees_them():
    frontal = dict(zip(LANDMARKS, seen(HeadPose(0.0, 0.0, 0.0)), strict=True))
    right = dict(zip(LANDMARKS, seen(HeadPose(0.0, 30.0, 0.0)), strict=True))
    up = dict(zip(LANDMARKS, seen(HeadPose(0.0, 0.0, 20.0)), strict=True))
    rolled = dict(zip(LANDMARKS, seen(HeadPose(20.0, 0.0, 0.0)), strict=True))

    def nose_from_eyes(points):
        middle = np.add(points["right_eye"], points["left_eye"]) / 2
        return np.subtract(points["nose"], middle)

    assert nose_from_eyes(right)[0] > 5.0 > abs(nose_from_eyes(frontal)[0])
    assert nose_from_eyes(up)[1] < nose_from_eyes(frontal)[1] - 5.0
    # Clockwise: the person's left eye, on the right of the picture, is lower.
    assert rolled["left_eye"][1] > rolled["right_eye"][1] + 10.0


def test_rolling_a_picture_changes_roll_alone():
    pose = HeadPose(0.0, 25.0, -15.0)
    center = np.array((320.0, 240.0))
    for roll in (-170.0, -90.0, 15.0, 90.0):
        turn = math.radians(roll)
        matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        points = (np.array(seen(pose)) - center) @ matrix.T + center
        found = head_pose([tuple(point) for point in points.tolist()])
        assert found.roll_deg == pytest.approx(roll, abs=0.3)
        assert (found.yaw_deg, found.pitch_deg) == pytest.approx((25.0, -15.0), abs=0.3)


@pytest.mark.parametrize(
    "landmarks",
    [
        (),
        ((1.0, 2.0),) * 4,
        ((1.0, 2.0),) * 5,
        ((math.nan, 2.0), *((1.0, 2.0),) * 4),
        ((math.inf, 2.0), *((1.0, 2.0),) * 4),
    ],
)
def test_what_has_no_pose(landmarks):
    assert head_pose(landmarks) is None


def test_impossible_angles():
    with pytest.raises(ValueError, match="finite"):
        HeadPose(math.nan, 0.0, 0.0)


def test_json_and_tables_have_the_place_of_a_face():
    pose = HeadPose(1.23456, -20.0, 5.0)
    face = Face((1.0, 2.0, 30.0, 40.0), 0.9, seen(pose))
    found = face.as_dict()
    assert list(found)[-5:] == ["landmarks", "interocular_px", "roll_deg", "yaw_deg", "pitch_deg"]
    assert list(found["landmarks"]) == list(LANDMARKS)
    assert found["roll_deg"] == pytest.approx(1.23, abs=0.3)
    assert found["interocular_px"] == round(math.dist(*face.landmarks_px[:2]), 2)
    bare = Face((1.0, 2.0, 30.0, 40.0), 0.9).as_dict()
    assert not {"landmarks", "interocular_px", "roll_deg"} & set(bare)
    result = FrameResult(64, 64, "x", (face, Face((1.0, 2.0, 30.0, 40.0), 0.9)))
    names = columns(("a",), with_raw=False)
    assert names[-len(PLACE_COLUMNS) :] == PLACE_COLUMNS
    first, second = (
        dict(zip(names, row, strict=True)) for row in rows(result, ("a",), with_raw=False)
    )
    assert first["nose_y"] == found["landmarks"]["nose"][1]
    assert first["yaw_deg"] == found["yaw_deg"] == pytest.approx(-20.0, abs=0.3)
    assert {second[name] for name in PLACE_COLUMNS} == {None}


def test_a_mirrored_face_looks_the_other_way():
    pose = HeadPose(10.0, -20.0, 5.0)
    face = Face((1.0, 2.0, 30.0, 40.0), 0.9, seen(pose))
    _, result = mirrored(np.zeros((480, 640, 3), np.uint8), FrameResult(640, 480, "x", (face,)))
    assert angles(result.faces[0].pose) == pytest.approx((-10.0, 20.0, 5.0), abs=0.3)
    assert result.faces[0].interocular_px == pytest.approx(face.interocular_px)


class OtherFaces:
    """A network that finds what a test says."""

    def __init__(self, rows):
        self.rows, self.n_runs = rows, 0

    def find(self, image_rgb, score_threshold):
        self.n_runs += 1
        return self.rows


UPRIGHT = CropGeometry(
    1.23, 0.0, 0.01, ((-0.18, -0.115), (0.18, -0.115), (0.0, 0.1), (-0.15, 0.265), (0.15, 0.265))
)


@pytest.mark.parametrize("roll", [0.0, 20.0])
def test_a_second_look_that_finds_nothing_changes_nothing(roll):
    image = np.zeros((480, 640, 3), np.uint8)
    landmarks = seen(HeadPose(roll, 0.0, 0.0))
    row = np.zeros((1, 15), np.float32)
    row[0, :4] = 270, 180, 100, 120
    row[0, 4:14] = np.array(landmarks).reshape(-1)
    faces = (Detection((270.0, 180.0, 100.0, 120.0), 0.9, landmarks),)
    for found in (np.zeros((0, 15), np.float32), row):  # the second one lies far away
        network = OtherFaces(found)
        assert looked_at_again(network, image, faces, UPRIGHT) == faces
        assert network.n_runs == (1 if roll else 0)


def test_real_faces_that_are_rolled(shared_folder):
    """Of five people and a close-up: how far what is found follows the picture's turn."""
    yunet = YuNet(shared_folder / "models" / YUNET_FILE)
    errors = []
    for name in ("multi_face.jpg", "Image_with_alpha.png"):
        image = read_image(shared_folder / "media" / name)
        image = cv2.resize(image, (1000, round(1000 * image.shape[0] / image.shape[1])))
        height, width = image.shape[:2]
        upright = yunet.look_again(image, yunet.detect(image))
        assert upright
        for turn in (-35.0, -25.0, -15.0, 0.0, 10.0, 20.0, 30.0):
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turn, 1.0)
            matrix[:, 2] += 0.25 * np.array([width, height])
            size = (int(1.5 * width), int(1.5 * height))
            turned = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
            seen_again = yunet.look_again(turned, yunet.detect(turned))
            found = {face: np.mean(face.landmarks_px, axis=0) for face in seen_again}
            for face in upright:
                center = matrix[:, :2] @ np.mean(face.landmarks_px, axis=0) + matrix[:, 2]
                near = min(found, key=lambda one: math.dist(found[one], center), default=None)
                if near is None or math.dist(found[near], center) > face.box_xywh_px[2] / 3:
                    continue
                rolls = [head_pose(one.landmarks_px).roll_deg for one in (near, face)]
                errors.append(abs(rolls[0] - rolls[1] - turn))
    assert len(errors) > 35
    assert np.median(errors) < 3.0


class Turned:
    """A detector whose second look finds the landmarks that a test says."""

    search_side_px = None

    def __init__(self):
        self.landmarks, self.n_looks = None, 0

    def look_again(self, image_rgb, faces, *, from_deg=0.0):
        self.n_looks += len(faces)
        if self.landmarks is None:
            return tuple(faces)
        return tuple(replace(face, landmarks_px=self.landmarks) for face in faces)


def test_tracks_are_looked_at_now_and_then_and_remember_what_that_moved():
    image = np.zeros((480, 640, 3), np.uint8)
    first, true = seen(HeadPose(10.0, 0.0, 0.0)), seen(HeadPose(30.0, 0.0, 0.0))
    detector = Turned()
    tracks = TiltedTracks(detector, UPRIGHT)

    def roll(landmarks, time_s, track=1):
        face = Detection((270.0, 180.0, 100.0, 120.0), 0.9, landmarks)
        (better,) = tracks.better(image, [face], [track], time_s)
        assert (better.box_xywh_px, better.score) == (face.box_xywh_px, face.score)
        return head_pose(better.landmarks_px).roll_deg

    detector.landmarks = true
    assert roll(first, 0.0) == pytest.approx(30.0, abs=0.5)
    # Between two looks the landmarks move as the last one moved them.
    detector.landmarks = None
    assert roll(first, 0.04) == pytest.approx(30.0, abs=0.5) and detector.n_looks == 1
    shifted = tuple((x + 50.0, y) for x, y in first)
    assert roll(shifted, 0.08) == pytest.approx(30.0, abs=0.5) and detector.n_looks == 1
    # A look that finds nothing leaves them for half a second.
    assert roll(first, 0.3) == pytest.approx(30.0, abs=0.5) and detector.n_looks == 2
    assert roll(first, 1.0) == pytest.approx(10.0, abs=0.5)
    # Another track has looks of its own; one that ended is forgotten; an upright face needs none.
    detector.landmarks = true
    assert roll(first, 1.01, track=2) == pytest.approx(30.0, abs=0.5)
    tracks.keep(frozenset({1}))
    n_looks, detector.landmarks = detector.n_looks, None
    assert roll(first, 1.02, track=2) == pytest.approx(10.0, abs=0.5)
    assert detector.n_looks == n_looks + 1
    upright = seen(HeadPose(0.5, 0.0, 0.0))
    assert roll(upright, 3.0, track=3) == pytest.approx(0.5, abs=0.3)
    assert detector.n_looks == n_looks + 1


def test_tilted_faces_of_videos(shared_folder):
    """A swaying photo as a video: roll with the second look, and without as it was before."""
    image = read_image(shared_folder / "media" / "Image_with_alpha.png")
    image = cv2.resize(image, (640, round(640 * image.shape[0] / image.shape[1])))
    height, width = image.shape[:2]
    errors = {}
    for exact_tilt in (False, True):
        yunet = YuNet(shared_folder / "models" / YUNET_FILE, search_side_px=320)
        video = VideoRecognizer(
            Recognizer("default", yunet), search_side_px=320, exact_tilt=exact_tilt
        )
        rolls, turns = [], []
        for frame in range(24):
            turn = 30.0 * math.sin(2 * math.pi * frame / 48)
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turn, 1.0)
            turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
            faces = video.recognize(turned, frame=frame, time_s=frame / 25).faces
            if faces:
                rolls.append(faces[0].pose.roll_deg)
                turns.append(turn)
        assert len(rolls) >= 20
        away = np.array(rolls) - turns
        errors[exact_tilt] = np.median(np.abs(away - away[0]))
    assert errors[True] < 4.0
    assert errors[False] > 1.5 * errors[True]


def test_a_table_has_the_exact_tilt(tmp_path, monkeypatch):
    """Only where landmarks are written are faces looked at again."""
    from mien.recognition import video_recognizer
    from mien.recognition.classifier import Classifier
    from mien.workflows import recognizing
    from mien.workflows.videos import recognize_video
    from onnx_factory import make_model_bytes

    made = []
    real = video_recognizer.TiltedTracks
    monkeypatch.setattr(
        video_recognizer, "TiltedTracks", lambda *words: made.append(1) or real(*words)
    )

    class Fixed(FixedFaces, Turned):
        def __init__(self):
            FixedFaces.__init__(self, [(5.0, 5.0, 40.0, 50.0)])
            Turned.__init__(self)

    make_clip(tmp_path / "a.mp4", 3)
    model = Classifier(make_model_bytes())
    recognize_video(tmp_path / "a.mp4", model=model, detector=Fixed())
    assert not made
    recognize_video(tmp_path / "a.mp4", model=model, detector=Fixed(), table=tmp_path / "t.csv")
    assert made == [1]
    recognize_video(tmp_path / "a.mp4", model=model, detector=Fixed(), exact_tilt=True)
    assert made == [1, 1]

    # As the command does it.
    for tables in ((), (tmp_path / "other.csv",)):
        made.clear()
        planned = recognizing.plan(
            [str(tmp_path / "a.mp4")], files=recognizing.WantedFiles(tables=tables)
        )
        assert recognizing.Job(model, Fixed()).run(planned) == 0
        assert len(made) == len(tables)
