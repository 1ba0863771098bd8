"""Pictures -> batches of network input, as uint8 and in bounded memory.

Pictures of a csv are prepared once, and those in files when they are first looked at, where all of
them together fit into `KEPT_BYTES`, so that later epochs of a small network decode nothing; a
larger set is prepared anew each time and never held. What a batch holds does not depend on it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mien.preprocessing import InputSpec, to_network_input
from mien.samples import Images

KEPT_BYTES = 256 << 20
"""Prepared pictures of a set above which none are kept: 116,000 grey ones of 48 px, 1,700 colour
ones of 224 px."""


class PreparedPictures:
    """Pictures as a network takes them; looked up by several threads."""

    def __init__(self, images: Images, spec: InputSpec, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._images = images
        self._spec = spec
        self.in_files = not isinstance(images, np.ndarray)
        """Whether looking at a picture for the first time, or each time, decodes it."""
        self._known: NDArray[np.bool_] | None = None
        self._kept: NDArray[np.uint8] | None = None
        n = len(images)
        if n * math.prod(spec.shape) > kept_bytes:
            return
        if not self.in_files:
            self._kept = self._prepare(np.arange(n))
        else:
            # The system gives pages to an empty array only when they are written.
            self._kept = np.empty((n, *spec.shape), np.uint8)
            self._known = np.zeros(n, np.bool_)

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The pictures at these positions, in this order, (k, h, w, c), values 0..255.

        Raises:
            SourceError, DatasetError: a picture in a file is damaged, refused or gone.
        """
        if self._kept is None:
            return self._prepare(rows)
        if self._known is not None:
            # Two threads may prepare the same picture; both write the same values.
            missing = rows[~self._known[rows]]
            self._kept[missing] = self._prepare(missing)
            self._known[missing] = True
        return self._kept[rows]

    def _prepare(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        batch = np.empty((len(rows), *self._spec.shape), np.uint8)
        # One by one, so that there is one decoded picture at a time and no float copy of all.
        # The values are whole, so uint8 loses nothing.
        for place, row in zip(batch, rows.tolist(), strict=True):
            place[...] = to_network_input([self._images[row]], self._spec)[0]
        return batch
