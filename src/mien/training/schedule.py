"""How the learning rate rises and falls within a phase."""

from typing import Any

import keras

from mien.training.phases import Phase
from mien.training.recipe import Recipe


def schedule(recipe: Recipe, phase: Phase, steps_per_epoch: int) -> Any:
    """The learning rate of a phase, as Keras's optimisers take it.

    Args:
        recipe: the kind of schedule, its warm-up and its steps.
        phase: one of the recipe's ``plan``; its peak rate and its epochs.
        steps_per_epoch: batches of an epoch.

    Returns:
        A number, where it is constant, or a `keras.optimizers.schedules.LearningRateSchedule`.
    """
    peak = phase.learning_rate or recipe.learning_rate
    warmup_steps = round(recipe.warmup_epochs * steps_per_epoch)
    if recipe.schedule == "step":
        return _Steps(
            peak,
            warmup_steps,
            tuple(round(epoch * steps_per_epoch) for epoch in recipe.step_epochs),
            recipe.step_factor,
        )
    if recipe.schedule == "constant" and not warmup_steps:
        return peak
    falling_steps = max(1, (phase.epochs or recipe.epochs) * steps_per_epoch - warmup_steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else peak,
        decay_steps=falling_steps,
        alpha=1.0 if recipe.schedule == "constant" else 0.0,
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


class _Steps(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Keras's PiecewiseConstantDecay after a linear rise."""

    def __init__(
        self, peak: float, warmup_steps: int, boundaries: tuple[int, ...], factor: float
    ) -> None:
        self._warmup_steps = warmup_steps
        values = [peak * factor**index for index in range(len(boundaries) + 1)]
        # Its boundaries are the last steps of a value; ours are the first ones of the next.
        last = [boundary - 1 for boundary in boundaries]
        self._falling = keras.optimizers.schedules.PiecewiseConstantDecay(last, values)

    def __call__(self, step: Any) -> Any:
        """Learning rate of a step, from 0."""
        if not self._warmup_steps:
            return self._falling(step)
        rise = keras.ops.cast(step, "float32") / self._warmup_steps
        return self._falling(step) * keras.ops.minimum(rise, 1.0)

    def get_config(self) -> dict[str, Any]:
        """What it was made of."""
        return {"falling": self._falling.get_config(), "warmup_steps": self._warmup_steps}
