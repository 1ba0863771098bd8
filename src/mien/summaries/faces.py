"""Rows of tables as arrays: who was seen when, and what their faces showed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import TableError
from mien.labels import UNCERTAIN

NO_TRACK = -1
"""Stands in `FaceRows.track` for the faces of photos."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceRows:
    """Classified faces of any number of sources, one row each, in any order.

    Raises:
        ValueError: the arrays differ in length.
    """

    sources: tuple[str, ...]
    """Names of the pictures and videos."""
    label_keys: tuple[str, ...]
    """Keys of the classes, in the order of `probabilities`."""
    source: NDArray[np.int64]
    """Index of each row's source, (n,)."""
    frame: NDArray[np.int64]
    """Number of the frame, (n,)."""
    time_s: NDArray[np.float64]
    """Time of the frame in seconds, (n,)."""
    track: NDArray[np.int64]
    """Number of the track in its source, `NO_TRACK` in photos, (n,)."""
    label: NDArray[np.int64]
    """Index in `shown_keys` of the label that was shown, (n,)."""
    probabilities: NDArray[np.float64]
    """As the table has them, smoothed in videos, (n, classes)."""

    def __post_init__(self) -> None:
        n = len(self.source)
        columns = (self.frame, self.time_s, self.track, self.label, self.probabilities)
        if any(len(column) != n for column in columns):
            raise ValueError("expected columns of one length")

    def __len__(self) -> int:
        return len(self.source)

    @property
    def shown_keys(self) -> tuple[str, ...]:
        """Keys of what can be shown: the classes, then `mien.labels.UNCERTAIN`."""
        return (*self.label_keys, UNCERTAIN.key)

    @property
    def is_of_videos(self) -> bool:
        """Whether the rows have tracks and times."""
        return bool(len(self)) and bool((self.track != NO_TRACK).all())

    def taken(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "FaceRows":
        """Some of the rows, by a mask or by their indices."""
        return FaceRows(
            self.sources,
            self.label_keys,
            self.source[chosen],
            self.frame[chosen],
            self.time_s[chosen],
            self.track[chosen],
            self.label[chosen],
            self.probabilities[chosen],
        )


def joined(tables: Sequence[tuple[str, FaceRows]]) -> FaceRows:
    """Several tables as one.

    Args:
        tables: the name of each, for messages, and its rows.

    Raises:
        TableError: there is no face, two tables have different classes or tell of one source, or
            photos and videos are mixed.
    """
    # A table of JSON Lines in which nobody is seen does not tell its classes.
    first_name, first = next((pair for pair in tables if pair[1].label_keys), tables[0])
    n_classes = len(first.label_keys)
    sources: dict[str, str] = {}
    for name, rows in tables:
        if rows.label_keys and rows.label_keys != first.label_keys:
            raise TableError(
                f"{name} and {first_name} have different expressions; summarize tables of one "
                "model at a time"
            )
        for source in rows.sources:
            if source in sources:
                raise TableError(f"{source} is in {sources[source]} and in {name}; name one")
            sources[source] = name
    offsets = np.cumsum([0, *(len(rows.sources) for _, rows in tables)])
    whole = FaceRows(
        tuple(sources),
        first.label_keys,
        np.concatenate(
            [rows.source + at for (_, rows), at in zip(tables, offsets[:-1], strict=True)]
        ),
        np.concatenate([rows.frame for _, rows in tables]),
        np.concatenate([rows.time_s for _, rows in tables]),
        np.concatenate([rows.track for _, rows in tables]),
        np.concatenate([rows.label for _, rows in tables]),
        np.concatenate([rows.probabilities.reshape(len(rows), n_classes) for _, rows in tables]),
    )
    names = ", ".join(name for name, _ in tables)
    if not len(whole):
        raise TableError(f"there is no face in {names}")
    if not whole.is_of_videos and (whole.track != NO_TRACK).any():
        raise TableError(
            f"{names}: photos and videos together; shares of faces and of time do not add up, so "
            "summarize them apart"
        )
    return whole
