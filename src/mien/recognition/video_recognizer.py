"""Recognition in video: frames in the order of time, faces with tracks and calm expressions.

Composes what a `Recognizer` does with one picture with what only a video has: tracks, cuts and
smoothing. Each face is cut out once, for the network and for its appearance.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.recognition.appearance import Appearances, describe
from mien.recognition.detectors.detector import LooksAgain, check_picture, check_search_side
from mien.recognition.recognizer import Recognizer, Search
from mien.recognition.scenes import CutDetector
from mien.recognition.smoothing import HALF_LIFE_S, MARGIN, Smoother
from mien.recognition.tilts import TiltedTracks
from mien.recognition.tracks import MAX_GAP_S, Tracker
from mien.recognition.turning import Turn
from mien.results import Detection, Expression, Face, FrameResult
from mien.samples import Image

SMALLEST_VIDEO_SEARCH_PX, LARGEST_VIDEO_SEARCH_PX = 320, 640
"""Bounds of what `video_search_side_px` gives, in pixels."""

LIVE_SEARCH_SIDE_PX = 320
"""What `VideoRecognizer` takes for cameras as ``search_side_px``, for the sake of latency."""


def video_search_side_px(width_px: int, height_px: int) -> int:
    """Longest side that detectors should reduce the frames of a video to.

    Half of the frame's, but from 320 to 640: on 2 cores YuNet takes 2.3 ms for a frame of 640 x 360
    and 10 for larger ones. `FaceDetector.minimum_face_px` says which faces are found then.

    Args:
        width_px: width of the frames.
        height_px: height of the frames.
    """
    half = max(width_px, height_px) // 2
    return min(max(half, SMALLEST_VIDEO_SEARCH_PX), LARGEST_VIDEO_SEARCH_PX)


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What one frame shows by itself, without those before it. Faces are from left to right."""

    width_px: int
    """Width of the frame."""
    height_px: int
    """Height of the frame."""
    faces: tuple[Detection, ...]
    """In pixels of the frame."""
    upright_faces: tuple[Detection, ...]
    """In pixels of the frame as it was turned, in the same order."""
    probabilities: NDArray[np.float64]
    """(n, classes), rows summing to 1."""
    appearances: Appearances
    """What each face looks like."""
    turn_deg: Turn
    """By how much the frame was turned."""


