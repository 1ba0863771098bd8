"""Progress of a training on stderr: a bar on a terminal, a line per epoch elsewhere."""

import sys
from types import TracebackType
from typing import Any

import keras
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from mien.cli.console import errors


class EpochProgress:
    """Shows the epochs of a training; a context manager.

    Args:
        epochs: of all phases, if none ends early.
        phases: how many there are.
    """

    def __init__(self, epochs: int, phases: int = 1) -> None:
        self._epochs = epochs
        self._phases = phases
        self._phase = 0.0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            TimeRemainingColumn(),
            console=errors,
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._all = self._bar.add_task("epochs", total=epochs, note="")
        self._consulted: TaskID | None = None
        self._one = self._bar.add_task("  steps", total=None, note="")

    def __enter__(self) -> "EpochProgress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def consulting(self, done: int, total: int) -> None:
        """Move a bar of its own while teachers are asked."""
        if self._consulted is None:
            self._consulted = self._bar.add_task("teachers' answers", total=total, note="")
        self._bar.update(self._consulted, completed=done, visible=done < total)

    def epoch_done(self, row: dict[str, float]) -> None:
        """Print the epoch's losses and scores."""
        if row["phase"] != self._phase:
            self._phase = row["phase"]
            if self._phases > 1:
                errors.print(f"phase {self._phase:.0f} of {self._phases}")
        errors.print(
            f"epoch {row['epoch']:3.0f}/{self._epochs}"
            f"  train: loss {row['loss']:.4f}, accuracy {100 * row['accuracy']:.2f} %"
            f"  validation: loss {row['val_loss']:.4f}, accuracy {100 * row['val_accuracy']:.2f} %,"
            f" F1 {100 * row['val_f1']:.2f} %",
            soft_wrap=True,
        )

    def callback(self) -> keras.callbacks.Callback:
        """The Keras callback that moves the bars."""
        return _Bars(self._bar, self._all, self._one)


class _Bars(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, bar: Progress, epochs: Any, steps: Any) -> None:
        super().__init__()
        self._bar, self._epochs, self._steps = bar, epochs, steps

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._bar.update(self._epochs, completed=epoch)
        self._bar.reset(self._steps, total=self.params["steps"])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._bar.update(self._steps, completed=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._bar.update(self._epochs, completed=epoch + 1)
