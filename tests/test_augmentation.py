from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

import jax_steps
from jax_process import Run
from mien.data.augmentation import Augmentation, RandomAffine, augmentation_layers, damage_layers
from mien.data.damage import NOISE_LEVELS, RandomDamage


def apply(augmentation: Augmentation, images: np.ndarray, seed: int = 1) -> np.ndarray:
    x = images.astype(np.float32)
    for layer in augmentation_layers(augmentation, seed):
        x = layer(x, training=True)
    return keras.ops.convert_to_numpy(x)


def spot(x: int, y: int, n: int = 64) -> np.ndarray:
    """Pictures with one bright block around a point."""
    images = np.zeros((n, 48, 48, 1), np.float32)
    images[:, y - 1 : y + 2, x - 1 : x + 2] = 255
    return images


def centers(images: np.ndarray) -> np.ndarray:
    """Centre of mass per picture, (n, 2) as x, y."""
    y, x = np.mgrid[0:48, 0:48]
    mass = images[..., 0].sum(axis=(1, 2))
    return np.stack(
        [(images[..., 0] * x).sum(axis=(1, 2)) / mass, (images[..., 0] * y).sum(axis=(1, 2)) / mass]
    ).T


def test_the_default_changes_nothing():
    assert augmentation_layers(Augmentation(), 1) == damage_layers(Augmentation(), 1) == []


def test_nothing_happens_outside_training():
    layer = RandomAffine(Augmentation(rotation_deg=45, width_shift=0.5, height_shift=0.5), seed=1)
    images = spot(30, 20)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(images)), images)


def test_flip_mirrors_about_half_of_the_pictures():
    moved = centers(apply(Augmentation(horizontal_flip=True), spot(34, 20)))
    flipped = np.isclose(moved[:, 0], 13, atol=0.1)
    assert np.isclose(moved[~flipped, 0], 34, atol=0.1).all()
    assert np.isclose(moved[:, 1], 20, atol=0.1).all()
    assert 16 < flipped.sum() < 48


def test_vertical_flip_turns_about_half_of_the_pictures_upside_down():
    moved = centers(apply(Augmentation(vertical_flip=True), spot(34, 20)))
    flipped = np.isclose(moved[:, 1], 27, atol=0.1)
    assert np.isclose(moved[~flipped, 1], 20, atol=0.1).all()
    assert np.isclose(moved[:, 0], 34, atol=0.1).all()
    assert 16 < flipped.sum() < 48


def test_rotation_stays_in_range_and_keeps_the_distance_from_the_centre():
    moved = centers(apply(Augmentation(rotation_deg=30, fill_mode="constant"), spot(38, 24))) - 23.5
    angles = np.degrees(np.arctan2(moved[:, 1], moved[:, 0])) - np.degrees(np.arctan2(0.5, 14.5))
    assert np.abs(angles).max() <= 30.5
    assert angles.min() < -15 and angles.max() > 15
    np.testing.assert_allclose(np.hypot(*moved.T), np.hypot(14.5, 0.5), atol=0.4)


def test_shift_stays_in_range_on_both_axes():
    moved = (
        centers(
            apply(
                Augmentation(width_shift=0.1, height_shift=0.1, fill_mode="constant"), spot(24, 24)
            )
        )
        - 24
    )
    assert np.abs(moved).max() <= 4.81
    assert (moved.min(axis=0) < -2).all() and (moved.max(axis=0) > 2).all()


def test_width_and_height_shift_move_along_their_own_axis():
    moved = centers(apply(Augmentation(height_shift=0.1, fill_mode="constant"), spot(24, 24))) - 24
    assert np.abs(moved[:, 0]).max() < 0.05 and np.ptp(moved[:, 1]) > 4


def test_zoom_scales_the_distance_from_the_centre():
    moved = centers(apply(Augmentation(zoom=0.2, fill_mode="constant"), spot(34, 34))) - 23.5
    assert moved.min() >= 10.5 / 1.2 - 0.3
    assert moved.max() <= 10.5 / 0.8 + 0.3
    assert np.ptp(moved) > 2


def test_shear_moves_along_x_by_the_height():
    moved = centers(apply(Augmentation(shear_deg=20, fill_mode="constant"), spot(24, 38))) - 23.5
    assert np.abs(moved[:, 0] - 0.5).max() <= 14.5 * np.tan(np.radians(20)) + 0.5
    assert np.ptp(moved[:, 0]) > 4


