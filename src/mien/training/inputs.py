"""Recipe + labelled faces -> what trains and what validates."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mien import zoo
from mien.data import splits
from mien.data.batches import Batches
from mien.data.unlabelled import Unlabelled
from mien.errors import RecipeError, TrainingError
from mien.preprocessing import InputSpec, to_network_input
from mien.samples import Samples, Split
from mien.training import objective
from mien.training.recipe import Recipe
from mien.training.teachers import Teaching
from mien.training.trainable import TEACHER_HEAD
from mien.training.views import Views

SOME = 2048
"""Faces that are enough for the statistics of a layer."""
_REMEDY = {
    Split.TRAIN: "set drop_duplicates to false, or add other faces",
    Split.VALIDATION: "carve them out with --set split.validation_fraction=0.1, or add faces",
}


def input_spec(recipe: Recipe) -> InputSpec:
    """Input of the recipe's network.

    Raises:
        RecipeError: the zoo has no such network.
    """
    if recipe.architecture not in zoo.ARCHITECTURES:
        known = ", ".join(zoo.ARCHITECTURES)
        raise RecipeError(f"no architecture {recipe.architecture!r}; known: {known}")
    spec = zoo.ARCHITECTURES[recipe.architecture].default_input
    if recipe.input_size_px is None:
        return spec
    return InputSpec(recipe.input_size_px, recipe.input_size_px, spec.channels)


def split_samples(samples: Samples, recipe: Recipe) -> dict[Split, Samples]:
    """The rows that a recipe trains and validates on.

    Raises:
        TrainingError: one of the two has no rows.
    """
    assigned = splits.divided(
        samples,
        recipe.split,
        drop_duplicates=recipe.drop_duplicates,
        drop_validation_duplicates=recipe.drop_validation_duplicates,
    )
    parts = {split: assigned.of(split) for split in (Split.TRAIN, Split.VALIDATION)}
    for split, part in parts.items():
        if not len(part):
            raise TrainingError(
                f"{samples.source} has no {split} rows for recipe {recipe.name}; {_REMEDY[split]}"
            )
    return parts


def some_faces(samples: Samples, spec: InputSpec) -> NDArray[np.float32]:
    """At most `SOME` of the pictures, evenly from the first to the last, as network input.

    Raises:
        SourceError, DatasetError: a picture in a file is damaged, refused or gone.
    """
    rows = np.linspace(0, len(samples) - 1, min(SOME, len(samples))).round().astype(np.int64)
    return to_network_input([samples.images[row] for row in rows.tolist()], spec)


def batches_of(
    parts: Mapping[Split, Samples],
    spec: InputSpec,
    recipe: Recipe,
    teaching: Teaching | None,
    views: Views | None = None,
    unlabelled: Unlabelled | None = None,
    devices: int | None = None,
) -> tuple[Batches, Batches]:
    """Batches that train, and batches that validate.

    Args:
        parts: as `split_samples` gives them.
        spec: input of the network.
        recipe: targets, weights, order and blending of the rows.
        teaching: what teachers say of the training rows, where the recipe learns from them.
        views: as `views.views_of` gives them.
        unlabelled: faces without labels, where the recipe wants a share of them.
        devices: every batch is whole and divides by their number; None: last ones may be smaller.
    """
    train, validation = parts[Split.TRAIN], parts[Split.VALIDATION]
    taught = None if teaching is None else teaching.targets
    return (
        Batches(
            train,
            spec,
            *objective.targets(train, recipe, training=True, taught=taught, views=views),
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            mixup_alpha=recipe.augmentation.mixup_alpha,
            alternating_flip=recipe.augmentation.alternating_flip,
            views=None if views is None else views.pictures,
            unlabelled=None if unlabelled is None else unlabelled.images,
            unlabelled_share=recipe.unlabelled_share,
            unlabelled_weights={TEACHER_HEAD: 1.0},
            whole=devices is not None,
        ),
        Batches(
            validation,
            spec,
            *objective.targets(validation, recipe),
            batch_size=_validation_batch(spec, devices),
            whole=devices is not None,
        ),
    )


def _validation_batch(spec: InputSpec, devices: int | None) -> int:
    """Faces of a validation step: as many as memory allows, a multiple of the devices."""
    share = devices or 1
    return max(1, spec.batch_faces // share) * share
