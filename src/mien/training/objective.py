"""What a training minimises: targets, weights of the rows, losses."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.data.batches import Targets, Weights
from mien.data.ferplus import label_distributions
from mien.data.mixup import blend_targets
from mien.samples import Samples
from mien.training.recipe import Recipe
from mien.training.trainable import EXPRESSION, FERPLUS_HEAD, TEACHER_HEAD
from mien.training.views import Views


def targets(
    samples: Samples,
    recipe: Recipe,
    *,
    training: bool = False,
    taught: NDArray[np.float32] | None = None,
    views: Views | None = None,
) -> tuple[Targets, Weights]:
    """Target distributions and row weights of every head.

    Args:
        samples: rows of one split.
        recipe: which heads there are, and how classes weigh.
        training: whether these rows train; class weights are for those alone.
        taught: what teachers say of the rows, (n, classes), or of each view of them,
            (views, n, classes); it takes ``teacher_weight`` of the label's place.
        views: variants of the rows; labels and votes are blended as they are.

    Returns:
        Per head, float32 (n, classes) and float32 (n,), where there are views (views, n, classes)
        and (views, n). Rows that FER+'s rules drop weigh 0 in its head. Where teachers are live,
        the head ``teacher`` has the share of each row that they take from its label; its targets
        are empty, (n, 1), for what they say is part of the network's output.

    Raises:
        RecipeError: the recipe learns FER+ votes, but the samples have none.
    """
    one_hot = np.eye(len(samples.label_set), dtype=np.float32)[samples.labels]
    heads: dict[str, Any] = {EXPRESSION: one_hot}
    weights: dict[str, Any] = {EXPRESSION: np.ones(len(samples), np.float32)}
    if training and recipe.class_weights == "balanced":
        weights[EXPRESSION] = class_weights(samples)[samples.labels]
    recipe.check_votes(samples.votes is not None)
    if recipe.ferplus_weight and samples.votes is not None:
        heads[FERPLUS_HEAD], weights[FERPLUS_HEAD] = label_distributions(samples.votes)
    if views is not None:
        heads, weights = _of_views(heads, weights, views)
    if taught is not None:
        labels = heads[EXPRESSION]
        heads[EXPRESSION] = labels + np.float32(recipe.teacher_weight) * (taught - labels)
    if recipe.is_live:
        share = np.float32(recipe.teacher_weight if training else 0)
        heads[TEACHER_HEAD] = np.zeros((len(samples), 1), np.float32)
        weights[TEACHER_HEAD] = share * weights[EXPRESSION]
        weights[EXPRESSION] = (1 - share) * weights[EXPRESSION]
    return heads, weights


def _of_views(
    heads: Targets, weights: Weights, views: Views
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Targets and weights of every view, (views, n, classes) and (views, n)."""
    blended = [
        blend_targets(heads, weights, share, partner)
        for share, partner in zip(views.share, views.partner, strict=True)
    ]
    return (
        {head: np.stack([targets[head] for targets, _ in blended]) for head in heads},
        {head: np.stack([its[head] for _, its in blended]) for head in heads},
    )


def class_weights(samples: Samples) -> NDArray[np.float32]:
    """Weight of each class in the loss, (classes,): rows / (classes present * its rows).

    Rare classes count as much as common ones, and the mean over the rows is 1 (King and Zeng,
    "Logistic regression in rare events data", 2001; scikit-learn calls it "balanced"). A class
    without rows weighs 0.
    """
    counts = np.bincount(samples.labels, minlength=len(samples.label_set))
    present = np.maximum(counts, 1) * np.count_nonzero(counts)
    return np.where(counts > 0, len(samples) / present, 0.0).astype(np.float32)


class TaughtLoss(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of what teachers say and what the network says, both softened.

    Args:
        temperature: logits are divided by it, which the teachers have done already; the loss is
            multiplied by its square, so that the gradients keep their size (Hinton et al., 2015).
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__(name="taught")
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss per row, (n,); ``y_pred`` is (n, 2 * classes), logits and what teachers say."""
        logits, taught = keras.ops.split(y_pred, 2, axis=-1)
        log_network = keras.ops.log_softmax(logits / self.temperature, axis=-1)
        taught = keras.ops.stop_gradient(taught)
        return -(self.temperature**2) * keras.ops.sum(taught * log_network, axis=-1)


def losses(recipe: Recipe) -> dict[str, keras.losses.Loss]:
    """Cross-entropy of every head, from logits; only the kept head's labels are smoothed."""
    made: dict[str, keras.losses.Loss] = {
        EXPRESSION: keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe.label_smoothing
        )
    }
    if recipe.ferplus_weight:
        made[FERPLUS_HEAD] = keras.losses.CategoricalCrossentropy(from_logits=True)
    if recipe.is_live:
        made[TEACHER_HEAD] = TaughtLoss(recipe.teacher_temperature)
    return made


def loss_weights(recipe: Recipe) -> dict[str, float]:
    """Weight of every head's loss in their sum."""
    ferplus = {FERPLUS_HEAD: recipe.ferplus_weight} if recipe.ferplus_weight else {}
    return {EXPRESSION: 1.0, **ferplus, **({TEACHER_HEAD: 1.0} if recipe.is_live else {})}
