import numpy as np
import pytest

from mien.recognition.scenes import CutDetector
from moving_faces_factory import Clip


def cuts(pictures) -> list[int]:
    detector = CutDetector()
    return [number for number, picture in enumerate(pictures) if detector.is_cut(picture)]


def pictures(**changes) -> list[np.ndarray]:
    return [frame.image_rgb for frame in Clip([], **changes).frames()]


def test_cuts_are_found() -> None:
    clip = [p for seed in range(12) for p in pictures(scenery=seed, duration_s=0.3)]
    assert cuts(clip) == [7 * n for n in range(1, 12)]


@pytest.mark.parametrize("pan_px_s", [0.0, 400.0, 1500.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_pan_is_no_cut(pan_px_s: float, seed: int) -> None:
    assert cuts(pictures(scenery=seed, pan_px_s=pan_px_s)) == []


FLASH = {10: (3.0, 60.0), 11: (6.0, 120.0), 12: (1.0, 250.0), 13: (2.0, 40.0)}


@pytest.mark.parametrize(
    "light",
    [
        lambda t: FLASH.get(round(24 * t), (1.0, 0.0)),
        lambda t: (1.0, 0.0) if t < 0.5 or t > 0.7 else (0.25, 0.0),
        lambda t: (abs(1.0 - t), 0.0),
        lambda t: (1.0, 0.0) if t < 0.5 or t > 0.7 else (1.0, 255.0),
        lambda t: (1.0, 100.0 * np.sin(20 * t)),
    ],
    ids=["flash", "lamp", "fade", "white", "flicker"],
)
@pytest.mark.parametrize("seed", range(6))
def test_light_is_no_cut(light, seed: int) -> None:
    assert cuts(pictures(scenery=seed, light=light)) == []


def test_another_scene_after_black_is_a_cut() -> None:
    black = [np.zeros((360, 640, 3), np.uint8)] * 5
    first, second = pictures(duration_s=0.3), pictures(duration_s=0.3, scenery=1)
    assert cuts(first + black + second) == [12]
    assert cuts(first + black + first) == []


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize(
    "place",
    [np.s_[8:16, 60:340, 200:440], np.s_[8:, 216:]],
    ids=["hand before the camera", "caption to stay"],
)
def test_something_large_that_appears_is_no_cut(place, level: int, seed: int) -> None:
    clip = np.stack(pictures(scenery=seed, duration_s=1.0))
    clip[place] = level
    assert cuts(clip) == []


def test_noise_and_compression_are_no_cut() -> None:
    rng = np.random.default_rng(0)
    noisy = [
        np.clip(picture + rng.normal(0, 25, picture.shape), 0, 255).astype(np.uint8)
        for picture in pictures(duration_s=0.5)
    ]
    assert cuts(noisy) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (20, 30), (2160, 3840)])
def test_any_size(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image.setflags(write=False)
    assert cuts([image, image, np.full_like(image, 7), image]) == []
