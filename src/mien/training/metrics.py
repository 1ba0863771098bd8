"""Accuracy, precision, recall and F1 of each epoch, by the most probable class.

Precision, recall and F1 are means over the classes. Rows without a label, whose target is all
zeros, do not count.
"""

from typing import Any

from mien.errors import needs_extra

with needs_extra("train"):
    import keras


class LabelledAccuracy(keras.metrics.CategoricalAccuracy):  # type: ignore[misc]
    """Share of the labelled rows whose most probable class is that of the target."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        super().update_state(y_true, y_pred, sample_weight=_is_labelled(y_true))


class MacroF1(keras.metrics.F1Score):  # type: ignore[misc]
    """Unweighted mean of the classes' F1; a class without a hit counts 0."""

    def __init__(self, name: str = "f1", dtype: Any = None) -> None:
        super().__init__(average="macro", threshold=None, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Name and dtype alone: the rest is what the class is."""
        return {"name": self.name, "dtype": self.dtype}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        super().update_state(y_true, y_pred, sample_weight=_is_labelled(y_true))


class MacroPrecision(MacroF1):
    """Unweighted mean of the classes' precision; a class that was never predicted counts 0."""

    def __init__(self, name: str = "precision", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def result(self) -> Any:
        """The mean, in [0, 1]."""
        return _mean_share(self.true_positives, self.false_positives)


class MacroRecall(MacroF1):
    """Unweighted mean of the classes' recall; a class without rows counts 0."""

    def __init__(self, name: str = "recall", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def result(self) -> Any:
        """The mean, in [0, 1]."""
        return _mean_share(self.true_positives, self.false_negatives)


def epoch_metrics() -> list[keras.metrics.Metric]:
    """Accuracy, precision, recall and F1, from logits or probabilities and one-hot targets."""
    return [
        LabelledAccuracy(name="accuracy"),
        MacroPrecision(),
        MacroRecall(),
        MacroF1(),
    ]


def _is_labelled(targets: Any) -> Any:
    """1 for rows with a target, 0 for others, (n,)."""
    return keras.ops.cast(keras.ops.any(targets > 0, axis=-1), "float32")


def _mean_share(hits: Any, misses: Any) -> Any:
    total = keras.ops.cast(hits + misses, "float32")
    return keras.ops.mean(keras.ops.divide_no_nan(keras.ops.cast(hits, "float32"), total))
