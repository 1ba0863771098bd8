"""Fixed variants of the training faces, so that teachers and network look at the same pictures.

A network learns more of its teachers when both see one and the same crop of a picture than when
the teachers have seen the whole once (Beyer et al., "Knowledge distillation: A good teacher is
patient and consistent", 2022, https://arxiv.org/abs/2106.05237). Teachers that are asked about
every changed picture of every epoch cost time (see `training.live_teachers`), so there is a fixed
number of views: the teachers are asked about each of them once, before the training, and the epochs
show them in turn.
Flips, brightness, contrast and erasing are still drawn anew each time, unseen by the teachers.

With ``teacher_mixup`` a share of every view's pictures are blends of two faces, others in each
view. They look like no face that the teachers were trained on, so what is said of them is less what
was memorised. Plain mixup blends what is said of each face; here the teachers see the blend.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from mien.data.augmentation import augmentation_layers
from mien.data.mixup import blend_images
from mien.data.prepared import PreparedPictures
from mien.errors import RecipeError
from mien.preprocessing import InputSpec
from mien.samples import Samples
from mien.training.recipe import Recipe

MOST_BYTES = 8 << 30
"""Views that take more memory are refused: at 48x48, 2,300 bytes a face and view."""

_BATCH = 1024
_LEAST_SHARE = 0.5
"""A blend is at least half the row's own face."""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Variants of the training faces."""

    pictures: NDArray[np.uint8]
    """(views, n, h, w, c), values 0..255."""
    share: NDArray[np.float32]
    """How much of each picture is the row's own face, (views, n), 0.5 to 1."""
    partner: NDArray[np.int64]
    """Row of the face that makes up the rest, (views, n)."""

    def __len__(self) -> int:
        return len(self.pictures)


def views_of(samples: Samples, spec: InputSpec, recipe: Recipe) -> Views | None:
    """Every face as the recipe's augmentation warps it, ``teacher_views`` times.

    Args:
        samples: the rows that train.
        spec: input of the network.
        recipe: the ranges, the number of views, and the seed that they are drawn with.

    Returns:
        The views, a function of rows and recipe; None where the recipe has none.

    Raises:
        RecipeError: they would not fit into `MOST_BYTES`.
        SourceError, DatasetError: a picture in a file is damaged, refused or gone.
    """
    if not recipe.teacher_views:
        return None
    shape = (recipe.teacher_views, len(samples), *spec.shape)
    if math.prod(shape) > MOST_BYTES:
        raise RecipeError(
            f"{recipe.teacher_views} views of {len(samples):,} faces take "
            f"{math.prod(shape) / 2**30:.1f} GiB of memory, more than {MOST_BYTES >> 30}; "
            "set teacher_views lower"
        )
    pictures = PreparedPictures(samples.images, spec)
    views = Views(
        np.empty(shape, np.uint8), np.ones(shape[:2], np.float32), np.zeros(shape[:2], np.int64)
    )
    for index, view in enumerate(views.pictures):
        # A generator of its own for each: a further view leaves the others as they are.
        layers = augmentation_layers(recipe.augmentation.warp, recipe.seed * 1_009 + index)
        for start in range(0, len(samples), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(samples)))
            changed = keras.ops.convert_to_tensor(pictures.batch(rows), "float32")
            for layer in layers:
                changed = layer(changed, training=True)
            changed = np.rint(keras.ops.convert_to_numpy(changed))
            view[rows] = np.clip(changed, 0, 255).astype(np.uint8)
        random = np.random.default_rng((recipe.seed, index))
        views.partner[index] = random.permutation(len(samples))
        share = random.uniform(_LEAST_SHARE, 1, len(samples))
        blended = random.random(len(samples)) < recipe.teacher_mixup
        views.share[index] = np.where(blended, share, 1)
        if recipe.teacher_mixup:
            _blend(view, views.share[index], views.partner[index])
    return views


def _blend(view: NDArray[np.uint8], share: NDArray[np.float32], partner: NDArray[np.int64]) -> None:
    """Blend a view's pictures in place, some at a time: all as floats could exceed the memory."""
    plain = view.copy()
    for start in range(0, len(view), _BATCH):
        rows = slice(start, start + _BATCH)
        view[rows] = blend_images(plain[rows], plain[partner[rows]], share[rows])
