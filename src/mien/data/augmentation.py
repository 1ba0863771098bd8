"""Random changes of training pictures, as layers that stand before the network.

They run where the network runs, alike on every backend, and are never part of what is saved.
All geometry (rotation, shear, zoom, shift, flip) is one affine map with one interpolation:
Keras has a layer for each, but five in a row blur five times and cost five passes. Brightness,
contrast and erasing are Keras's own layers. Mixup changes targets too, and alternating flips depend
on the epoch, so they are done where batches are made (see `mixup`, `batches`).
"""

from dataclasses import dataclass, replace
from typing import Any

from mien.data.damage import RandomDamage
from mien.errors import needs_extra

with needs_extra("train"):
    import keras

FILL_MODES = ("nearest", "constant", "reflect", "wrap")

_WARP = ("rotation_deg", "shear_deg", "zoom", "width_shift", "height_shift")
_RANGES = (*_WARP, "brightness", "contrast", "mixup_alpha")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of the random changes; the default changes nothing.

    Raises:
        ValueError: a range is impossible.
    """

    horizontal_flip: bool = False
    """Mirror every second picture left to right, by chance."""
    alternating_flip: bool = False
    """With ``horizontal_flip``: mirror each picture in every other epoch, not by chance, so that
    two epochs show all pictures both ways (Jordan, 2024, arXiv 2404.00498)."""
    vertical_flip: bool = False
    """Turn every second picture upside down."""
    rotation_deg: float = 0.0
    """Rotate by up to this angle either way."""
    shear_deg: float = 0.0
    """Shear by up to this angle either way."""
    zoom: float = 0.0
    """Scale each axis by a factor in [1 - zoom, 1 + zoom]."""
    width_shift: float = 0.0
    """Move sideways by up to this fraction of the width."""
    height_shift: float = 0.0
    """Move up or down by up to this fraction of the height."""
    fill_mode: str = "nearest"
    """What fills the uncovered border: nearest, constant (black), reflect or wrap."""
    brightness: float = 0.0
    """Add up to this fraction of 255 either way."""
    contrast: float = 0.0
    """Scale the distance from the mean by a factor in [1 - contrast, 1 + contrast]."""
    erasing_probability: float = 0.0
    """Share of pictures in which one rectangle is replaced by noise (Zhong et al., 2020)."""
    erasing_area: tuple[float, float] = (0.02, 0.2)
    """Smallest and largest area of that rectangle, as a fraction of the picture."""
    mixup_alpha: float = 0.0
    """Mix pairs of pictures and their targets in a proportion drawn from Beta(alpha, alpha)
    (Zhang et al., "mixup: beyond empirical risk minimization", 2018); 0 mixes none."""
    damage_probability: float = 0.0
    """Share of pictures that are blurred or made coarse, and of those that get noise, as other
    cameras do it (`damage`). Live teachers see the pictures before that."""

    def __post_init__(self) -> None:
        for name in _RANGES:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is below 0")
        if self.zoom >= 1 or self.shear_deg >= 90 or max(self.width_shift, self.height_shift) > 1:
            raise ValueError("zoom must be below 1, shifts at most 1, shear_deg below 90")
        for name in ("erasing_probability", "damage_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1]")
        if self.alternating_flip and not self.horizontal_flip:
            raise ValueError("alternating_flip needs horizontal_flip")
        if not 0 < self.erasing_area[0] <= self.erasing_area[1] <= 1:
            raise ValueError("erasing_area must be a range within (0, 1]")
        if self.fill_mode not in FILL_MODES:
            raise ValueError(f"fill_mode must be one of {', '.join(FILL_MODES)}")

    @property
    def flips_by_chance(self) -> bool:
        """Whether layers mirror left to right; else that is done, if at all, where batches are
        made."""
        return self.horizontal_flip and not self.alternating_flip

    @property
    def warp(self) -> "Augmentation":
        """Its rotation, shear, zoom and shift alone."""
        return Augmentation(
            fill_mode=self.fill_mode,
            rotation_deg=self.rotation_deg,
            shear_deg=self.shear_deg,
            zoom=self.zoom,
            width_shift=self.width_shift,
            height_shift=self.height_shift,
        )

    @property
    def without_warp(self) -> "Augmentation":
        """Everything else."""
        return replace(
            self, rotation_deg=0.0, shear_deg=0.0, zoom=0.0, width_shift=0.0, height_shift=0.0
        )


def damage_layers(augmentation: Augmentation, seed: int) -> list["keras.layers.Layer"]:
    """The layers that stand behind those of `augmentation_layers`, and behind live teachers."""
    share = augmentation.damage_probability
    return [RandomDamage(share, seed, name="random_damage")] if share else []


def augmentation_layers(augmentation: Augmentation, seed: int) -> list["keras.layers.Layer"]:
    """The layers of an augmentation, in the order in which they are applied, but for damage.

    They take and give float32 (n, h, w, c) with values 0..255, and do nothing outside training.

    Args:
        augmentation: the ranges.
        seed: seed of the layers' random generators.
    """
    layers: list[keras.layers.Layer] = []
    a = augmentation
    if any(getattr(a, name) for name in _WARP):
        layers.append(RandomAffine(augmentation, seed=seed, name="random_affine"))
    elif a.flips_by_chance or a.vertical_flip:
        layers.append(_random_flip(a, seed))
    options: dict[str, Any] = {"value_range": (0, 255), "seed": seed, "dtype": "float32"}
    if a.brightness:
        layers.append(keras.layers.RandomBrightness(a.brightness, **options))
    if a.contrast:
        # A pair: Keras takes one number to mean only more contrast, never less.
        layers.append(keras.layers.RandomContrast((a.contrast, a.contrast), **options))
    if a.erasing_probability:
        # A pair: Keras takes one number to mean a probability drawn from [0, p] for each batch.
        share = (a.erasing_probability, a.erasing_probability)
        layers.append(keras.layers.RandomErasing(share, scale=a.erasing_area, **options))
    return layers


def _random_flip(augmentation: Augmentation, seed: int) -> "keras.layers.Layer":
    """Flips alone, which need no interpolation."""
    mode = "horizontal_and_vertical" if augmentation.vertical_flip else "horizontal"
    if not augmentation.flips_by_chance:
        mode = "vertical"
    return keras.layers.RandomFlip(mode, seed=seed, dtype="float32", name="random_flip")


class RandomAffine(keras.layers.Layer):  # type: ignore[misc]
    """Rotation, shear, zoom, shift and flip as one affine map per picture.

    Angles, factors and shifts are uniform in their ranges, as in Keras's former
    ImageDataGenerator; interpolation is bilinear.
    """

    def __init__(self, augmentation: Augmentation, seed: int, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.augmentation = augmentation
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        """Map each picture, float32 (n, h, w, c), by its own matrix; only in training."""
        images = keras.ops.cast(images, "float32")
        if not training:
            return images
        n = keras.ops.shape(images)[0]
        height, width = images.shape[1], images.shape[2]
        return keras.ops.image.affine_transform(
            images,
            self._matrices(n, height, width),
            interpolation="bilinear",
            fill_mode=self.augmentation.fill_mode,
            fill_value=0.0,
        )

    def _matrices(self, n: Any, height: int, width: int) -> Any:
        """Random maps from output to input points around the centre, (n, 8)."""
        ops, a = keras.ops, self.augmentation
        u = keras.random.uniform((n, 8), -1.0, 1.0, seed=self.generator)
        angle = u[:, 0] * (a.rotation_deg * 3.141592653589793 / 180)
        shear = u[:, 1] * (a.shear_deg * 3.141592653589793 / 180)
        zoom_x, zoom_y = 1 + a.zoom * u[:, 2], 1 + a.zoom * u[:, 3]
        shift_x, shift_y = a.width_shift * width * u[:, 4], a.height_shift * height * u[:, 5]
        if a.flips_by_chance:
            zoom_x = zoom_x * ops.sign(u[:, 6])
        if a.vertical_flip:
            zoom_y = zoom_y * ops.sign(u[:, 7])
        cosine, sine = ops.cos(angle), ops.sin(angle)
        # rotation @ [[1, -sin(shear)], [0, cos(shear)]] @ diag(zoom), as in ImageDataGenerator.
        xx, xy = cosine * zoom_x, -(cosine * ops.sin(shear) + sine * ops.cos(shear)) * zoom_y
        yx, yy = sine * zoom_x, (cosine * ops.cos(shear) - sine * ops.sin(shear)) * zoom_y
        center_x, center_y = (width - 1) / 2, (height - 1) / 2
        offset_x = center_x + shift_x - xx * center_x - xy * center_y
        offset_y = center_y + shift_y - yx * center_x - yy * center_y
        zero = ops.zeros_like(xx)
        return ops.stack([xx, xy, offset_x, yx, yy, offset_y, zero, zero], axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape
