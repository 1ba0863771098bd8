"""What watches a training by a number of each epoch: which one is kept, when it ends or slows.

The dataclasses are fields of recipes; the callbacks are Keras's own. Two things are added: a
checkpoint holds the plain float32 network, not the trainable copy, and the state of a callback
can be taken out and put back, so that a resumed training stops where an uninterrupted one does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import needs_extra

with needs_extra("train"):
    import keras

MONITORS = tuple(
    prefix + name
    for prefix in ("", "val_")
    for name in ("loss", "accuracy", "precision", "recall", "f1")
)
"""Numbers of an epoch that can be watched."""

LAST_EPOCH = "epoch"
"""What a checkpoint watches that keeps the last epoch: its number."""

_STATE = ("best", "wait", "stopped_epoch", "cooldown_counter")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Which networks are kept.

    Raises:
        ValueError: there is no such number to watch.
    """

    monitor: str = "val_accuracy"
    """Number by which ``best.keras`` is chosen, the first epoch on a tie; ``epoch``: the last one,
    so that none is chosen."""
    every_epoch: bool = False
    """Keep the network of every epoch too, in ``checkpoints/``, with epoch, loss and val_loss in
    its name."""

    def __post_init__(self) -> None:
        _check_monitor(self.monitor, (*MONITORS, LAST_EPOCH))


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """End a training, or its phase, that no longer gets better.

    Raises:
        ValueError: a value is impossible.
    """

    monitor: str = "val_loss"
    """Number that is watched."""
    patience: int = 10
    """Epochs without improvement after which it ends."""
    min_delta: float = 0.0
    """Smallest change that counts as an improvement."""

    def __post_init__(self) -> None:
        _check_monitor(self.monitor)
        if self.patience < 0 or self.min_delta < 0:
            raise ValueError("patience and min_delta must not be below 0")


@dataclass(frozen=True, slots=True)
class ReduceOnPlateau:
    """Lower the learning rate when a training no longer gets better.

    Raises:
        ValueError: a value is impossible.
    """

    monitor: str = "val_loss"
    """Number that is watched."""
    factor: float = 0.1
    """The rate is multiplied by it."""
    patience: int = 10
    """Epochs without improvement after which that is done."""
    min_delta: float = 1e-4
    """Smallest change that counts as an improvement."""
    min_rate: float = 0.0
    """Learning rate below which it never falls."""

    def __post_init__(self) -> None:
        _check_monitor(self.monitor)
        if self.patience < 0 or self.min_delta < 0 or self.min_rate < 0:
            raise ValueError("patience, min_delta and min_rate must not be below 0")
        if not 0 < self.factor < 1:
            raise ValueError("factor must lie between 0 and 1")


def better(monitor: str, value: float, than: float) -> bool:
    """Whether a value of a number is better than another: losses fall, all else rises."""
    return value < than if _falls(monitor) else value > than


def stoppers(
    early: EarlyStopping | None, plateau: ReduceOnPlateau | None
) -> list[keras.callbacks.Callback]:
    """Keras's callbacks for one phase of a training, new and without a past."""
    made: list[keras.callbacks.Callback] = []
    if plateau is not None:
        made.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=plateau.monitor,
                factor=plateau.factor,
                patience=plateau.patience,
                min_delta=plateau.min_delta,
                min_lr=plateau.min_rate,
                mode=_mode(plateau.monitor),
            )
        )
    if early is not None:
        made.append(
            keras.callbacks.EarlyStopping(
                monitor=early.monitor,
                patience=early.patience,
                min_delta=early.min_delta,
                mode=_mode(early.monitor),
            )
        )
    return made


def state_of(callbacks: Sequence[keras.callbacks.Callback]) -> list[dict[str, float | None]]:
    """What `stoppers` remember, as JSON-ready values, one entry per callback."""
    return [
        {name: _plain(getattr(one, name)) for name in _STATE if hasattr(one, name)}
        for one in callbacks
    ]


def put_state(
    callbacks: Sequence[keras.callbacks.Callback], state: Sequence[Mapping[str, float | None]]
) -> None:
    """Put back what `state_of` took; to be called after Keras's ``on_train_begin``."""
    for one, values in zip(callbacks, state, strict=True):
        for name, value in values.items():
            setattr(one, name, value)


class EveryEpoch(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]
    """Keras's ModelCheckpoint for every epoch, of the network that is to be saved.

    Args:
        folder: where the files go, e.g. ``epoch_03-loss_1.2345-val_loss_1.3456.keras``.
        network: what is saved.
        update: brings the network up to date with what is trained.
    """

    def __init__(self, folder: Path, network: keras.Model, update: Callable[[], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = "epoch_{epoch:02d}-loss_{loss:.4f}-val_loss_{val_loss:.4f}.keras"
        super().__init__(str(folder / name))
        self._network = network
        self._update = update

    def set_model(self, model: keras.Model) -> None:
        """Watch the training, but save the network."""
        super().set_model(self._network)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save the network of this epoch."""
        self._update()
        super().on_epoch_end(epoch, logs)


def _check_monitor(monitor: str, known: Sequence[str] = MONITORS) -> None:
    if monitor not in known:
        raise ValueError(f"monitor must be one of {', '.join(known)}, not {monitor!r}")


def _falls(monitor: str) -> bool:
    return monitor.endswith("loss")


def _mode(monitor: str) -> str:
    return "min" if _falls(monitor) else "max"


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)
