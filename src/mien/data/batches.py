"""Samples -> batches for Keras, as a pure function of (seed, epoch, step).

A training that was interrupted sees, when resumed, the very batches that it would have seen.
Keras's array adapter shuffles with a generator whose state is not part of a checkpoint, and a
Python generator is read ahead by an unknown number of batches, so both were rejected; a
`keras.utils.PyDataset` is indexed, and the index alone decides what a batch holds.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.data.mixup import mix
from mien.data.prepared import PreparedPictures
from mien.errors import MienError, needs_extra
from mien.preprocessing import InputSpec
from mien.samples import Images, Samples

with needs_extra("train"):
    import keras

Targets = Mapping[str, NDArray[np.float32]]
"""Per head of the network, one target distribution per row, (n, classes), or one per row of each
view, (views, n, classes)."""
Weights = Mapping[str, NDArray[np.float32]]
"""Per head, the weight of each row in its loss, (n,), or of each row of each view, (views, n)."""

QUEUE_BYTES = 64 << 20
"""Batches of pictures in files that are read ahead, but two at least."""
_MAX_QUEUE = 16
_WORKERS = 4
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: Fibonacci hashing (Knuth, vol. 3, 6.4)."""


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of network input, targets and weights.

    With ``seed`` the rows are shuffled anew in every epoch, blended in pairs where
    ``mixup_alpha`` is above 0, mirrored in every other epoch with ``alternating_flip``, and the
    sequence never ends; without it they come once, in order. With ``views``, uint8 (views, n, h, w,
    c), epoch e shows view e modulo their number in place of the pictures. With ``unlabelled`` that
    share of every batch are other pictures, all of them once before any comes again; their targets
    are zeros and they weigh what ``unlabelled_weights`` says, in other heads nothing. They stand
    behind the rows, and are blended with them alike. Pictures are handed over as uint8; those in
    files are decoded by worker threads, and batches read ahead are bounded in bytes.
    """

    def __init__(
        self,
        samples: Samples,
        spec: InputSpec,
        targets: Targets,
        weights: Weights,
        *,
        batch_size: int,
        seed: int | None = None,
        mixup_alpha: float = 0.0,
        alternating_flip: bool = False,
        views: NDArray[np.uint8] | None = None,
        unlabelled: Images | None = None,
        unlabelled_share: float = 0.0,
        unlabelled_weights: Mapping[str, float] = MappingProxyType({}),
        whole: bool = False,
    ) -> None:
        self._pictures = PreparedPictures(samples.images, spec)
        self._unlabelled = None if unlabelled is None else PreparedPictures(unlabelled, spec)
        self._unlabelled_weights = unlabelled_weights
        self._unlabelled_rows = 0
        if unlabelled is not None:
            wanted = round(unlabelled_share * batch_size)
            self._unlabelled_rows = min(max(1, wanted), batch_size - 1)
        in_files = self._pictures.in_files or (
            self._unlabelled is not None and self._unlabelled.in_files
        )
        ahead = QUEUE_BYTES // (batch_size * math.prod(spec.shape))
        super().__init__(
            workers=_WORKERS if in_files else 1,
            max_queue_size=max(2, min(_MAX_QUEUE, ahead)),
        )
        self._targets = targets
        self._weights = weights
        self._rows = len(samples)
        self._batch_size = batch_size - self._unlabelled_rows
        self._seed = seed
        self._whole = whole
        self._mixup_alpha = mixup_alpha
        self._alternates = alternating_flip and seed is not None
        self._views = views
        self.first_epoch = 0
        """Epoch that index 0 belongs to; above 0 in a resumed training."""
        self.failure: MienError | None = None
        """Why a batch could not be made; see `own_errors`."""
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self._passes: dict[int, NDArray[np.int64]] = {}

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch. They hold every row once, and the last one may be smaller; where all
        are whole, what would be left for a smaller one waits for other epochs."""
        if self._whole and self._seed is not None:
            return self._rows // self._batch_size
        return -(-self._rows // self._batch_size)

    @property
    def num_batches(self) -> int | None:
        """None, endless, when shuffled; else the batches of one pass."""
        return self.steps_per_epoch if self._seed is None else None

    def __getitem__(self, index: int) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        epoch, step = divmod(index, self.steps_per_epoch)
        first = step * self._batch_size
        epoch += self.first_epoch
        rows = self._epoch_order(epoch)[first : first + self._batch_size]
        images, targets, weights = self._examples(epoch, rows)
        if self._unlabelled is not None:
            position = epoch * self.steps_per_epoch + step
            images, targets, weights = self._with_unlabelled(position, images, targets, weights)
        if self._mixup_alpha and self._seed is not None:
            random = np.random.default_rng((self._seed, epoch, step))
            return mix(images, targets, weights, self._mixup_alpha, random)
        if self._whole and self._seed is None:
            return self._filled(images, targets, weights)
        return images, targets, weights

    def pictures(self, step: int) -> NDArray[np.uint8]:
        """Pictures of one batch of the first epoch as they are, not blended, (n, h, w, c)."""
        first = step * self._batch_size
        return self._batch(self._epoch_order(self.first_epoch)[first : first + self._batch_size])

    def _examples(
        self, epoch: int, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
        """Pictures, targets and weights of an epoch's rows."""
        if self._views is None:
            images = self._alternating(self._batch(rows), rows, epoch)
            return images, _rows(self._targets, rows), _rows(self._weights, rows)
        view = epoch % len(self._views)
        targets = _rows({head: of[view] for head, of in self._targets.items()}, rows)
        weights = _rows({head: of[view] for head, of in self._weights.items()}, rows)
        return self._alternating(self._views[view][rows], rows, epoch), targets, weights

    def _alternating(
        self, images: NDArray[np.uint8], rows: NDArray[np.int64], times: NDArray[np.int64] | int
    ) -> NDArray[np.uint8]:
        """Pictures of rows, mirrored where it is their turn.

        Args:
            images: uint8 (n, h, w, c).
            rows: their rows, (n,).
            times: how often each was shown before.
        """
        if not self._alternates:
            return images
        # Which come mirrored first is drawn; the products' upper bits are as good as random.
        begins = (rows.astype(np.uint64) + np.uint64(self._seed or 0)) * _SPREAD >> np.uint64(63)
        is_mirrored = (begins.astype(np.int64) + times) % 2 == 1
        return np.where(
            is_mirrored[:, np.newaxis, np.newaxis, np.newaxis], images[:, :, ::-1], images
        )

    def _filled(
        self, images: NDArray[np.uint8], targets: Targets, weights: Weights
    ) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
        """A batch filled up with rows that weigh nothing and have no label.

        Keras divides losses by the number of all rows, so the others weigh more by as much.
        """
        missing = self._batch_size - len(images)
        more = np.float32(self.steps_per_epoch * self._batch_size / self._rows)

        def fill(values: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([values, np.zeros((missing, *values.shape[1:]), values.dtype)])

        return (
            fill(images),
            {head: fill(of) for head, of in targets.items()},
            {head: fill(of * more) for head, of in weights.items()},
        )

    def _with_unlabelled(
        self,
        position: int,
        images: NDArray[np.uint8],
        targets: Targets,
        weights: Weights,
    ) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
        """The examples of a step of the training, counted from 0, and faces without labels."""
        n = self._unlabelled_rows
        order = self._unlabelled_order(position * n, n)
        passes = np.arange(position * n, position * n + n) // len(self._unlabelled or ())
        faces = self._alternating(self._batch(order, self._unlabelled), order, passes)
        return (
            np.concatenate([images, faces]),
            {
                head: np.concatenate([of, np.zeros((n, *of.shape[1:]), np.float32)])
                for head, of in targets.items()
            },
            {
                head: np.concatenate(
                    [of, np.full(n, self._unlabelled_weights.get(head, 0), np.float32)]
                )
                for head, of in weights.items()
            },
        )

    def _unlabelled_order(self, first: int, n: int) -> NDArray[np.int64]:
        """Rows at the places ``first`` to ``first + n`` of an endless row of permutations."""
        rows = len(self._unlabelled or ())
        places = np.arange(first, first + n)
        found = np.empty(n, np.int64)
        for number in np.unique(places // rows).tolist():
            order = self._passes.get(number)
            if order is None:
                # A third number: other permutations than those of the labelled rows.
                random = np.random.default_rng((self._seed or 0, number, 1))
                order = random.permutation(rows)
                # Workers read ahead by a few batches, so older passes are not asked for again.
                kept = {k: v for k, v in dict(self._passes).items() if k >= number - 1}
                self._passes = {**kept, number: order}
            here = places // rows == number
            found[here] = order[places[here] % rows]
        return found

    def _batch(
        self, rows: NDArray[np.int64], pictures: PreparedPictures | None = None
    ) -> NDArray[np.uint8]:
        try:
            return (self._pictures if pictures is None else pictures).batch(rows)
        except MienError as error:
            self.failure = error
            raise

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        if self._seed is None:
            return np.arange(self._rows)
        # One slot is enough: workers read ahead by a few batches, across one border at most, and
        # a lost race computes the same permutation twice.
        cached = self._order
        if cached is None or cached[0] != epoch:
            order = np.random.default_rng((self._seed, epoch)).permutation(self._rows)
            self._order = cached = (epoch, order)
        return cached[1]


def _rows(columns: Targets, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    return {head: values[rows] for head, values in columns.items()}


@contextmanager
def own_errors(*batches: Batches) -> Iterator[None]:
    """Raise what made a batch fail as it was; backends wrap it in errors of their own.

    Raises:
        SourceError, DatasetError: a picture is damaged, refused or gone.
    """
    try:
        yield
    except MienError:
        raise
    except Exception as error:
        for failed in batches:
            if failed.failure is not None:
                raise failed.failure from error
        raise
