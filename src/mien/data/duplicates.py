"""Exact duplicates: pictures that are the same pixel by pixel, within a split and across splits.

A row of the test part whose duplicate was trained on measures memory, not skill. FER-2013 has
hundreds of them.
"""

import numpy as np
from numpy.typing import NDArray

from mien.data.fingerprints import digests
from mien.samples import Images, Samples, Split


def duplicate_groups(images: Images) -> list[NDArray[np.int64]]:
    """Groups of pixel-identical pictures.

    Args:
        images: uint8 (n, H, W), (n, H, W, 3) RGB, or pictures decoded on access.

    Returns:
        Positions of each group's pictures, ascending; two at least. Groups are in the order of
        their first pictures.

    Raises:
        ImageError, ImageTooLargeError, DatasetError: a picture is damaged or refused.
    """
    return groups_of(digests(images))


def seen_duplicates(samples: Samples) -> NDArray[np.bool_]:
    """Rows for validation or test whose pixel-identical duplicate is a training row.

    Returns:
        bool (n,); never true for a training row.

    Raises:
        ImageError, ImageTooLargeError, DatasetError: a picture is damaged or refused.
    """
    return seen_in_training(digests(samples.images), samples.splits)


def groups_of(found: NDArray[np.bytes_]) -> list[NDArray[np.int64]]:
    """Groups of equal digests, as `duplicate_groups` has them."""
    order = np.argsort(found, kind="stable")
    ordered = found[order]
    borders = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    groups = [group for group in np.split(order, borders) if len(group) > 1]
    return sorted(groups, key=lambda group: int(group[0]))


def seen_in_training(found: NDArray[np.bytes_], splits: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Rows outside the training split whose digest a training row has, (n,)."""
    in_train = splits == Split.TRAIN.value
    seen: NDArray[np.bool_] = ~in_train & np.isin(found, found[in_train])
    return seen
