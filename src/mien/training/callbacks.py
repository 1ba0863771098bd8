"""What happens at the borders of epochs: seeds, averages, the history, the best, the backup.

All state of a training lies in three places: the backup (weights and optimiser after the last
whole epoch), ``history.csv`` and ``best.keras``. Each is replaced atomically, so a process
killed at any moment leaves a state from which the training goes on to the same result. Keras's
own BackupAndRestore was rejected because it writes weights and epoch in two steps, and
SwapEMAWeights because it swaps by adding and subtracting, which changes the weights' last bits.
"""

import csv
import importlib.util
import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mien.errors import TrainingError
from mien.files import atomic_file

METRIC = "val_accuracy"
"""What chooses the epoch: top-1 accuracy on the validation split; the first one on a tie."""

_BACKUP = re.compile(r"epoch_(\d+)\.npz")


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


class AverageWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Validate with the optimiser's moving average of the weights; train on with the raw ones."""

    def __init__(self) -> None:
        super().__init__()
        self._raw: list[Any] | None = None

    def on_test_begin(self, logs: Any = None) -> None:
        """Put the average in."""
        variables = self.model.trainable_variables
        # Copies, here and below: JAX hands buffers on, and two owners of one lose it.
        self._raw = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        averages = optimizer._model_variables_moving_average
        for variable, average in zip(variables, averages, strict=True):
            variable.assign(np.array(keras.ops.convert_to_numpy(average)))

    def on_test_end(self, logs: Any = None) -> None:
        """Put the raw weights back."""
        for variable, raw in zip(self.model.trainable_variables, self._raw or [], strict=True):
            variable.assign(raw)
        self._raw = None

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Hold the average in the model for the length of a block."""
        self.on_test_begin()
        try:
            yield
        finally:
            self.on_test_end()


class Backup(keras.callbacks.Callback):  # type: ignore[misc]
    """After each epoch, weights and optimiser in one file whose name holds the epoch.

    Plain NumPy arrays, written by Python: HDF5 crashes the process on a full disk.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the new backup, then delete the older ones."""
        arrays = [keras.ops.convert_to_numpy(variable) for variable in _state(self.model)]
        buffer = io.BytesIO()
        np.savez(buffer, *arrays)
        with atomic_file(self._folder / f"epoch_{epoch + 1:05d}.npz") as temporary:
            temporary.write_bytes(buffer.getvalue())
        for path, done in _backups(self._folder):
            if done <= epoch:
                path.unlink()


def load_backup(model: keras.Model, path: Path) -> None:
    """Put a backup's values into a compiled model and its optimiser.

    Raises:
        TrainingError: the file is damaged or of another model; the model is as it was.
    """
    model.optimizer.build(model.trainable_variables)
    variables = _state(model)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            arrays = [stored[name] for name in stored.files]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise TrainingError(
            f"{path} is damaged; delete it and start again with --resume"
        ) from error
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise TrainingError(f"{path} is the backup of another model; name another folder")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _state(model: keras.Model) -> list[keras.Variable]:
    """Everything that a training changes: weights, random states, optimiser."""
    return [*model.variables, *model.optimizer.variables]


def sweep(folder: Path) -> None:
    """Remove the unfinished files that a killed process left in a run folder's part."""
    for unfinished in (".epoch_*", ".best.keras.*", ".history.csv.*"):
        for path in folder.glob(unfinished):
            path.unlink()


def latest_backup(folder: Path) -> tuple[Path, int] | None:
    """The newest backup and the number of epochs that it has behind it; None if there is none."""
    backups = _backups(folder)
    return max(backups, key=lambda pair: pair[1]) if backups else None


class StopOnNaN(keras.callbacks.Callback):  # type: ignore[misc]
    """Stop where the loss is no number; the folder keeps the state after the last whole epoch."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the running mean of the loss.

        Raises:
            TrainingError: it is not finite; names the step.
        """
        if logs and not math.isfinite(float(logs["loss"])):
            raise TrainingError(
                f"the loss is {float(logs['loss'])} at step {batch + 1} of the epoch; "
                "lower the learning rate or set clip_norm (earlier epochs are kept)"
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
        self.rows = read_history(path)[:first_epoch]
        if len(self.rows) < first_epoch:
            raise TrainingError(
                f"{path} has fewer rows than epochs were done; start again in another folder"
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Append the epoch's row."""
        row = {"epoch": float(epoch + 1)}
        row |= {_plain(name): float(value) for name, value in sorted((logs or {}).items())}
        row["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.rows.append(row)
        with atomic_file(self._path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        if self._on_epoch is not None:
            self._on_epoch(row)


class BestNetwork(keras.callbacks.Callback):  # type: ignore[misc]
    """``best.keras``: the float32 network of the epoch that is best by `METRIC` so far."""

    def __init__(self, path: Path, history: History, save: Callable[[Path], None]) -> None:
        super().__init__()
        self._path = path
        self._history = history
        self._save = save

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save, if this epoch is better than all before."""
        earlier = [row[METRIC] for row in self._history.rows[:epoch]]
        if not earlier or self._history.rows[epoch][METRIC] > max(earlier):
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


def best_row(history: Sequence[dict[str, float]]) -> dict[str, float]:
    """Row of the epoch that is kept: the first one of the highest `METRIC`."""
    return max(history, key=lambda row: (row[METRIC], -row["epoch"]))


def _backups(folder: Path) -> list[tuple[Path, int]]:
    if not folder.is_dir():
        return []
    matches = ((path, _BACKUP.fullmatch(path.name)) for path in folder.iterdir())
    return [(path, int(match[1])) for path, match in matches if match]


def _plain(name: str) -> str:
    """Keras's name without that of the kept head: val_expression_accuracy -> val_accuracy."""
    return name.replace("expression_", "")
