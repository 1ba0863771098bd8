"""What a training minimises and with which steps: targets, losses, optimiser."""

from typing import Any

import keras
import numpy as np

from mien.data.batches import Targets, Weights
from mien.data.ferplus import label_distributions
from mien.samples import Samples
from mien.training.recipe import Recipe
from mien.training.twin import EXPRESSION, FERPLUS_HEAD

MOMENTUM = 0.9
"""Nesterov momentum of SGD."""
_NOT_DECAYED = ["bias", "gamma", "beta"]


def targets(samples: Samples, recipe: Recipe) -> tuple[Targets, Weights]:
    """Target distributions and row weights of every head.

    Args:
        samples: rows of one split.
        recipe: which heads there are.

    Returns:
        Per head, float32 (n, classes) and float32 (n,). Rows that FER+'s rules drop weigh 0 in
        its head.

    Raises:
        RecipeError: the recipe learns FER+ votes, but the samples have none.
    """
    one_hot = np.eye(len(samples.label_set), dtype=np.float32)[samples.labels]
    heads: dict[str, Any] = {EXPRESSION: one_hot}
    weights: dict[str, Any] = {EXPRESSION: np.ones(len(samples), np.float32)}
    recipe.check_votes(samples.votes is not None)
    if recipe.ferplus_weight and samples.votes is not None:
        heads[FERPLUS_HEAD], weights[FERPLUS_HEAD] = label_distributions(samples.votes)
    return heads, weights


def losses(recipe: Recipe) -> dict[str, keras.losses.Loss]:
    """Cross-entropy of every head, from logits; only the kept head's labels are smoothed."""
    kept = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=recipe.label_smoothing
    )
    if not recipe.ferplus_weight:
        return {EXPRESSION: kept}
    return {EXPRESSION: kept, FERPLUS_HEAD: keras.losses.CategoricalCrossentropy(from_logits=True)}


def loss_weights(recipe: Recipe) -> dict[str, float]:
    """Weight of every head's loss in their sum."""
    ferplus = {FERPLUS_HEAD: recipe.ferplus_weight} if recipe.ferplus_weight else {}
    return {EXPRESSION: 1.0, **ferplus}


def optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimiser with its schedule, decay, clipping and moving average."""
    options: dict[str, Any] = {
        "learning_rate": _schedule(recipe, steps_per_epoch),
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.clip_norm,
        "use_ema": recipe.ema_momentum is not None,
        "ema_momentum": recipe.ema_momentum or 0.99,
    }
    if recipe.optimizer == "sgd":
        made = keras.optimizers.SGD(momentum=MOMENTUM, nesterov=True, **options)
    elif recipe.optimizer == "adam":
        made = keras.optimizers.Adam(**options)
    else:
        made = keras.optimizers.AdamW(**options)
    if recipe.weight_decay:
        made.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    return made


def _schedule(recipe: Recipe, steps_per_epoch: int) -> Any:
    warmup_steps = round(recipe.warmup_epochs * steps_per_epoch)
    if recipe.schedule == "constant" and not warmup_steps:
        return recipe.learning_rate
    falling_steps = max(1, recipe.epochs * steps_per_epoch - warmup_steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else recipe.learning_rate,
        decay_steps=falling_steps,
        alpha=1.0 if recipe.schedule == "constant" else 0.0,
        warmup_target=recipe.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
