"""The page's arithmetic against Python's, on the same made-up pictures, faces and times."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien.drawing.placement import place_tag
from mien.head_pose import head_pose, rotation_of
from mien.labels import FER2013
from mien.model.card import ModelCard
from mien.page.numbers import numbers_of
from mien.preprocessing import crop_face, to_grey, to_network_input
from mien.recognition.appearance import describe
from mien.recognition.assignment import cheapest_pairs
from mien.recognition.detectors.detector import reduced_to
from mien.recognition.detectors.second_look import looked_at_again
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.scenes import CutDetector
from mien.recognition.smoothing import Smoother
from mien.recognition.tracks import Tracker
from mien.recognition.turning import TURNS, turned, turned_back, upright
from mien.results import POSE_FIELDS, Detection, HeadPose
from mien.samples import Image
from serving_factory import classifier

_ROOT = Path(__file__).parent.parent
_ENGINE = _ROOT / "src/mien/page/web/engine"
_GEOMETRY = YuNet.crops["fer2013"]


def compute(*cases: dict[str, Any]) -> list[Any]:
    """What the page's modules make of the cases."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    done = subprocess.run(
        [node, str(_ROOT / "tests/page/compute.mjs"), str(_ENGINE)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(cases)
    return list(found)


def card() -> ModelCard:
    return classifier().card


def numbers() -> dict[str, Any]:
    return dict(json.loads(json.dumps(numbers_of(card()))))


def noise(width: int, height: int, seed: int = 0) -> Image:
    """Structure of several sizes, and noise."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(smooth + random.integers(-30, 31, smooth.shape), 0, 255).astype(np.uint8)


def packed(image: Image) -> dict[str, Any]:
    if image.ndim == 3:
        alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
        image = np.concatenate([image, alpha], axis=2)
    return {
        "data": base64.b64encode(np.ascontiguousarray(image).tobytes()).decode(),
        "width": image.shape[1],
        "height": image.shape[0],
        "channels": 1 if image.ndim == 2 else 4,
    }


def unpacked(found: dict[str, Any]) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(found["data"]), np.uint8)
    shape = (found["height"], found["width"], found["channels"])
    values = values.reshape(shape).astype(int)
    if found["channels"] == 4:
        assert (values[..., 3] == 255).all()
        return values[..., :3]
    return values[..., 0]


_SIZES = [
    ((640, 480), (320, 240)),
    ((1280, 720), (320, 180)),
    ((1280, 720), (640, 360)),
    ((999, 667), (320, 214)),
    ((1000, 750), (640, 480)),
    ((300, 200), (100, 100)),
    ((97, 97), (48, 48)),
    ((144, 144), (48, 48)),
    ((61, 61), (48, 48)),
    ((49, 50), (48, 48)),
    ((1, 7), (1, 3)),
]


@pytest.mark.parametrize("is_grey", [False, True])
def test_shrinking_averages_areas(is_grey: bool):
    pictures = [noise(*size) for size, _ in _SIZES]
    if is_grey:
        pictures = [to_grey(picture) for picture in pictures]
    found = compute(
        *(
            {"kind": "area", "picture": packed(picture), "width": width, "height": height}
            for picture, (_, (width, height)) in zip(pictures, _SIZES, strict=True)
        )
    )
    for picture, (_, size), one in zip(pictures, _SIZES, found, strict=True):
        expected = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(int)
        difference = np.abs(unpacked(one) - expected)
        # A sum of floats in another order may be rounded the other way.
        assert difference.max() <= 1, size
        assert (difference > 0).mean() < 0.001, size


@pytest.mark.parametrize("is_grey", [False, True])
def test_linear_interpolation(is_grey: bool):
    sizes = [
        *_SIZES,
        ((30, 40), (48, 48)),
        ((320, 240), (640, 480)),
        ((5, 3), (48, 48)),
        ((200, 133), (640, 426)),
        ((1, 1), (48, 48)),
    ]
    pictures = [noise(*size, seed=1) for size, _ in sizes]
    if is_grey:
        pictures = [to_grey(picture) for picture in pictures]
    found = compute(
        *(
            {"kind": "linear", "picture": packed(picture), "width": width, "height": height}
            for picture, (_, (width, height)) in zip(pictures, sizes, strict=True)
        )
    )
    for picture, (_, size), one in zip(pictures, sizes, found, strict=True):
        expected = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR).astype(int)
        difference = np.abs(unpacked(one) - expected)
        assert difference.max() <= 1, (size, difference.max())
        assert (difference > 0).mean() < 0.01, (size, (difference > 0).mean())


@pytest.mark.parametrize(
    ("size", "longest"),
    [((1920, 1080), 320), ((640, 480), 320), ((500, 333), 320), ((200, 90), 320)],
)
def test_frames_are_reduced_for_the_search(size: tuple[int, int], longest: int):
    picture = noise(*size, seed=2)
    (found,) = compute({"kind": "reduced", "picture": packed(picture), "longest": longest})
    difference = np.abs(unpacked(found) - reduced_to(picture, longest).astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_luma():
    random = np.random.default_rng(3)
    picture = random.integers(0, 256, (200, 300, 3), np.uint8)
    (found,) = compute({"kind": "grey", "picture": packed(picture)})
    assert (unpacked(found) == to_grey(picture)).all()


def test_halves_go_to_the_even_number():
    values = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, 2.6, 3.0, -3.2]
    (found,) = compute({"kind": "rint", "values": values})
    assert found == [round(value) for value in values]


def landmarks(box: tuple[float, ...], turn_deg: float) -> list[tuple[float, float]]:
    """Of a face in a box, turned clockwise by an angle."""
    x, y, side = _GEOMETRY.square(box)  # type: ignore[arg-type]
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.array(_GEOMETRY.landmarks) @ turn.T * side + [x + side / 2, y + side / 2]
    return [(float(px), float(py)) for px, py in points]


@pytest.mark.parametrize("turn_deg", [0.0, 3.0, 17.0, -41.0, 90.0, 178.0])
@pytest.mark.parametrize(
    "box",
    [
        (100.3, 60.7, 120.2, 150.0),
        (-12.0, 5.0, 60.0, 80.0),
        (300.0, 250.0, 90.0, 100.0),
        (40.0, 40.0, 14.0, 17.0),
        (10.0, 5.0, 330.0, 380.0),
    ],
)
def test_crops_and_what_the_network_sees(box: tuple[float, float, float, float], turn_deg: float):
    picture = noise(400, 320, seed=4)
    points = landmarks(box, turn_deg)
    about = numbers()
    (found,) = compute(
        {
            "kind": "crop",
            "picture": packed(picture),
            "box": box,
            "landmarks": points,
            "crop": about["crop"],
            "model": about["model"],
        }
    )
    expected = crop_face(picture, box, _GEOMETRY, points)
    face = unpacked(found["face"])
    assert face.shape == expected.shape
    # OpenCV before 4.12 rounds where it samples a turned square to 1/32 of a pixel.
    is_turned = abs(turn_deg) >= 5
    difference = np.abs(face - expected.astype(int))
    assert difference.max() <= (8 if is_turned else 0)
    assert difference.mean() <= (0.5 if is_turned else 0)
    seen = to_network_input([expected], card().input)
    spread = np.abs(np.reshape(found["input"], seen.shape) - seen)
    assert spread.max() <= (4 if is_turned else 1)


def test_assignment():
    random = np.random.default_rng(5)
    shapes = [(1, 1), (3, 3), (2, 6), (6, 2), (9, 7), (12, 12), (0, 3), (3, 0)]
    tables = [random.random(shape) for shape in shapes]
    found = compute(*({"kind": "pairs", "costs": table.tolist()} for table in tables))
    for table, pairs in zip(tables, found, strict=True):
        rows, columns = cheapest_pairs(table)
        assert pairs == np.stack([rows, columns], axis=1).tolist()


def test_cuts():
    scenes = [noise(320, 180, seed) for seed in (6, 7)]
    frames = [
        scenes[0],
        np.roll(scenes[0], 6, axis=1),
        np.clip(scenes[0].astype(int) + 60, 0, 255).astype(np.uint8),
        scenes[1],
        np.zeros_like(scenes[0]),
        scenes[1],
        scenes[0],
        np.full_like(scenes[0], 250),
        scenes[1],
        scenes[1][:, ::-1].copy(),
    ]
    half = scenes[1][:, ::-1].copy()
    half[:70] = 200
    frames.append(half)
    detector = CutDetector()
    expected = [detector.is_cut(frame) for frame in frames]
    assert 2 <= sum(expected) <= 6
    about = numbers()["cuts"]
    (found,) = compute(
        {"kind": "cuts", "frames": [packed(frame) for frame in frames], "numbers": about}
    )
    assert found == expected


def looks(picture: Image, boxes: list[tuple[float, ...]]) -> dict[str, Any]:
    squares = [_GEOMETRY.square(box) for box in boxes]  # type: ignore[arg-type]
    crops = [crop_face(picture, box, _GEOMETRY) for box in boxes]  # type: ignore[arg-type]
    return {
        "crops": crops,
        "squares": np.array(squares),
        "boxes": np.array(boxes),
        "frame": (picture.shape[1], picture.shape[0]),
    }


def test_appearances():
    picture = noise(320, 240, seed=8)
    picture[:, 250:] = 90
    boxes = [(20, 30, 60, 70), (60, 40, 70, 80), (-20, 150, 50, 60), (255, 100, 40, 50)]
    given = looks(picture, boxes)
    expected = describe(*(given[name] for name in ("crops", "squares", "boxes", "frame")))
    (found,) = compute(
        {
            "kind": "looks",
            "crops": [packed(crop) for crop in given["crops"]],
            "squares": given["squares"].tolist(),
            "boxes": boxes,
            "frame": given["frame"],
            "numbers": numbers()["appearance"],
        }
    )
    for index, one in enumerate(found):
        np.testing.assert_allclose(one["weights"], expected.weights[index], atol=1e-5)
        np.testing.assert_allclose(one["colours"], expected.colours[index], atol=0.05)


def test_tracks_through_crossings_gaps_and_slow_frames():
    random = np.random.default_rng(9)
    picture = noise(640, 360, seed=9)
    tracker, frames, expected, time_s = Tracker(), [], [], 0.0
    for number in range(160):
        time_s += 1.9 if number == 90 else 0.04
        step = number * 4.0
        boxes = [
            (20 + step % 500, 60.0, 60.0, 75.0),
            (540 - step % 500, 70.0, 62.0, 76.0),
            (300.0, 220 + 10 * np.sin(number / 9), 80.0 + number / 8, 95.0),
        ]
        boxes = [
            tuple(float(v) for v in np.add(box, random.normal(0, 1, 4)))
            for box in boxes
            if random.random() > 0.15
        ]
        given = looks(picture, boxes)
        described = describe(
            given["crops"],
            given["squares"].reshape(-1, 3),
            given["boxes"].reshape(-1, 4),
            given["frame"],
        )
        found = [Detection(box, 0.9) for box in boxes]  # type: ignore[arg-type]
        expected.append(list(tracker.update(found, described, time_s)))
        frames.append(
            {
                "boxes": boxes,
                "time": time_s,
                "looks": [
                    {"colours": colours, "weights": weights}
                    for colours, weights in zip(
                        described.colours.tolist(), described.weights.tolist(), strict=True
                    )
                ],
            }
        )
    assert len({track for frame in expected for track in frame}) > 3
    (found,) = compute({"kind": "tracks", "frames": frames, "numbers": numbers()})
    assert found == expected


def test_smoothing_and_hysteresis():
    random = np.random.default_rng(10)
    smoother, rows, expected, time_s = Smoother(FER2013), [], [], 0.0
    for number in range(300):
        time_s += float(random.uniform(0.01, 0.12))
        favourite = (number // 25) % 7
        row = random.dirichlet(np.ones(7) + 2.5 * (np.arange(7) == favourite))
        track = 1 + number % 2
        rows.append({"row": row.tolist(), "time": time_s, "track": track})
        (shown,) = smoother.smooth([track], row[np.newaxis], time_s)
        expected.append((shown.index, shown.probabilities))
    assert len({index for index, _ in expected}) > 3
    (found,) = compute({"kind": "smoothing", "rows": rows, "numbers": numbers()["smoothing"]})
    for one, (index, probabilities) in zip(found, expected, strict=True):
        assert one["held"] == index
        np.testing.assert_allclose(one["probabilities"], probabilities, atol=1e-9)


def seen_landmarks(random: np.random.Generator, model_mm: Any) -> list[tuple[float, float]]:
    """Those of a head that is turned at will, somewhere in a picture, with errors."""
    pose = HeadPose(*(float(random.uniform(-most, most)) for most in (180, 60, 35)))
    head = np.array(model_mm) * random.uniform(0.85, 1.15, (5, 3)) @ rotation_of(pose).T
    head += [0.0, 0.0, random.uniform(400, 2000)]
    points = head[:, :2] / head[:, 2:] * random.uniform(300, 2000)
    points += random.normal(0, random.choice([0.0, 1.0]), (5, 2)) + random.uniform(0, 500, 2)
    return [(float(x), float(y)) for x, y in points]


def test_head_poses():
    random = np.random.default_rng(11)
    about = numbers()["pose"]
    faces = [seen_landmarks(random, about["model_mm"]) for _ in range(300)]
    expected = [head_pose(points) for points in faces]
    poses = [[getattr(pose, name) for name in POSE_FIELDS] for pose in expected]
    assert np.ptp(poses, axis=0).min() > 60
    none = [[(5.0, 5.0)] * 5, faces[0][:4], []]
    (found,) = compute({"kind": "poses", "faces": [*faces, *none], "numbers": about})
    ours = [[one[name] for name in POSE_FIELDS] for one in found[: len(faces)]]
    # OpenCV ends its search a little earlier.
    spread = np.abs((np.subtract(ours, poses) + 180) % 360 - 180)
    assert np.quantile(spread, 0.99) < 0.001
    assert spread.max() < 0.1
    assert found[len(faces) :] == [None] * 3
    assert [head_pose(tuple(points)) for points in none] == [None] * 3


def test_pictures_are_turned_by_quarters():
    picture = noise(40, 30, seed=12)
    found = compute(
        *({"kind": "turned", "picture": packed(picture), "turn": turn} for turn in TURNS)
    )
    for turn, one in zip(TURNS, found, strict=True):
        assert (unpacked(one) == turned(picture, turn)).all()


class FoundByTurn:
    """A detector that finds what a test says, call by call."""

    def __init__(self, answers: list[list[Detection]]) -> None:
        self.answers = answers
        self.calls = 0

    def detect(self, _: Image) -> tuple[Detection, ...]:
        self.calls += 1
        return tuple(self.answers[self.calls - 1])


@pytest.mark.parametrize(
    "scores",
    [
        [[0.95], [0.99], [0.99], [0.99]],
        [[], [0.88], [0.6], [0.9, 0.7]],
        [[0.7], [0.84], [0.7, 0.7], [0.86]],
        [[0.85, 0.8], [0.86], [0.86, 0.82], [0.5]],
        [[], [], [0.8], []],
    ],
)
def test_photos_on_their_side(scores: list[list[float]]):
    picture = noise(90, 60, seed=13)
    boxes = [(4.0, 6.0, 20.0, 25.0), (30.0, 10.0, 15.0, 18.0)]
    answers = [
        [
            Detection(boxes[k], score, tuple(landmarks(boxes[k], 9.0)))
            for k, score in enumerate(several)
        ]
        for several in scores
    ]
    detector = FoundByTurn(answers)
    turn, _, faces = upright(picture, detector)  # type: ignore[arg-type]
    expected = [turned_back(face, turn, (90, 60)) for face in faces]
    (found,) = compute(
        {
            "kind": "upright",
            "picture": packed(picture),
            "found": [[as_found(face) for face in several] for several in answers],
            "numbers": numbers()["turning"],
        }
    )
    assert (found["turn"], found["calls"]) == (turn, detector.calls)
    for one, other in zip(found["faces"], expected, strict=True):
        np.testing.assert_allclose(one["box"], other.box_xywh_px)
        np.testing.assert_allclose(one["landmarks"], other.landmarks_px)


def as_found(face: Detection) -> dict[str, Any]:
    return {"box": face.box_xywh_px, "score": face.score, "landmarks": face.landmarks_px}


class ToldNetwork:
    """A network that says what a test told it, call by call, and keeps what it was shown."""

    def __init__(self, answers: list[np.ndarray]) -> None:
        self.answers = answers
        self.shown: list[Image] = []

    def find(self, image_rgb: Image, _: float) -> np.ndarray:
        self.shown.append(image_rgb)
        return self.answers[len(self.shown) - 1]


def looked(turn_deg: float, *, width: float = 224.0, shift: float = 0.0) -> np.ndarray:
    """What the network says of a face in the middle of the square."""
    box = (160 - width / 2 + shift, 160 - width / 2, width, width)
    return np.array([[*box, *np.ravel(landmarks(box, turn_deg)), 0.9]], np.float32)


def test_the_second_look():
    picture = noise(300, 260, seed=14)
    boxes = [(20.0, 20.0, 60.0, 70.0), (90.0, 40.0, 80.0, 95.0), (220.0, 60.0, 50.0, 66.0)]
    boxes += [(10.0, 150.0, 70.0, 80.0), (150.0, 160.0, 66.0, 70.0)]
    turns = [20.0, 3.0, -35.0, 12.0, -100.0]
    faces = [
        Detection(box, 0.9, tuple(landmarks(box, turn)))
        for box, turn in zip(boxes, turns, strict=True)
    ]
    # In the order of their widths: two looks, one, lost, another face, of another size.
    answers = [
        np.concatenate([looked(4.0, shift=90.0), looked(14.0)]),
        looked(-2.0),
        looked(6.0),
        np.empty((0, 15), np.float32),
        looked(5.0, width=90.0),
        looked(5.0, width=90.0),
    ]
    network = ToldNetwork(answers)
    expected = looked_at_again(network, picture, faces, _GEOMETRY)  # type: ignore[arg-type]
    about = numbers()
    (found,) = compute(
        {
            "kind": "again",
            "picture": packed(picture),
            "faces": [as_found(face) for face in faces],
            "answers": [
                [
                    {"width": float(row[2]), "landmarks": row[4:14].reshape(-1, 2).tolist()}
                    for row in rows.astype(float)
                ]
                for rows in answers
            ],
            "crop": about["crop"],
            "numbers": about["second_look"],
        }
    )
    changed = [one != other for one, other in zip(expected, faces, strict=True)]
    assert any(changed) and not all(changed)
    for one, other in zip(found["faces"], expected, strict=True):
        np.testing.assert_allclose(one["box"], other.box_xywh_px)
        np.testing.assert_allclose(one["landmarks"], other.landmarks_px, atol=1e-3)
    assert len(found["shown"]) == len(network.shown) >= 4
    for one, shown in zip(found["shown"], network.shown, strict=True):
        difference = np.abs(unpacked(one) - shown.astype(int))
        # OpenCV before 4.12 rounds where it samples to 1/32 of a pixel.
        assert difference.max() <= 8
        assert difference.mean() <= 0.5


def test_places_of_tags():
    random = np.random.default_rng(15)
    size, tags, expected = (400, 300), [], []
    for number in range(120):
        corners = random.integers(-20, 330, (1 + number % 5, 2)).tolist()
        sides = random.integers(10, 120, (len(corners), 2)).tolist()
        rects = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sides, strict=True)]
        extent = tuple(random.integers(20, 120, 2).tolist())
        before = None if number % 3 else int(random.integers(8))
        tags.append({"face": rects[0], "extent": extent, "taken": rects[1:], "before": before})
        place, rect = place_tag(rects[0], extent, rects[1:], size, 3, before)
        expected.append({"place": place, "rect": list(rect)})
    (found,) = compute({"kind": "tags", "tags": tags, "size": size, "gap": 3})
    assert len({one["place"] for one in expected}) >= 4
    assert found == expected


def test_numbers_are_json_and_complete():
    about = numbers()
    assert [label["key"] for label in about["labels"]] == list(card().labels)
    assert about["model"]["temperature"] == card().temperature
    assert about["detector"]["video_threshold"] == 0.7
    assert about["crop"]["landmarks"] == [list(point) for point in _GEOMETRY.landmarks]
