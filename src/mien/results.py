"""What recognition returns: frozen, checked, with units in the names.

A face without an expression (`Face.expression is None`) was detected but not classified. Boxes
are in pixels of the source picture, origin at its top left corner, clipped to it. The full
distribution is kept, never only the winner.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mien.labels import UNCERTAIN, Label, LabelSet

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""
Point = tuple[float, float]
"""x, y in pixels."""
Tta = Literal["none", "flip"]
"""Test-time augmentation: none, or the mean of a face's and its mirror image's probabilities."""
TTA_KINDS = get_args(Tta)
"""The values of `Tta`."""
LANDMARKS = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
"""What the five landmarks are called, in their order; right and left are the *person's* own."""
POSE_FIELDS = ("roll_deg", "yaw_deg", "pitch_deg")
"""Fields of `HeadPose`, as tables and JSON name them."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One face found in a picture.

    Raises:
        ValueError: the box is not finite, has no area, or the score is outside [0, 1].
    """

    box_xywh_px: Box
    """Left, top, width and height, in pixels of the picture, clipped to it."""
    score: float
    """The detector's own score in [0, 1]; not comparable between detectors."""
    landmarks_px: tuple[Point, ...] = ()
    """Right eye, left eye, nose tip, right and left mouth corner as the *person* has them, in
    pixels; empty where the detector gives none."""

    def __post_init__(self) -> None:
        _check_box(self.box_xywh_px)
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"expected a score in [0, 1], got {self.score}")


@dataclass(frozen=True, slots=True)
class Expression:
    """The expression that a face shows, as a distribution over a label set.

    Raises:
        ValueError: the probabilities do not fit the label set or do not sum to 1 (within 1e-4),
            the held class is not in the set, or the least confidence is outside [0, 1].
    """

    label_set: LabelSet
    """The classes, in order."""
    probabilities: tuple[float, ...]
    """One probability per class, in the label set's order, summing to 1."""
    held: int | None = None
    """Index of the class that is shown although another one has become slightly more probable,
    so that the label of a video does not flicker; None: the most probable one is shown."""
    min_confidence: float = 0.0
    """Where no class is as probable as this, the face is shown as uncertain; 0: never."""
    held_uncertain: bool | None = None
    """Whether it is shown as uncertain, as decided over time, so that a video does not flicker;
    None: these probabilities alone decide."""

    def __post_init__(self) -> None:
        check_min_confidence(self.min_confidence)
        if self.held is not None and not 0 <= self.held < len(self.label_set):
            raise ValueError(f"expected a class index below {len(self.label_set)}, got {self.held}")
        if len(self.probabilities) != len(self.label_set):
            raise ValueError(
                f"expected {len(self.label_set)} probabilities, got {len(self.probabilities)}"
            )
        total = math.fsum(self.probabilities)
        if not abs(total - 1.0) <= 1e-4 or min(self.probabilities) < 0.0:
            raise ValueError(f"expected probabilities that sum to 1, got a sum of {total}")

    @property
    def index(self) -> int:
        """Class index of the label that is shown: the held one, else the most probable one (the
        first one on a tie), also where that is not shown because it `is_uncertain`."""
        return self.probabilities.index(max(self.probabilities)) if self.held is None else self.held

    @property
    def is_uncertain(self) -> bool:
        """Whether no class is probable enough to be shown."""
        if self.held_uncertain is not None:
            return self.held_uncertain
        return max(self.probabilities) < self.min_confidence

    @property
    def label(self) -> Label:
        """The label that is shown: `mien.labels.UNCERTAIN`, or that of the class `index`."""
        return UNCERTAIN if self.is_uncertain else self.label_set[self.index]

    @property
    def confidence(self) -> float:
        """Probability of the class `index`, also where it is too low to be shown."""
        return self.probabilities[self.index]

    def as_dict(self) -> dict[str, float]:
        """Probabilities by label key, in the label set's order, rounded to 7 decimals."""
        pairs = zip(self.label_set.keys, self.probabilities, strict=True)
        return {key: round(probability, 7) for key, probability in pairs}


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Which way a face is turned, in degrees: as if the camera looked straight at it.

    An upright face that looks into the camera has 0, 0, 0. See docs/head_pose.md for the errors.

    Raises:
        ValueError: an angle is not finite.
    """

    roll_deg: float
    """Turned in the plane of the picture, clockwise as seen, in [-180, 180]: the angle of the line
    through the eyes."""
    yaw_deg: float
    """Turned towards the right of the picture where positive, once that is turned so that the face
    stands upright; in [-90, 90]."""
    pitch_deg: float
    """Likewise turned up where positive, in [-180, 180]."""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.roll_deg, self.yaw_deg, self.pitch_deg))):
            raise ValueError(f"expected finite angles, got {self}")


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a frame, with what it shows.

    Raises:
        ValueError: the box is not finite or has no area.
    """

    box_xywh_px: Box
    """Left, top, width and height, in pixels of the source, clipped to it."""
    detection_score: float
    """The detector's score in [0, 1]."""
    landmarks_px: tuple[Point, ...] = ()
    """As in `Detection.landmarks_px`."""
    expression: Expression | None = None
    """What the face shows, smoothed over time in a video; None where it was not classified."""
    track: int | None = None
    """Number of the face's track, from 1, across the frames of one video; None for single
    pictures."""
    raw: Expression | None = None
    """In a video, what this frame alone shows, unsmoothed; None for single pictures."""

    def __post_init__(self) -> None:
        _check_box(self.box_xywh_px)

    @property
    def pose(self) -> HeadPose | None:
        """Which way it is turned, in this frame alone; None where the detector gives no landmarks.
        Computed from these whenever it is asked for, in about half a millisecond."""
        from mien.head_pose import head_pose

        return head_pose(self.landmarks_px)

    @property
    def interocular_px(self) -> float | None:
        """Distance of the two eyes' landmarks, in pixels; None without landmarks."""
        if len(self.landmarks_px) != len(LANDMARKS):
            return None
        return math.dist(self.landmarks_px[0], self.landmarks_px[1])

    def as_dict(self) -> dict[str, Any]:
        """The face as JSON-ready values; pixels and degrees rounded to 2 decimals, probabilities
        to 7. What is not known has no key, but for ``track``."""
        row: dict[str, Any] = {
            "box": [round(value, 2) for value in self.box_xywh_px],
            "detection_score": round(self.detection_score, 7),
            "track": self.track,
        }
        if self.expression is not None:
            row["expression"] = self.expression.label.key
            row["confidence"] = round(self.expression.confidence, 7)
            row["probabilities"] = self.expression.as_dict()
        if self.raw is not None:
            row["raw_probabilities"] = self.raw.as_dict()
        if self.interocular_px is not None:
            row["landmarks"] = {
                name: [round(value, 2) for value in point]
                for name, point in zip(LANDMARKS, self.landmarks_px, strict=True)
            }
            row["interocular_px"] = round(self.interocular_px, 2)
        pose = self.pose
        if pose is not None:
            row |= {name: round(getattr(pose, name), 2) for name in POSE_FIELDS}
        return row


