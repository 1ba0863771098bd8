"""What a face looks like, in few numbers: enough to tell two people in one shot apart.

A crop becomes a colour thumbnail of 6 x 6 pixels. Two thumbnails are as far apart as their
correlation, over the pixels that show both faces, falls short of 1; pixels outside of the frame
or under another face's box show neither. Correlation ignores brightness and contrast; skin, hair
and what is around them count; a face costs 20 us. It recognises nobody: after some seconds, or in
other light, the same person looks different. Larger thumbnails and grey ones separate less well,
and colour histograms change with the light (LOG.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.samples import Image

_SIDE = 6
_CHANNELS = 3
SIZE = _CHANNELS * _SIDE * _SIDE
"""Numbers per face."""

_SAMPLES = 4
"""Pixels that are averaged along each side of a thumbnail's pixel, at least."""
_HIDES = 1.2
"""What of its surroundings a face hides, as a multiple of its box."""
_ENOUGH = 0.5 * SIZE
"""Numbers that two faces must have in common for their distance to count in full."""
_PLAIN = 1e-3

NUMBERS = {
    "side_px": _SIDE,
    "samples": _SAMPLES,
    "hides": _HIDES,
    "enough": _ENOUGH,
    "plain": _PLAIN,
}
"""As of `mien.recognition.tracks.NUMBERS`."""


@dataclass(frozen=True, slots=True, eq=False)
class Appearances:
    """What the faces of one frame look like, a row each."""

    colours: NDArray[np.float32]
    """(n, `SIZE`): the thumbnails, with mean 0 and deviation 1 over what is seen; zeros where it
    is of one plain colour."""
    weights: NDArray[np.float32]
    """(n, `SIZE`): how much of each pixel is seen, 0..1."""

    def rows(self, chosen: slice) -> "Appearances":
        """Some of the faces."""
        return Appearances(self.colours[chosen], self.weights[chosen])


