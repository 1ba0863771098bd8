"""Where one shot ends and the next begins: a cut ends all tracks.

Frames enter one by one; what leaves is whether the frame shows another scene than the one before.
Each frame is boiled down to a colour thumbnail, and two thumbnails are compared by normalised
correlation, which ignores brightness and contrast, over small shifts, which a pan makes. A flash
that clips most of the picture is still an increasing function of it, so the histograms are
matched before a cut is believed. Something large that appears at once (a hand, a caption) is no cut
either: half of the picture around it stays as it was. A picture without structure (black, white,
covered) decides nothing: the one after it is compared with the one before. Colour histograms were
left out: they change with the light and stay alike between two shots of one room; grey thumbnails
miss four times as many cuts.
"""

import cv2
import numpy as np

from mien.samples import Image

# Measured with benchmark/video_stability.py: neighbouring frames correlate at 0.94 and more, at
# 5 frames per second at 0.82 and more; of pairs of unlike pictures 8 % correlate above 0.6.
_SAME_SCENE = 0.6
_THUMBNAIL = (24, 18)
_MARGIN = (3, 2)
"""Shifts that are tried, in columns and rows of the thumbnail: an eighth of the picture."""
_STRUCTURE = 4.0
"""Standard deviation of the thumbnail's levels below which a picture says nothing."""
_STAYS = 14
"""Largest change of a cell's level, in any channel, with which it is as it was."""
_DARK = 24
"""Level below which a cell says nothing: letterboxes and dark stages are alike everywhere."""
_OVEREXPOSED = 240.0
"""Mean of the thumbnail's levels above which a picture says nothing."""

NUMBERS = {
    "same_scene": _SAME_SCENE,
    "thumbnail_px": _THUMBNAIL,
    "margin_px": _MARGIN,
    "structure": _STRUCTURE,
    "stays": _STAYS,
    "dark": _DARK,
    "overexposed": _OVEREXPOSED,
}
"""As of `mien.recognition.tracks.NUMBERS`."""


class CutDetector:
    """Tells cuts from movement, pans, flashes and fades; costs 0.05 ms a frame."""

    def __init__(self) -> None:
        self._before: Image | None = None

    def is_cut(self, image_rgb: Image) -> bool:
        """Take the next frame.

        Args:
            image_rgb: uint8 (H, W, 3) RGB; the size may change between frames.

        Returns:
            Whether it shows another scene than the last frame that showed anything. A dissolve
            is no cut, nor is a cut to another person before the same background.
        """
        thumbnail = _thumbnail(image_rgb)
        mean, deviation = cv2.meanStdDev(thumbnail)
        if deviation.max() < _STRUCTURE or mean.min() > _OVEREXPOSED:
            return False
        before, self._before = self._before, thumbnail
        return before is not None and not _same_scene(before, thumbnail)


def _thumbnail(image_rgb: Image) -> Image:
    """uint8 (18, 24, 3), from every so many-th pixel: there are plenty."""
    width, height = _THUMBNAIL
    rows, columns = image_rgb.shape[:2]
    sparse = image_rgb[:: max(1, rows // (2 * height)), :: max(1, columns // (2 * width))]
    # OpenCV copies what is not contiguous, at several times the cost.
    small = cv2.resize(np.ascontiguousarray(sparse), _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _same_scene(before: Image, after: Image) -> bool:
    return (
        _correlation(before, after) >= _SAME_SCENE
        or _correlation(_matched(before, after), after) >= _SAME_SCENE
        or _correlation(before, _matched(after, before)) >= _SAME_SCENE
        or _half_stays(before, after)
    )


def _half_stays(before: Image, after: Image) -> bool:
    """Whether half of what is not dark in both pictures, and no less than a quarter of them, is
    as it was."""
    shows = np.maximum(before, after).max(axis=2) >= _DARK
    stays = (cv2.absdiff(before, after).max(axis=2) <= _STAYS) & shows
    return bool(stays.sum() >= max(0.5 * shows.sum(), 0.25 * shows.size))


def _correlation(before: Image, after: Image) -> float:
    """Largest normalised correlation over all shifts, at most 1; a plain picture has 0."""
    columns, rows = _MARGIN
    inner = after[rows:-rows, columns:-columns]
    if cv2.meanStdDev(inner)[1].max() < 1.0:
        return 0.0
    return float(cv2.matchTemplate(before, inner, cv2.TM_CCOEFF_NORMED).max())


def _matched(thumbnail: Image, reference: Image) -> Image:
    """The thumbnail with the levels of the reference, per channel, darkest to darkest."""
    order = np.argsort(thumbnail.reshape(-1, 3), axis=0, kind="stable")
    levels = np.sort(reference.reshape(-1, 3), axis=0)
    matched = np.empty_like(levels)
    np.put_along_axis(matched, order, levels, axis=0)
    return matched.reshape(thumbnail.shape)
