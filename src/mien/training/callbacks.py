"""What happens at the borders of epochs: seeds, averages, the history, the best network.

Keras's own SwapEMAWeights was rejected because it swaps by adding and subtracting, which changes
the weights' last bits.
"""

import csv
import importlib.util
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mien.errors import TrainingError
from mien.files import atomic_file
from mien.training.monitors import MONITORS, Checkpoint, better
from mien.training.trainable import EXPRESSION, TEACHER_HEAD


class EpochSeeds(keras.callbacks.Callback):  # type: ignore[misc]
    """Make every random layer a function of (seed, epoch), so that a resumed epoch repeats."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Reset the state of every random generator in the model."""
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        for index, state in enumerate(states):
            state.assign([(self._seed * 1_000_003 + epoch * 1_009 + index) % 2**31, 0])


class KeptWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Validate with the weights that are kept; train on with the raw ones.

    Kept is the optimiser's moving average, where it makes one, and of that and the weights of the
    start a mean, where one is asked for (Wortsman et al., "Robust fine-tuning of zero-shot models",
    2022: between two ends of one training lie networks that hold better than either).

    Args:
        averaged: whether the optimiser averages the weights.
        blended: the part of the model that is blended with the start; None for no blending.
        start: its weights at the start, as its `get_weights` gave them.
        share: how much of the start is kept, 0 to 1.
    """

    def __init__(
        self,
        averaged: bool = True,
        blended: keras.Model | None = None,
        start: Sequence[Any] = (),
        share: float = 0.0,
    ) -> None:
        super().__init__()
        self._averaged = averaged
        self._blended = blended.weights if blended is not None else []
        self._start = start
        self._share = share
        self._raw: list[tuple[Any, Any]] = []

    def on_test_begin(self, logs: Any = None) -> None:
        """Put in what is kept."""
        averaged = self.model.trainable_variables if self._averaged else []
        changed = {id(variable): variable for variable in (*averaged, *self._blended)}
        # Copies, here and below: JAX hands buffers on, and two owners of one lose it.
        self._raw = [(variable, _copied(variable)) for variable in changed.values()]
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        averages = optimizer._model_variables_moving_average if self._averaged else []
        for variable, average in zip(averaged, averages, strict=True):
            variable.assign(_copied(average))
        for variable, first in zip(self._blended, self._start, strict=True):
            variable.assign((1 - self._share) * _copied(variable) + self._share * first)

    def on_test_end(self, logs: Any = None) -> None:
        """Put the raw weights back."""
        for variable, raw in self._raw:
            variable.assign(raw)
        self._raw = []

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Hold what is kept in the model for the length of a block."""
        self.on_test_begin()
        try:
            yield
        finally:
            self.on_test_end()


class PlainNames(keras.callbacks.Callback):  # type: ignore[misc]
    """Rename an epoch's numbers for every later callback: val_expression_f1 -> val_f1.

    Keras puts the head's name into them where there is more than one head. The loss is that of the
    kept head, from labels and from live teachers together.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Rename in place: Keras hands the same dictionary to all callbacks."""
        for part in ("", "val_"):
            if logs and f"{part}{TEACHER_HEAD}_loss" in logs:
                logs[f"{part}{EXPRESSION}_loss"] += logs[f"{part}{TEACHER_HEAD}_loss"]
        for name in list(logs or {}):
            logs[name.replace(f"{EXPRESSION}_", "")] = logs.pop(name)


class StopOnNaN(keras.callbacks.Callback):  # type: ignore[misc]
    """Stop where the loss is no number; the folder keeps the state after the last whole epoch.

    Must come before the callbacks that save, so that they never see such an epoch.
    """

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the epoch for the message."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the running mean of the loss.

        Raises:
            TrainingError: it is not finite; names the step.
        """
        if logs and not math.isfinite(float(logs["loss"])):
            raise self._error(f"the loss is {float(logs['loss'])} at step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the validation loss.

        Raises:
            TrainingError: it is not finite.
        """
        if logs and not math.isfinite(float(logs["val_loss"])):
            raise self._error(f"the validation loss is {float(logs['val_loss'])} at the end")

    def _error(self, what: str) -> TrainingError:
        kept = f"epochs 1 to {self._epoch} are kept" if self._epoch else "no epoch was completed"
        return TrainingError(
            f"{what} of epoch {self._epoch + 1}; lower the learning rate or set clip_norm ({kept})"
        )


class History(keras.callbacks.Callback):  # type: ignore[misc]
    """``history.csv``: one row per epoch, rewritten whole; keeps the rows before a resumption."""

    def __init__(
        self,
        path: Path,
        first_epoch: int,
        on_epoch: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        super().__init__()
        self._path = path
        self._on_epoch = on_epoch
        self.phase = 1
        """Number of the phase that is trained, from 1; set as each begins."""
        self.rows = read_history(path)[:first_epoch]
        if len(self.rows) < first_epoch:
            raise TrainingError(
                f"{path} has fewer rows than epochs were done; start again in another folder"
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Append the epoch's row."""
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        # ReduceLROnPlateau has put the epoch's rate there before lowering it.
        rate = numbers.pop("learning_rate", None)
        if rate is None:
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        known = [name for name in MONITORS if name in numbers]
        others = sorted(set(numbers) - set(known))
        row = {"epoch": float(epoch + 1), "phase": float(self.phase)}
        row |= {name: numbers[name] for name in (*known, *others)}
        row["learning_rate"] = rate
        self.rows.append(row)
        with atomic_file(self._path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.rows[0]))
            writer.writeheader()
            for each in self.rows:
                writer.writerow(each | {name: int(each[name]) for name in ("epoch", "phase")})
        if self._on_epoch is not None:
            self._on_epoch(row)


class BestNetwork(keras.callbacks.Callback):  # type: ignore[misc]
    """``best.keras``: the float32 network of the epoch that is best so far."""

    def __init__(
        self, path: Path, history: History, monitor: str, save: Callable[[Path], None]
    ) -> None:
        super().__init__()
        self._path = path
        self._history = history
        self._monitor = monitor
        self._save = save

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save, if this epoch is better than all before."""
        if best_row(self._history.rows, self._monitor)["epoch"] == epoch + 1:
            with atomic_file(self._path) as temporary:
                self._save(temporary)


def tensorboard(folder: Path) -> list[keras.callbacks.Callback]:
    """Keras's TensorBoard callback; none where TensorFlow, which writes its files, is missing."""
    if importlib.util.find_spec("tensorflow") and importlib.util.find_spec("tensorboard"):
        return [keras.callbacks.TensorBoard(str(folder), write_graph=False)]
    return []


def read_history(path: Path) -> list[dict[str, float]]:
    """Rows of a ``history.csv``; none where there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def best_row(
    history: Sequence[dict[str, float]], monitor: str = Checkpoint().monitor
) -> dict[str, float]:
    """Row of the epoch that is kept: the first one of the best ``monitor``."""
    best = history[0]
    for row in history[1:]:
        if better(monitor, row[monitor], best[monitor]):
            best = row
    return best


def _copied(variable: Any) -> Any:
    return np.array(keras.ops.convert_to_numpy(variable))