def describe(
    crops: Sequence[Image],
    squares_px: NDArray[np.float64],
    boxes_xywh_px: NDArray[np.float64],
    frame_size_px: tuple[int, int],
) -> Appearances:
    """Describe the faces of one frame.

    Args:
        crops: uint8 (H, W, 3) RGB each, of any size.
        squares_px: float64 (n, 3), left, top and side of each crop in the frame.
        boxes_xywh_px: float64 (n, 4), the faces' boxes.
        frame_size_px: width and height of the frame.
    """
    n = len(crops)
    thumbnails = np.empty((n, _SIDE, _SIDE, _CHANNELS), np.float32)
    for row, crop in zip(thumbnails, crops, strict=True):
        # Averaging all pixels would take 0.2 ms a face.
        step = max(1, min(crop.shape[:2]) // (_SAMPLES * _SIDE))
        sparse = np.ascontiguousarray(crop[::step, ::step])
        row[...] = cv2.resize(sparse, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    seen = _seen(squares_px, boxes_xywh_px, frame_size_px)
    weights = np.repeat(seen.reshape(n, SIZE // _CHANNELS), _CHANNELS, axis=1)
    return Appearances(_standardised(thumbnails.reshape(n, SIZE), weights), weights)


def distances(first: Appearances, second: Appearances) -> NDArray[np.float32]:
    """How different faces look.

    Returns:
        float32 (n, m): 0 alike, 1 unrelated, 2 opposite; less where the two have little in
        common, and 0 where one is plain, for that says nothing.
    """
    # One product has all sums: of weights, of what is weighed, and of its squares.
    sums = _weighed(first).reshape(-1, SIZE) @ _weighed(second).reshape(-1, SIZE).T
    sums = sums.reshape(3, len(first.colours), 3, len(second.colours))
    shared = sums[0, :, 0]
    means = sums / np.maximum(shared, 1.0)[:, np.newaxis]
    mean_a, mean_b = means[1, :, 0], means[0, :, 1]
    variance = (means[2, :, 0] - mean_a * mean_a) * (means[0, :, 2] - mean_b * mean_b)
    covariance = means[1, :, 1] - mean_a * mean_b
    correlation = np.clip(covariance / np.sqrt(np.maximum(variance, _PLAIN**2)), -1.0, 1.0)
    certainty = np.minimum(shared / _ENOUGH, 1.0) * (variance > _PLAIN**2)
    return np.asarray(certainty * (1.0 - correlation), np.float32)


def _weighed(faces: Appearances) -> NDArray[np.float32]:
    """Weights, weighed colours and weighed squares of colours, (3, n, `SIZE`)."""
    weighed = np.empty((3, *faces.colours.shape), np.float32)
    weighed[0] = faces.weights
    np.multiply(faces.weights, faces.colours, out=weighed[1])
    np.multiply(weighed[1], faces.colours, out=weighed[2])
    return weighed


def mixed(past: Appearances, present: Appearances, weight: float) -> Appearances:
    """Remembered appearances with new sightings.

    Args:
        past: n faces as they were.
        present: the same faces now.
        weight: what the present weighs against the past, 0..1. What was never seen before is
            taken as it is.
    """
    gain = present.weights * (weight + (1.0 - weight) * (1.0 - past.weights))
    hidden = (1.0 - past.weights) * (1.0 - present.weights)
    return Appearances(
        past.colours + gain * (present.colours - past.colours),
        np.asarray(1.0 - hidden, np.float32),
    )


def _standardised(rows: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    total = np.maximum(weights.sum(axis=1, keepdims=True), _PLAIN)
    centred = rows - (weights * rows).sum(axis=1, keepdims=True) / total
    deviation = np.sqrt((weights * centred**2).sum(axis=1, keepdims=True) / total)
    return np.asarray(
        np.divide(centred, deviation, out=np.zeros_like(rows), where=deviation > _PLAIN)
    )


def _seen(
    squares_px: NDArray[np.float64],
    boxes_xywh_px: NDArray[np.float64],
    frame_size_px: tuple[int, int],
) -> NDArray[np.float32]:
    """Share of each thumbnail pixel that shows its own face, (n, rows, columns)."""
    if len(squares_px) == 1:
        left, top, side = squares_px[0].tolist()
        width, height = frame_size_px
        if min(left, top) >= 0.0 and left + side <= width and top + side <= height:
            return np.ones((1, _SIDE, _SIDE), np.float32)
    pixel = squares_px[:, 2:] / _SIDE
    left = squares_px[:, :1] + pixel * np.arange(_SIDE)
    top = squares_px[:, 1:2] + pixel * np.arange(_SIDE)
    inside_x = _overlap(left, pixel, 0.0, float(frame_size_px[0]))
    inside_y = _overlap(top, pixel, 0.0, float(frame_size_px[1]))
    seen = inside_y[:, :, np.newaxis] * inside_x[:, np.newaxis]
    if len(seen) > 1:
        size = _HIDES * boxes_xywh_px[:, 2:]
        corner = boxes_xywh_px[:, :2] + boxes_xywh_px[:, 2:] / 2 - size / 2
        # (n, others, pixels)
        beside = [
            _overlap(
                edge[:, np.newaxis],
                pixel[:, np.newaxis],
                corner[:, axis, np.newaxis],
                (corner + size)[:, axis, np.newaxis],
            )
            for axis, edge in ((0, left), (1, top))
        ]
        hidden = beside[1][..., np.newaxis] * beside[0][:, :, np.newaxis]
        hidden[np.arange(len(seen)), np.arange(len(seen))] = 0.0
        seen = seen * (1.0 - hidden.max(axis=1))
    return np.asarray(seen, np.float32)


def _overlap(
    begin: NDArray[np.float64],
    length: NDArray[np.float64],
    low: NDArray[np.float64] | float,
    high: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    """Share of each interval that lies between two bounds."""
    common = np.minimum(begin + length, high) - np.maximum(begin, low)
    return np.asarray(np.clip(common / length, 0.0, 1.0))
