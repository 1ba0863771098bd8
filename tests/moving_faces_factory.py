"""Clips made of real faces on moving backgrounds, in memory, with known truth.

A `Clip` is played by `Actor`s: cut-out heads that follow a path, those behind hidden by those in
front. Every frame comes with who is in it and where, so a test can ask whether the track numbers
are those that a person would give.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import read_image
from mien.results import FrameResult
from samples_factory import unpack_tool

Picture = NDArray[np.uint8]
Place = tuple[float, float, float]
"""Centre x, centre y and width of a face, in pixels."""

# Centre and width of the faces in multi_face.jpg (five people) and Image_with_alpha.png (one).
_GROUP = ((258, 119, 91), (363, 299, 95), (478, 263, 77), (579, 370, 94), (736, 358, 101))
_SINGLE = (767, 414, 341)


@dataclass(frozen=True)
class Head:
    """A head, cut out."""

    image_rgb: Picture
    """uint8 (side, side, 3); the face's box has half the side as its width, in the middle."""
    mask: NDArray[np.float32]
    """(side, side), 0..1: a soft oval."""


@dataclass(frozen=True)
class Actor:
    """A head that moves."""

    name: str
    head: Head
    path: Callable[[float], Place | None]
    """From the time in seconds to its place; None while it is away."""


@dataclass(frozen=True)
class Frame:
    """One frame with its truth."""

    image_rgb: Picture
    time_s: float
    places: Mapping[str, Place]
    """Who is in the frame and where, hidden or not."""


@dataclass(frozen=True)
class Clip:
    """Actors before a background; those who come later in the list stand in front."""

    actors: Sequence[Actor]
    duration_s: float = 2.0
    rate_hz: float = 24.0
    size: tuple[int, int] = (640, 360)
    """Width and height."""
    scenery: int = 0
    """Seed of the background."""
    pan_px_s: float = 40.0
    light: Callable[[float], tuple[float, float]] = field(default=lambda _: (1.0, 0.0))
    """From the time to what the pixels are multiplied by and what is added to them."""
    begin_s: float = 0.0

    def frames(self) -> Iterator[Frame]:
        """The clip."""
        scenery = _scenery(self.scenery, self.size)
        for number in range(round(self.duration_s * self.rate_hz)):
            time_s = number / self.rate_hz
            shift = round(self.pan_px_s * time_s)
            image = np.roll(scenery, -shift, axis=1)[:, : self.size[0]].astype(np.float32)
            places = {}
            for actor in self.actors:
                place = actor.path(time_s)
                if place is not None:
                    _paste(image, actor.head, place)
                    places[actor.name] = place
            gain, offset = self.light(time_s)
            pixels = np.clip(image * gain + offset, 0, 255).astype(np.uint8)
            yield Frame(pixels, self.begin_s + time_s, places)


def line(
    begin: tuple[float, float], velocity: tuple[float, float], width: float = 90.0
) -> Callable[[float], Place]:
    """A path straight ahead: from a place, pixels per second."""
    return lambda t: (begin[0] + velocity[0] * t, begin[1] + velocity[1] * t, width)


@cache
def heads(shared: Path) -> dict[str, Head]:
    """Six people in colour."""
    group = read_image(shared / "media" / "multi_face.jpg")
    single = read_image(shared / "media" / "Image_with_alpha.png")
    found = {f"group {n}": _cut_out(group, *box) for n, box in enumerate(_GROUP)}
    return {**found, "single": _cut_out(single, *_SINGLE)}


@cache
def grey_heads(shared: Path, rows: tuple[int, ...]) -> dict[str, Head]:
    """FER-2013's tiles, enlarged; ``rows`` count from 0 in Training."""
    images, _ = unpack_tool(shared).read(shared / "data/fer2013", max(rows) + 1)
    return {f"tile {row}": grey_head(images[row]) for row in rows}


def grey_head(tile: Picture) -> Head:
    """One tile, uint8 (48, 48)."""
    enlarged = cv2.resize(tile, (192, 192), interpolation=cv2.INTER_CUBIC)
    padded = np.pad(enlarged, 32, mode="edge")
    return Head(np.repeat(padded[..., np.newaxis], 3, axis=2), _oval(len(padded)))


def names_of_tracks(frame: Frame, result: FrameResult) -> dict[str, int]:
    """Track numbers by the name of the actor whose face lies there, found ones only.

    Raises:
        AssertionError: a face lies where nobody is.
    """
    centres = {
        face.track: np.array([x + width / 2, y + height / 2])
        for face in result.faces
        for x, y, width, height in [face.box_xywh_px]
    }
    assert None not in centres and len(centres) == len(result.faces)
    found = {}
    # Who stands in front takes the face; the last actor does.
    for name, place in reversed(frame.places.items()):
        distances = {track: np.hypot(*(at - place[:2])) for track, at in centres.items()}
        near = min(distances, key=distances.__getitem__, default=None)
        if near is not None and distances[near] < 0.45 * place[2]:
            found[name] = near
            del centres[near]
    assert not centres, f"faces at {centres}, {frame.time_s:.2f} s, where is nobody: {frame.places}"
    return found


def _cut_out(image: Picture, x: int, y: int, width: int) -> Head:
    padded = np.pad(image, ((width, width), (width, width), (0, 0)), mode="edge")
    cut = padded[y : y + 2 * width, x : x + 2 * width]
    return Head(np.ascontiguousarray(cut), _oval(2 * width))


def _oval(side: int) -> NDArray[np.float32]:
    """A head's outline with a soft edge."""
    mask = np.zeros((side, side), np.float32)
    axes = (round(0.36 * side), round(0.46 * side))
    cv2.ellipse(mask, (side // 2, side // 2), axes, 0, 0, 360, (1.0,), -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), side / 60), np.float32)


def _paste(image: NDArray[Any], head: Head, place: Place) -> None:
    """Draw a head into a float picture, to fractions of a pixel; parts outside are cut off."""
    x, y, width = place
    side = len(head.mask)
    scale = 2 * width / side
    rows, columns = image.shape[:2]
    matrix = np.array([[scale, 0, x - width], [0, scale, y - width]])
    size = (columns, rows)
    left, right = int(max(0, x - width - 2)), int(min(columns, x + width + 2))
    top, bottom = int(max(0, y - width - 2)), int(min(rows, y + width + 2))
    if left >= right or top >= bottom:
        return
    matrix[:, 2] -= (left, top)
    size = (right - left, bottom - top)
    smaller = cv2.GaussianBlur(head.image_rgb, (0, 0), 0.4 / scale) if scale < 1 else head.image_rgb
    colour = cv2.warpAffine(smaller, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32)
    mask = cv2.warpAffine(head.mask, matrix, size, flags=cv2.INTER_LINEAR)[..., np.newaxis]
    part = image[top:bottom, left:right]
    part += mask * (colour - part)


@cache
def _scenery(seed: int, size: tuple[int, int]) -> Picture:
    """Large and small blobs of colour, twice as wide as the frame, that join at their ends."""
    rng = np.random.default_rng(seed)
    width, height = 2 * size[0], size[1]
    image = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((3, 60.0), (7, 30.0), (24, 12.0)):
        coarse = rng.normal(0.0, strength, (cells, 2 * cells, 3)).astype(np.float32)
        coarse = np.concatenate([coarse, coarse[:, :1]], axis=1)
        image += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    base = rng.uniform(80, 170, 3)
    return np.clip(base + image, 0, 255).astype(np.uint8)
