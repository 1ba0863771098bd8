"""The backup of a training: everything that it changes, after the last whole epoch.

All state of a training lies in three places: the backup, ``history.csv`` and ``best.keras``.
Each is replaced atomically, so a process killed at any moment leaves a state from which the
training goes on to the same result. Keras's own BackupAndRestore was rejected because it writes
weights and epoch in two steps.
"""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mien.broken_text import from_json
from mien.errors import TrainingError
from mien.files import atomic_file
from mien.training.monitors import put_state, state_of
from mien.training.teacher_layer import LiveTeachers

_NAME = re.compile(r"epoch_(\d+)\.npz")
_DAMAGE = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a training has come."""

    epochs: int = 0
    """Epochs that are done, in all phases."""
    phase: int = 0
    """Phase that is trained, from 0."""
    phase_epochs: int = 0
    """Epochs of that phase that are done."""
    phase_ended: bool = False
    """Whether that phase has had its last epoch."""
    stoppers: tuple[dict[str, float | None], ...] = ()
    """What the callbacks remember that end or slow the phase (`monitors.state_of`)."""

    def at_phase(self, phase: int) -> "Position":
        """The position in a phase: this one within its own, else the beginning of that phase."""
        return self if phase == self.phase else Position(self.epochs, phase)


class Backup(keras.callbacks.Callback):  # type: ignore[misc]
    """After each epoch, weights, optimiser and position in one file whose name holds the epoch.

    Must come last, so that what it says of the epoch is final. Plain NumPy arrays, written by
    Python: HDF5 crashes the process on a full disk.

    Args:
        folder: where the files go.
        start: position at the beginning of this fit.
        phase_epochs: epochs after which the phase ends at the latest.
        stoppers: callbacks whose state is kept, and put back as the fit begins.
    """

    def __init__(
        self,
        folder: Path,
        start: Position,
        phase_epochs: int,
        stoppers: Sequence[keras.callbacks.Callback],
    ) -> None:
        super().__init__()
        self._folder = folder
        self._start = start
        self._phase_epochs = phase_epochs
        self._stoppers = stoppers
        self.position = start
        """Position after the last whole epoch."""

    def on_train_begin(self, logs: Any = None) -> None:
        """Put the callbacks' state back, after they have reset themselves."""
        if self._start.stoppers:
            put_state(self._stoppers, self._start.stoppers)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the new backup, then delete the older ones."""
        done = self._start.phase_epochs + epoch + 1 - self._start.epochs
        self.position = Position(
            epochs=epoch + 1,
            phase=self._start.phase,
            phase_epochs=done,
            phase_ended=self.model.stop_training or done >= self._phase_epochs,
            stoppers=tuple(state_of(self._stoppers)),
        )
        arrays = [keras.ops.convert_to_numpy(variable) for variable in _state(self.model)]
        buffer = io.BytesIO()
        np.savez(buffer, *arrays, position=np.array(json.dumps(asdict(self.position))))
        with atomic_file(self._folder / f"epoch_{epoch + 1:05d}.npz") as temporary:
            temporary.write_bytes(buffer.getvalue())
        for path, done in _backups(self._folder):
            if done <= epoch:
                path.unlink()


def latest_backup(folder: Path) -> tuple[Path, Position] | None:
    """The newest backup and its position; None if there is none.

    Raises:
        TrainingError: it is damaged.
    """
    backups = _backups(folder)
    if not backups:
        return None
    path, _ = max(backups, key=lambda pair: pair[1])
    _, position = _read(path)
    return path, position


def load_backup(model: keras.Model, path: Path) -> None:
    """Put a backup's values into a compiled model and its optimiser.

    Raises:
        TrainingError: the file is damaged or of another model; the model is as it was.
    """
    model.optimizer.build(model.trainable_variables)
    variables = _state(model)
    arrays, _ = _read(path)
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise TrainingError(f"{path} is the backup of another model; name another folder")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _read(path: Path) -> tuple[list[Any], Position]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            arrays = [stored[name] for name in stored.files if name != "position"]
            values = from_json(str(stored["position"]))
            return arrays, Position(**{**values, "stoppers": tuple(values["stoppers"])})
    except _DAMAGE as error:
        raise TrainingError(
            f"{path} is damaged; delete it and start again with --resume"
        ) from error


def _state(model: keras.Model) -> list[keras.Variable]:
    """Everything that a training changes: weights, random states, optimiser; not its teachers."""
    teachers = (layer for layer in model.layers if isinstance(layer, LiveTeachers))
    fixed = {id(variable) for layer in teachers for variable in layer.variables}
    changed = [variable for variable in model.variables if id(variable) not in fixed]
    return [*changed, *model.optimizer.variables]


def _backups(folder: Path) -> list[tuple[Path, int]]:
    if not folder.is_dir():
        return []
    matches = ((path, _NAME.fullmatch(path.name)) for path in folder.iterdir())
    return [(path, int(match[1])) for path, match in matches if match]
