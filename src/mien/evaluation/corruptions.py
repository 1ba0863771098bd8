"""What photos do to faces, in five strengths each: blur, noise, light, JPEG, a crooked crop.

The pattern is ImageNet-C (Hendrycks & Dietterich, "Benchmarking neural network robustness to common
corruptions and perturbations", ICLR 2019). Lengths are parts of the face's side, so that faces of
48 and of 224 pixels are changed alike; where the crop would show more than there is, the edge is
repeated. What is left to chance (a direction, a sign, the noise) depends on the seed, the kind and
the face alone, and is the same in all strengths.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.samples import Image

EYES_Y, MOUTH_Y = 0.385, 0.765
"""Where eyes and mouth lie in a face that is framed as FER-2013's, as a part of its side from the
top: the medians of YuNet's landmarks, as in its crop."""

LARGEST_PX = 192
"""To this, the longest side of larger faces is reduced before; networks here see less."""

Change = Callable[[Image, float, np.random.Generator], Image]
"""A face, uint8 (H, W) or (H, W, 3), a strength and chance, to a changed copy."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind of change."""

    name: str
    """What it is called."""
    unit: str
    """What the strengths are."""
    strengths: tuple[float, ...]
    """Five, from mild to severe."""
    change: Change
    """Makes the changed copy."""
    halves: tuple[str, str] | None = None
    """What becomes of the one half of the faces, and of the other; None where all are alike."""

    def apply(self, face: Image, strength: float, row: int, seed: int = 0) -> Image:
        """A changed copy of a face, uint8, of the same shape.

        Args:
            face: uint8 (H, W) or (H, W, 3).
            strength: one of `strengths`, or any other of its unit.
            row: number of the face, which draws its chance.
            seed: of all chance.
        """
        return self.change(face, strength, self._chance(row, seed))

    def half(self, row: int, seed: int = 0) -> int:
        """To which of `halves` a face belongs, 0 or 1; arguments as of `apply`."""
        return 0 if _sign(self._chance(row, seed)) > 0 else 1

    def _chance(self, row: int, seed: int) -> np.random.Generator:
        return np.random.default_rng((seed, sum(self.name.encode()), row))


def bounded(face: Image) -> Image:
    """A face of at most `LARGEST_PX`."""
    longest = max(face.shape[:2])
    if longest <= LARGEST_PX:
        return face
    scale = LARGEST_PX / longest
    size = max(1, round(face.shape[1] * scale)), max(1, round(face.shape[0] * scale))
    return _bytes(cv2.resize(face, size, interpolation=cv2.INTER_AREA))


def _blur(face: Image, percent: float, chance: np.random.Generator) -> Image:
    return _bytes(cv2.GaussianBlur(face, (0, 0), _side(face) * percent / 100))


def _noise(face: Image, levels: float, chance: np.random.Generator) -> Image:
    return _bytes(face + levels * chance.standard_normal(face.shape, np.float32))


def _brightness(face: Image, levels: float, chance: np.random.Generator) -> Image:
    return _bytes(face + float(levels * _sign(chance)))


def _contrast(face: Image, factor: float, chance: np.random.Generator) -> Image:
    mean = float(face.mean())
    return _bytes(mean + factor * (face - mean))


def _gamma(face: Image, exponent: float, chance: np.random.Generator) -> Image:
    table = 255 * (np.arange(256) / 255) ** (exponent ** _sign(chance))
    return np.asarray(cv2.LUT(face, _bytes(table)), np.uint8)


def _jpeg(face: Image, quality: float, chance: np.random.Generator) -> Image:
    # Red and blue change places on both ways, so that JPEG weighs them rightly.
    bgr = face if face.ndim == 2 else face[..., ::-1]
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED), np.uint8)
    return decoded if face.ndim == 2 else np.ascontiguousarray(decoded[..., ::-1])


def _roll(face: Image, degrees: float, chance: np.random.Generator) -> Image:
    return _mapped(face, angle=math.radians(degrees) * _sign(chance))


def _shift(face: Image, percent: float, chance: np.random.Generator) -> Image:
    angle = chance.uniform(0, 2 * math.pi)
    length = _side(face) * percent / 100
    return _mapped(face, shift=(length * math.cos(angle), length * math.sin(angle)))


def _scale(face: Image, factor: float, chance: np.random.Generator) -> Image:
    return _mapped(face, scale=factor ** _sign(chance))


def _size(face: Image, side_px: float, chance: np.random.Generator) -> Image:
    height, width = face.shape[:2]
    factor = min(1.0, side_px / _side(face))
    small = max(1, round(width * factor)), max(1, round(height * factor))
    reduced = cv2.resize(face, small, interpolation=cv2.INTER_AREA)
    return _bytes(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR))


def _band(middle: float) -> Change:
    def cover(face: Image, percent: float, chance: np.random.Generator) -> Image:
        height = face.shape[0]
        top = round(height * (middle - percent / 200))
        bottom = round(height * (middle + percent / 200))
        covered = face.copy()
        covered[max(0, top) : bottom] = round(float(face.mean()))
        return covered

    return cover


CORRUPTIONS = (
    Corruption("blur", "deviation, % of the side", (1.5, 2.5, 4.0, 5.5, 7.5), _blur),
    Corruption("noise", "deviation, grey levels", (6, 12, 20, 32, 48), _noise),
    Corruption(
        "brightness",
        "\N{PLUS-MINUS SIGN} grey levels",
        (25, 50, 75, 100, 125),
        _brightness,
        ("brighter", "darker"),
    ),
    Corruption("contrast", "part that is left", (0.7, 0.5, 0.35, 0.2, 0.1), _contrast),
    Corruption(
        "gamma",
        "exponent, or 1 / it",
        (1.3, 1.6, 2.0, 2.7, 3.5),
        _gamma,
        ("darker", "brighter"),
    ),
    Corruption("JPEG", "quality", (40, 25, 15, 10, 5), _jpeg),
    Corruption("roll", "\N{PLUS-MINUS SIGN} degrees", (5, 10, 20, 30, 45), _roll),
    Corruption("box shift", "% of the side", (4, 8, 12, 16, 20), _shift),
    Corruption(
        "box scale",
        "factor, or 1 / it",
        (1.1, 1.2, 1.3, 1.45, 1.6),
        _scale,
        ("face larger", "face smaller"),
    ),
    Corruption("face size", "pixels", (32, 24, 18, 14, 10), _size),
    Corruption("eyes covered", "% of the height", (10, 18, 26, 34, 42), _band(EYES_Y)),
    Corruption("mouth covered", "% of the height", (10, 18, 26, 34, 42), _band(MOUTH_Y)),
)
"""Every kind, in the order of reports."""


def _side(face: Image) -> int:
    return int(max(face.shape[:2]))


def _sign(chance: np.random.Generator) -> int:
    return 1 if chance.random() < 0.5 else -1


def _bytes(values: NDArray[np.generic]) -> Image:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _mapped(
    face: Image,
    *,
    angle: float = 0.0,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Image:
    """Turned and scaled about the middle, then shifted; the edge is repeated."""
    height, width = face.shape[:2]
    center = (width - 1) / 2, (height - 1) / 2
    matrix = cv2.getRotationMatrix2D(center, math.degrees(angle), scale)
    matrix[:, 2] += np.array(shift)
    return np.asarray(
        cv2.warpAffine(
            face, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )
