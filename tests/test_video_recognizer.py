"""Tracks and expressions in video, on clips with known truth made from real faces."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.labels import UNCERTAIN
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import YuNet
from mien.recognition.fakes import FixedFaces
from mien.recognition.recognizer import Recognizer
from mien.recognition.smoothing import Smoother
from mien.recognition.video_recognizer import SMALLEST_VIDEO_SEARCH_PX, VideoRecognizer
from mien.results import FrameResult
from moving_faces_factory import (
    Actor,
    Clip,
    Head,
    Place,
    grey_heads,
    heads,
    line,
    names_of_tracks,
)
from onnx_factory import make_model_bytes
from picture_factory import gradient

YUNET = "face_detection_yunet_2023mar.onnx"
BOXES = [(5.0, 5.0, 12.0, 15.0), (30.0, 10.0, 15.0, 18.0)]


@pytest.fixture(scope="module")
def recognizer(shared_folder: Path) -> Recognizer:
    detector = YuNet(shared_folder / "models" / YUNET, search_side_px=SMALLEST_VIDEO_SEARCH_PX)
    return Recognizer("default", detector)


@pytest.fixture(scope="module")
def people(shared_folder: Path) -> dict[str, Head]:
    return heads(shared_folder)


@pytest.fixture(scope="module")
def tiny() -> Classifier:
    return Classifier(make_model_bytes())


def tracks_of(video: VideoRecognizer, *shots: Clip) -> list[dict[str, set[int]]]:
    """Track numbers that each actor had, per shot."""
    found = []
    for shot in shots:
        numbers: dict[str, set[int]] = defaultdict(set)
        for frame in shot.frames():
            result = video.recognize(frame.image_rgb, time_s=frame.time_s)
            for name, track in names_of_tracks(frame, result).items():
                numbers[name].add(track)
        found.append(dict(numbers))
    return found


def both(people: dict[str, Head], a: str, b: str) -> list[Actor]:
    """Two who stand beside each other."""
    return [
        Actor(a, people[a], line((180, 180), (20, 0))),
        Actor(b, people[b], line((460, 180), (-20, 0))),
    ]


@pytest.mark.parametrize("rate_hz", [6, 24, 60])
@pytest.mark.parametrize("speed_px_s", [120, 250])
def test_two_who_cross_keep_their_tracks(recognizer, people, rate_hz, speed_px_s) -> None:
    clip = Clip(
        [
            Actor("behind", people["group 0"], line((120, 175), (speed_px_s, 0), 85)),
            Actor("in front", people["group 2"], line((520, 185), (-speed_px_s, 0), 95)),
        ],
        duration_s=400 / speed_px_s,
        rate_hz=rate_hz,
    )
    assert tracks_of(VideoRecognizer(recognizer), clip) == [{"behind": {1}, "in front": {2}}]


@pytest.mark.parametrize("speed_px_s", [120, 250])
def test_two_grey_faces_cross(recognizer, shared_folder, speed_px_s) -> None:
    tiles = grey_heads(shared_folder, (0, 6))
    clip = Clip(
        [
            Actor("behind", tiles["tile 0"], line((120, 180), (speed_px_s, 0))),
            Actor("in front", tiles["tile 6"], line((520, 180), (-speed_px_s, 0))),
        ],
        duration_s=400 / speed_px_s,
    )
    assert tracks_of(VideoRecognizer(recognizer), clip) == [{"behind": {1}, "in front": {2}}]


@pytest.mark.parametrize("who", ["group 1", "group 3", "single"])
def test_who_leaves_and_returns_within_a_second_keeps_the_track(recognizer, people, who) -> None:
    def away(time_s: float) -> Place | None:
        if time_s < 0.95:
            return (480 + 200 * time_s, 180, 90)
        return None if time_s < 1.3 else (670 - 200 * (time_s - 1.3), 185, 90)

    actors = [
        Actor("stays", people["group 4"], line((150, 180), (20, 0))),
        Actor("leaves", people[who], away),
    ]
    video = VideoRecognizer(recognizer)
    seen_s = []
    for frame in Clip(actors, duration_s=2.6).frames():
        found = names_of_tracks(frame, video.recognize(frame.image_rgb, time_s=frame.time_s))
        assert found["stays"] == 1
        assert found.get("leaves", 2) == 2
        if "leaves" not in frame.places:
            assert len(found) == 1  # who left is gone from the results at once
        if "leaves" in found:
            seen_s.append(frame.time_s)
    assert 0.5 < np.diff(seen_s).max() <= 1.0
    assert seen_s[-1] > 2.5


def test_after_a_cut_all_are_new(recognizer, people) -> None:
    first = Clip(both(people, "group 0", "group 2"), duration_s=0.8)
    second = Clip(both(people, "group 1", "group 4"), duration_s=0.8, scenery=1, begin_s=0.8)
    again = Clip(both(people, "group 0", "group 2"), duration_s=0.8, begin_s=1.6)
    assert tracks_of(VideoRecognizer(recognizer), first, second, again) == [
        {"group 0": {1}, "group 2": {2}},
        {"group 1": {3}, "group 4": {4}},
        {"group 0": {5}, "group 2": {6}},
    ]


@pytest.mark.parametrize(
    "light",
    [
        lambda t: {10: (3.0, 60.0), 11: (5.0, 100.0)}.get(round(24 * t), (1.0, 0.0)),
        lambda t: (abs(1.0 - 2 * t), 0.0),
        lambda t: (1.0, 0.0) if t < 0.5 else (0.4, 0.0),
    ],
    ids=["flash", "fade", "lamp"],
)
def test_light_ends_no_track(recognizer, people, light) -> None:
    clip = Clip(both(people, "group 0", "group 2"), duration_s=1.0, light=light)
    assert tracks_of(VideoRecognizer(recognizer), clip) == [{"group 0": {1}, "group 2": {2}}]


def test_a_pan_ends_no_track(recognizer, people) -> None:
    actors = [
        Actor("group 0", people["group 0"], line((180, 180), (-500, 0))),
        Actor("group 1", people["group 1"], line((560, 180), (-500, 0))),
    ]
    clip = Clip(actors, duration_s=0.7, pan_px_s=500)
    assert tracks_of(VideoRecognizer(recognizer), clip) == [{"group 0": {1}, "group 1": {2}}]


@pytest.fixture(scope="module")
def talking(recognizer, shared_folder) -> list[FrameResult]:
    """Results of the clip of a woman who talks."""
    import av

    video = VideoRecognizer(recognizer)
    with av.open(str(shared_folder / "media" / "WolfgangLanger_Pexels.mp4")) as container:
        return [
            video.recognize(frame.to_ndarray(format="rgb24"), frame=number, time_s=frame.time)
            for number, frame in enumerate(container.decode(video=0))
        ]


def changes(labels: Iterable[int]) -> int:
    return int(np.count_nonzero(np.diff(list(labels))))


def test_one_woman_is_one_track(talking) -> None:
    assert [[face.track for face in result.faces] for result in talking] == [[1]] * 472


def test_her_label_changes_a_third_as_often(talking) -> None:
    raw = changes(result.faces[0].raw.index for result in talking)
    assert raw >= 6
    assert changes(result.faces[0].expression.index for result in talking) <= raw / 3


def jittered(tile: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tile as the next frame might show it."""
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), rng.normal(0, 3), np.exp(rng.normal(0, 0.04)))
    matrix[:, 2] += rng.normal(0, 1.2, 2)
    moved = cv2.warpAffine(tile, matrix, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    noisy = moved * np.exp(rng.normal(0, 0.05)) + rng.normal(0, 4, tile.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def test_true_changes_show_soon_and_others_do_not(fer2013) -> None:
    """Tiles whose expression switches every 1.5 s: delays against the truth, and flicker."""
    images, rows = fer2013
    recognizer = Recognizer("default", FixedFaces([(136.0, 96.0, 48.0, 48.0)]))
    validation = [n for n, row in enumerate(rows) if row["Usage"] == "PublicTest"][:600]
    truth = np.array([int(rows[n]["emotion"]) for n in validation])
    probabilities = recognizer.classifier.probabilities(images[validation])
    sure = np.flatnonzero(
        (probabilities.argmax(axis=1) == truth) & (probabilities.max(axis=1) > 0.8)
    )
    rng = np.random.default_rng(0)
    rng.shuffle(sure)
    kinds = [sure[0]]
    for candidate in sure[1:]:
        if truth[candidate] != truth[kinds[-1]]:
            kinds.append(candidate)
    kinds = kinds[:16]
    video = VideoRecognizer(recognizer)
    frame = next(iter(Clip([], size=(320, 240)).frames())).image_rgb
    raw, shown = [], []
    delays_s = []
    for kind in kinds:
        turned = len(shown)
        for _ in range(36):
            frame[96:144, 136:184] = jittered(images[validation[kind]], rng)[..., np.newaxis]
            (face,) = video.recognize(frame, time_s=len(shown) / 24).faces
            assert face.track == 1
            raw.append(face.raw.index)
            shown.append(face.expression.index)
        assert truth[kind] in shown[turned:]
        raw_onset = raw.index(truth[kind], turned)
        delays_s.append((shown.index(truth[kind], turned) - raw_onset) / 24)
    true_changes = len(kinds) - 1
    assert changes(raw) >= true_changes + 6
    assert (changes(shown) - true_changes) <= (changes(raw) - true_changes) / 3
    assert np.median(delays_s) <= 0.15
    assert max(delays_s) <= 0.3


def test_results_of_fixed_faces(tiny) -> None:
    recognizer = Recognizer(tiny, FixedFaces(BOXES, score=0.8))
    video = VideoRecognizer(recognizer)
    alone = recognizer.recognize(gradient())
    for number in range(3):
        result = video.recognize(gradient(), source="a.mp4", frame=number, time_s=number / 25)
        assert (result.source, result.frame, result.time_s) == ("a.mp4", number, number / 25)
        assert (result.width_px, result.height_px, result.detector) == (60, 40, "fixed")
        assert [face.track for face in result.faces] == [1, 2]
        for face, single in zip(result.faces, alone.faces, strict=True):
            assert face.box_xywh_px == single.box_xywh_px
            assert face.detection_score == 0.8
            assert face.raw == single.expression
            # A picture that does not change has nothing to smooth.
            assert face.expression.probabilities == pytest.approx(face.raw.probabilities)
            assert face.expression.label == face.raw.label


def test_no_half_life_is_no_smoothing(tiny) -> None:
    video = VideoRecognizer(Recognizer(tiny, FixedFaces(BOXES)), half_life_s=0.0)
    for number, picture in enumerate((gradient(), gradient()[::-1], gradient()[:, ::-1])):
        faces = video.recognize(picture, time_s=number / 25).faces
        assert len(faces) == len(BOXES)
        for face in faces:
            assert face.expression == face.raw


def test_smoothing_remembers_the_track(tiny) -> None:
    video = VideoRecognizer(Recognizer(tiny, FixedFaces(BOXES)), half_life_s=0.1)
    (before, _), (after, _) = (
        video.recognize(picture, time_s=time_s).faces
        for picture, time_s in ((gradient(), 0.0), (gradient() // 2, 0.1))
    )
    assert after.track == 1
    half = (np.array(before.raw.probabilities) + after.raw.probabilities) / 2
    assert after.expression.probabilities == pytest.approx(half.tolist())


def test_another_video_begins_anew(tiny) -> None:
    video = VideoRecognizer(Recognizer(tiny, FixedFaces(BOXES)))
    for _ in range(2):
        first = video.recognize(gradient(), time_s=3.0)
        assert [face.track for face in first.faces] == [1, 2]
        assert first.faces[0].expression.probabilities == first.faces[0].raw.probabilities
        video.recognize(gradient(), time_s=4.0)
        video.restart()


@pytest.mark.parametrize("time_s", [1.0, 0.5, -3.0, float("nan"), float("inf")])
def test_time_goes_forward(tiny, time_s: float) -> None:
    video = VideoRecognizer(Recognizer(tiny, FixedFaces(BOXES)))
    video.recognize(gradient(), time_s=1.0)
    with pytest.raises(ValueError, match=r"after 1\.0, got .*restart"):
        video.recognize(gradient(), time_s=time_s)
    assert [face.track for face in video.recognize(gradient(), time_s=1.1).faces] == [1, 2]


def test_what_is_no_picture_changes_nothing(tiny) -> None:
    video = VideoRecognizer(Recognizer(tiny, FixedFaces(BOXES)))
    video.recognize(gradient(), time_s=1.0)
    with pytest.raises(ValueError, match="expected uint8"):
        video.recognize(gradient().astype(float), time_s=9.0)
    assert [face.track for face in video.recognize(gradient(), time_s=1.1).faces] == [1, 2]


def test_frames_without_faces_and_of_other_sizes(tiny) -> None:
    video = VideoRecognizer(Recognizer(tiny, FixedFaces([])))
    for number, shape in enumerate([(1, 1), (40, 60), (600, 20)]):
        image = np.full((*shape, 3), 90, np.uint8)
        assert video.recognize(image, time_s=float(number)).faces == ()


@pytest.mark.parametrize("wrong", [{"half_life_s": -1.0}, {"margin": 1.0}, {"max_gap_s": -1.0}])
def test_settings_that_mean_nothing(tiny, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        VideoRecognizer(Recognizer(tiny, FixedFaces(BOXES)), **wrong)


def test_the_least_confidence_reaches_both_expressions(tiny) -> None:
    video = VideoRecognizer(Recognizer(tiny, FixedFaces(BOXES), min_confidence=0.99))
    for number in range(3):
        faces = video.recognize(gradient(), time_s=number / 25).faces
        assert len(faces) == len(BOXES)
        for face in faces:
            assert face.expression.label == face.raw.label == UNCERTAIN
            assert face.expression.held_uncertain is True
            assert face.raw.held_uncertain is None
    plain = VideoRecognizer(Recognizer(tiny, FixedFaces(BOXES))).recognize(gradient())
    assert not any(face.expression.is_uncertain or face.raw.is_uncertain for face in plain.faces)


@pytest.mark.parametrize("min_confidence", [0.5, 0.7, 0.8])
def test_she_does_not_flicker_between_uncertain_and_what_she_shows(
    talking, recognizer, min_confidence
) -> None:
    """Uncertain or not, no label but the last is shown for less than an eighth of a second: what
    leads by the margin shows at once, so it can be less than the quarter that others wait."""
    smoother = Smoother(recognizer.classifier.label_set, min_confidence=min_confidence)
    free, shown, times_s = [], [], []
    for result in talking:
        raw = result.faces[0].raw
        (expression,) = smoother.smooth([1], np.array([raw.probabilities]), result.time_s)
        free.append(replace(raw, min_confidence=min_confidence).label)
        shown.append(expression.label)
        times_s.append(result.time_s)
    turned = [n for n, (a, b) in enumerate(pairwise(shown), 1) if a != b]
    flickers = sum(a != b for a, b in pairwise(free))
    assert UNCERTAIN in shown and len(set(shown)) >= 3
    assert len(turned) <= flickers / 3
    onsets_s = [times_s[0], *(times_s[n] for n in turned)]
    assert min(b - a for a, b in pairwise(onsets_s)) >= 0.125