def test_brightness_contrast_and_erasing_change_values_within_range():
    images = np.full((64, 48, 48, 1), 128.0)
    images[:, :24] = 64.0
    bright = apply(Augmentation(brightness=0.2), images)
    assert np.ptp(bright.mean(axis=(1, 2, 3))) > 30
    contrast = apply(Augmentation(contrast=0.5), images)
    spans = np.ptp(contrast, axis=(1, 2, 3))  # 64 where nothing was changed
    assert 30 < spans.min() < 45 and 83 < spans.max() < 97
    erased = (apply(Augmentation(erasing_probability=1.0), images) != images).mean(axis=(1, 2, 3))
    assert (erased > 0.01).all() and (erased < 0.25).all()
    some = (apply(Augmentation(erasing_probability=0.3), images) != images).any(axis=(1, 2, 3))
    assert 8 < some.sum() < 32
    for changed in (bright, contrast):
        assert changed.min() >= 0 and changed.max() <= 255


def test_the_seed_decides():
    images = np.random.default_rng(0).uniform(0, 255, (8, 48, 48, 1))
    augmentation = Augmentation(rotation_deg=20, brightness=0.2, erasing_probability=0.5)
    np.testing.assert_array_equal(apply(augmentation, images, 4), apply(augmentation, images, 4))
    assert not np.array_equal(apply(augmentation, images, 4), apply(augmentation, images, 5))


@pytest.mark.parametrize(
    "fields",
    [{"zoom": 1.0}, {"width_shift": 2.0}, {"mixup_alpha": -1}, {"rotation_deg": -1},
     {"fill_mode": "mirror"}, {"erasing_probability": 2}, {"erasing_area": (0.5, 0.1)}],
)  # fmt: skip
def test_impossible_ranges_are_refused(fields: dict):
    with pytest.raises(ValueError, match=r"must|below"):
        Augmentation(**fields)


def test_alternating_flips_are_not_the_layers_affair() -> None:
    both = Augmentation(horizontal_flip=True, alternating_flip=True)
    assert augmentation_layers(both, 1) == []
    shifted = replace(both, width_shift=0.01)
    assert np.isclose(centers(apply(shifted, spot(34, 20)))[:, 0], 34, atol=1).all()
    with pytest.raises(ValueError, match="needs horizontal_flip"):
        Augmentation(alternating_flip=True)


def edges(n: int = 200, side: int = 48, channels: int = 1) -> np.ndarray:
    """Pictures that are dark on the left and bright on the right."""
    images = np.full((n, side, side, channels), 100, np.float32)
    images[:, :, side // 2 :] = 150
    return images


def damaged(images: np.ndarray, probability: float, seed: int = 1) -> np.ndarray:
    (layer,) = damage_layers(Augmentation(damage_probability=probability), seed)
    return keras.ops.convert_to_numpy(layer(images, training=True))


def test_damage_is_for_training_and_for_a_share_of_the_pictures():
    images = edges()
    layer = RandomDamage(1.0, 1)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(images)), images)
    found = damaged(images, 0.3)
    untouched = (found == images).all(axis=(1, 2, 3)).mean()
    assert 0.35 < untouched < 0.63  # 0.7 x 0.7
    assert found.dtype == np.float32 and found.min() >= 0 and found.max() <= 255


def test_damage_blurs_coarsens_and_adds_noise(monkeypatch):
    monkeypatch.setattr("mien.data.damage.NOISE_LEVELS", 0.0)
    images = edges()
    found = damaged(images, 1.0)
    steps = np.abs(np.diff(found[:, 10, :, 0], axis=1)).max(axis=1).round(1)
    kinds = np.unique(steps)
    # Three blurs and two sides, all softer than the edge of 50 levels; 16 pixels to the third.
    assert len(kinds) == 5 and kinds.max() < 30
    assert all(20 <= (steps == kind).sum() <= 65 for kind in kinds)
    assert np.abs(found.mean(axis=(1, 2, 3)) - 125).max() < 2
    # Nothing changes where the picture is plain, also at its border.
    assert np.abs(found[:, :, :8] - 100).max() < 0.01
    monkeypatch.undo()
    noisy = damaged(np.full((400, 48, 48, 1), 128, np.float32), 1.0)
    deviations = noisy.std(axis=(1, 2, 3))
    assert NOISE_LEVELS * 0.85 < deviations.max() < NOISE_LEVELS * 1.05
    assert abs(deviations.mean() - NOISE_LEVELS / 2) < 2


def test_damage_of_any_size_and_colour():
    for side, channels in ((20, 1), (96, 3)):
        images = edges(20, side, channels)
        assert damaged(images, 1.0).shape == images.shape


def test_damage_must_be_a_share():
    with pytest.raises(ValueError, match=r"damage_probability must lie in \[0, 1\]"):
        Augmentation(damage_probability=1.5)


@pytest.mark.parametrize(("side", "channels"), [(48, 1), (50, 3)])
def test_damage_on_jax(on_jax: Run, side: int, channels: int) -> None:
    images = edges(20, side, channels)
    found = on_jax(jax_steps.damaged, images)
    assert found.shape == images.shape
    assert (np.abs(found - images).reshape(20, -1).max(axis=1) > 5).all()