@dataclass(frozen=True, slots=True)
class FrameResult:
    """All faces of one picture or video frame, from left to right.

    Raises:
        ValueError: the frame has no pixels.
    """

    width_px: int
    """Width of the frame."""
    height_px: int
    """Height of the frame."""
    detector: str
    """Name of the detector that found the faces."""
    faces: tuple[Face, ...] = ()
    """The faces; empty where none was found."""
    source: str = ""
    """Path or URL that the frame came from."""
    frame: int = 0
    """Number of the frame in its source, from 0."""
    time_s: float = 0.0
    """Presentation time of the frame in its source, in seconds."""
    tta: Tta = "none"
    """Test-time augmentation of the probabilities."""
    turn_deg: Literal[0, 90, 180, 270] = 0
    """By how much the picture was turned, clockwise, for its faces to stand upright; boxes and
    landmarks are in pixels of the picture as it is, not turned."""

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise ValueError(f"expected a frame, got {self.width_px} x {self.height_px} pixels")

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON-ready values, keys in a fixed order; ``tta`` and ``turned`` only
        where there is some."""
        return {
            "source": self.source,
            "frame": self.frame,
            "time_s": round(self.time_s, 6),
            "width": self.width_px,
            "height": self.height_px,
            "detector": self.detector,
            **({} if self.tta == "none" else {"tta": self.tta}),
            **({"turned": self.turn_deg} if self.turn_deg else {}),
            "faces": [face.as_dict() for face in self.faces],
        }


def check_min_confidence(min_confidence: float) -> None:
    """Refuse what is no probability.

    Raises:
        ValueError: it is outside [0, 1].
    """
    if not 0.0 <= min_confidence <= 1.0:
        raise ValueError(f"expected a min_confidence in [0, 1], got {min_confidence}")


def _check_box(box: Box) -> None:
    if len(box) != 4 or not all(math.isfinite(value) for value in box):
        raise ValueError(f"expected a box of four finite numbers, got {box}")
    if box[2] <= 0 or box[3] <= 0:
        raise ValueError(f"expected a box with an area, got {box}")
