"""Better landmarks for the tilted faces of a video, by a second look now and then.

A video is searched reduced, where YuNet's landmarks follow a tilt only in part. A face that is cut
out large and turned upright has right ones (`mien.recognition.detectors.second_look`), for 3 ms.
That is too much for every frame, and heads turn slowly, so each track is looked at again a few
times a second; between the looks its landmarks are moved as the last look moved them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.preprocessing import CropGeometry
from mien.recognition.detectors.detector import LooksAgain
from mien.results import Detection
from mien.samples import Image

LOOK_EVERY_S = 0.12
"""Between two looks at one track: every third frame of 25 a second."""
LARGE_PX, LOOK_FROM_DEG = 100.0, 2.0
"""Faces at least so wide in the searched picture that seem to be tilted by less are taken as they
were found. Of smaller ones nothing can be told from what was found first: at 40 pixels the
landmarks follow a tilt by a sixth. With a threshold of 1 degree for all, searched at 320 pixels,
one roll in ten was off by 28 degrees; without one, by 9."""
_KEPT_S = 0.5
"""How long what a look found holds, where the next looks find nothing."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What the last look at a track found."""

    time_s: float
    """When that was."""
    found_s: float
    """When it found the face."""
    moved: NDArray[np.float64] | None
    """By how much it moved each landmark, in widths of the face's box, (5, 2); None: it did not."""


class TiltedTracks:
    """Looks at tracks again, and remembers by how much that moved their landmarks. For one thread.

    Args:
        detector: what looks.
        geometry: where the landmarks of an upright face lie.
    """

    def __init__(self, detector: LooksAgain, geometry: CropGeometry) -> None:
        self._detector = detector
        self._geometry = geometry
        self._looks: dict[int, _Look] = {}

    def keep(self, tracks: frozenset[int]) -> None:
        """Forget all other tracks."""
        self._looks = {track: look for track, look in self._looks.items() if track in tracks}

    def better(
        self, image_rgb: Image, faces: Sequence[Detection], tracks: Sequence[int], time_s: float
    ) -> tuple[Detection, ...]:
        """Faces of the next frame with better landmarks; boxes and scores stay.

        Args:
            image_rgb: the frame, uint8 (H, W, 3) RGB.
            faces: what was found in it, in its pixels.
            tracks: the track of each.
            time_s: time of the frame in seconds.

        Returns:
            As many, in the same order.
        """
        due = [
            at
            for at, (face, track) in enumerate(zip(faces, tracks, strict=True))
            if face.landmarks_px and self._is_due(track, time_s)
        ]
        side_px = self._detector.search_side_px or max(image_rgb.shape[:2])
        scale = min(1.0, side_px / max(image_rgb.shape[:2]))
        tilted = [at for at in due if self._may_be_tilted(faces[at], scale)]
        seen = self._detector.look_again(image_rgb, [faces[at] for at in tilted], from_deg=0.0)
        looked = dict(zip(tilted, seen, strict=True))
        for at in due:
            self._remember(tracks[at], faces[at], looked.get(at), time_s)
        return tuple(self._moved(face, track) for face, track in zip(faces, tracks, strict=True))

    def _is_due(self, track: int, time_s: float) -> bool:
        look = self._looks.get(track)
        # A little early is better than a frame late.
        return look is None or time_s - look.time_s > 0.9 * LOOK_EVERY_S

    def _may_be_tilted(self, face: Detection, scale: float) -> bool:
        is_large = face.box_xywh_px[2] * scale >= LARGE_PX
        from_deg = LOOK_FROM_DEG if is_large else 0.0
        return abs(self._geometry.turn_deg(face.landmarks_px, from_deg=0.0)) >= from_deg

    def _remember(self, track: int, face: Detection, seen: Detection | None, time_s: float) -> None:
        before = self._looks.get(track)
        if seen is None:  # upright
            self._looks[track] = _Look(time_s, time_s, None)
        elif seen.landmarks_px != face.landmarks_px:
            width = face.box_xywh_px[2]
            moved = (np.array(seen.landmarks_px) - np.array(face.landmarks_px)) / width
            self._looks[track] = _Look(time_s, time_s, moved)
        elif before is not None and time_s - before.found_s <= _KEPT_S:
            self._looks[track] = replace(before, time_s=time_s)
        else:
            self._looks[track] = _Look(time_s, time_s, None)

    def _moved(self, face: Detection, track: int) -> Detection:
        look = self._looks.get(track)
        if look is None or look.moved is None or not face.landmarks_px:
            return face
        points = np.array(face.landmarks_px) + look.moved * face.box_xywh_px[2]
        return replace(face, landmarks_px=tuple((x, y) for x, y in points.tolist()))