class VideoRecognizer:
    """Recognises the faces of one video after another. Remembers; for one thread.

    The recogniser's ``rotate`` turns all frames alike; ``"auto"`` turns none.

    Args:
        recognizer: finds and classifies the faces of single frames.
        search_side_px: frames are reduced to at most this longest side to search for faces; None:
            as the recogniser's detector was made to, and as `video_search_side_px` says where
            that was left open.
        half_life_s: of the smoothing, as in `Smoother`; 0 switches it off.
        margin: of the hysteresis, as in `Smoother`.
        max_gap_s: how long a hidden face keeps its track, as in `Tracker`.
        exact_tilt: look at tilted faces again, some eight times a second, so that landmarks and
            roll are about as exact as those of photos (docs/head_pose.md); 1 ms a frame and tilted
            face, or what the detector takes for it. `follow` has no pictures and does not.

    Raises:
        ValueError: a negative half-life or gap, a margin outside [0, 1), or a ``search_side_px``
            below 64.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        *,
        search_side_px: int | None = None,
        half_life_s: float = HALF_LIFE_S,
        margin: float = MARGIN,
        max_gap_s: float = MAX_GAP_S,
        exact_tilt: bool = False,
    ) -> None:
        check_search_side(search_side_px)
        self.recognizer = recognizer
        """What finds and classifies the faces; at the search size of the video, once it began."""
        self._given = recognizer
        self._search_side_px = search_side_px or recognizer.detector.search_side_px
        self._by_side: dict[int, Recognizer] = {}
        self._is_prepared = False
        self._half_life_s = half_life_s
        self._margin = margin
        self._max_gap_s = max_gap_s
        self.exact_tilt = exact_tilt
        """Whether tilted faces are looked at again."""
        self.restart()

    def restart(self) -> None:
        """Forget everything, for the next video: tracks count from 1 again, time from anywhere."""
        self._cuts = CutDetector()
        self._tracker = Tracker(max_gap_s=self._max_gap_s)
        self._smoother = Smoother(
            self.recognizer.classifier.label_set,
            half_life_s=self._half_life_s,
            margin=self._margin,
            min_confidence=self.recognizer.min_confidence,
        )
        self._time_s = -math.inf
        self._is_prepared = False
        self._tilted: TiltedTracks | None = None

    def prepare(self, width_px: int, height_px: int) -> None:
        """Choose the search size for the frames of a video; its first frame does so otherwise.

        Args:
            width_px: width of the frames.
            height_px: height of the frames.
        """
        side_px = self._search_side_px or video_search_side_px(width_px, height_px)
        if side_px not in self._by_side:
            self._by_side[side_px] = self._given.searching(side_px)
        self.recognizer = self._by_side[side_px]
        self._is_prepared = True

    def recognize(
        self, image_rgb: Image, *, source: str = "", frame: int = 0, time_s: float = 0.0
    ) -> FrameResult:
        """Recognise the expressions in the next frame.

        Args:
            image_rgb: uint8 (H, W, 3) RGB; the size may change between frames.
            source: path or URL of the video, kept in the result.
            frame: number of the frame in its source, kept in the result.
            time_s: presentation time in seconds, later than that of the frame before.

        Returns:
            The faces from left to right with their tracks, smoothed expressions, and what this
            frame alone shows as `Face.raw`; only faces that are in view.

        Raises:
            ValueError: the picture is not uint8 (H, W, 3), or the time is not later than the
                last one; nothing was changed. `restart` begins another video.
        """
        self._check_time(time_s)
        sighting = self.look(image_rgb)
        is_cut = self._cuts.is_cut(image_rgb)
        found = self.follow(sighting, is_cut, source=source, frame=frame, time_s=time_s)
        return self._with_exact_tilt(found, image_rgb) if self.exact_tilt else found

    def _with_exact_tilt(self, found: FrameResult, image_rgb: Image) -> FrameResult:
        detector = self.recognizer.detector
        if self._tilted is None and isinstance(detector, LooksAgain):
            self._tilted = TiltedTracks(detector, self.recognizer.geometry)
        if self._tilted is None:
            return found
        self._tilted.keep(self._tracker.waiting_or_in_view)
        faces = [Detection(f.box_xywh_px, f.detection_score, f.landmarks_px) for f in found.faces]
        tracks = [face.track or 0 for face in found.faces]
        better = self._tilted.better(image_rgb, faces, tracks, found.time_s)
        seen = (
            replace(face, landmarks_px=other.landmarks_px)
            for face, other in zip(found.faces, better, strict=True)
        )
        return replace(found, faces=tuple(seen))

    def look(self, image_rgb: Image) -> Sighting:
        """The first half of `recognize`: what a frame shows by itself. Remembers nothing, so the
        frames of a video may be looked at in any order, by several processes.

        Args:
            image_rgb: uint8 (H, W, 3) RGB.

        Raises:
            ValueError: the picture is not uint8 (H, W, 3).
        """
        if not self._is_prepared:
            check_picture(image_rgb)
            self.prepare(image_rgb.shape[1], image_rgb.shape[0])
        rotate = self.recognizer.rotate
        # Trying all directions is for photos: frames would take four times as long.
        found = self.recognizer.search(image_rgb, 0 if rotate == "auto" else rotate)
        return Sighting(
            image_rgb.shape[1],
            image_rgb.shape[0],
            found.faces,
            found.upright_faces,
            self.recognizer.probabilities(found.crops),
            self._describe(found),
            found.turn_deg,
        )

    def follow(
        self,
        sighting: Sighting,
        is_cut: bool,
        *,
        source: str = "",
        frame: int = 0,
        time_s: float = 0.0,
    ) -> FrameResult:
        """The second half of `recognize`: tracks and smoothing, in the order of the frames.

        Args:
            sighting: what `look` gave for the next frame.
            is_cut: whether it shows another scene than the frames before.
            source: as in `recognize`; so are the others.
            frame: as above.
            time_s: as above.

        Raises:
            ValueError: the time is not later than the last one; nothing was changed.
        """
        self._check_time(time_s)
        self._time_s = time_s
        if is_cut:
            self._tracker.end_all()
        tracks = self._tracker.update(sighting.upright_faces, sighting.appearances, time_s)
        self._smoother.keep(self._tracker.waiting_or_in_view)
        smoothed = self._smoother.smooth(tracks, sighting.probabilities, time_s)
        label_set, least = self.recognizer.classifier.label_set, self.recognizer.min_confidence
        raw = [
            Expression(label_set, tuple(row), min_confidence=least)
            for row in sighting.probabilities.tolist()
        ]
        return FrameResult(
            width_px=sighting.width_px,
            height_px=sighting.height_px,
            detector=self.recognizer.detector.name,
            faces=tuple(
                Face(
                    face.box_xywh_px,
                    face.score,
                    face.landmarks_px,
                    expression,
                    track,
                    alone,
                )
                for face, expression, track, alone in zip(
                    sighting.faces, smoothed, tracks, raw, strict=True
                )
            ),
            source=source,
            frame=frame,
            time_s=time_s,
            tta=self.recognizer.tta,
            turn_deg=sighting.turn_deg,
        )

    def _check_time(self, time_s: float) -> None:
        if not self._time_s < time_s < math.inf:
            raise ValueError(
                f"expected a time_s after {self._time_s}, got {time_s}; "
                "call restart() before another video"
            )

    def _describe(self, found: Search) -> Appearances:
        boxes = [face.box_xywh_px for face in found.upright_faces]
        # Turned squares show much the same.
        squares = [self.recognizer.geometry.square(box) for box in boxes]
        return describe(
            found.crops,
            np.array(squares, np.float64).reshape(-1, 3),
            np.array(boxes, np.float64).reshape(-1, 4),
            (found.upright_rgb.shape[1], found.upright_rgb.shape[0]),
        )
