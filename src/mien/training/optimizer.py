"""The optimiser of a phase: its kind, decay, clipping and moving average."""

from typing import Any

import keras

from mien.training.muon import ConvolutionMuon
from mien.training.phases import Phase
from mien.training.recipe import Recipe
from mien.training.schedule import schedule

MOMENTUM = 0.9
"""Nesterov momentum of SGD."""
_NOT_DECAYED = ["bias", "gamma", "beta"]


def optimizer(recipe: Recipe, phase: Phase, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimiser of a phase with its schedule, decay, clipping and moving average.

    Args:
        recipe: everything but the phase's own.
        phase: one of the recipe's ``plan``.
        steps_per_epoch: batches of an epoch.
    """
    options: dict[str, Any] = {
        "learning_rate": schedule(recipe, phase, steps_per_epoch),
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.clip_norm,
        "use_ema": recipe.ema_momentum is not None,
        "ema_momentum": recipe.ema_momentum or 0.99,
    }
    if recipe.optimizer == "sgd":
        made = keras.optimizers.SGD(momentum=MOMENTUM, nesterov=True, **options)
    elif recipe.optimizer == "muon":
        made = ConvolutionMuon(momentum=MOMENTUM, nesterov=True, **options)
    elif recipe.optimizer == "adam":
        made = keras.optimizers.Adam(**options)
    else:
        made = keras.optimizers.AdamW(**options)
    if recipe.weight_decay:
        # Under Muon the length of kernels is fixed, so decay acts on the classifier alone.
        made.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    return made
