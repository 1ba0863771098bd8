"""Mixup: pairs of pictures and of their targets, blended (Zhang et al., 2018).

Done in NumPy where a batch is made, not in a layer: targets and weights of every head must be
blended with the pictures, and there it is a function of the batch's seed on every backend.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[np.float32]]
"""Per head of the network, one row per picture."""


def mix(
    images: NDArray[np.uint8],
    targets: Columns,
    weights: Columns,
    alpha: float,
    random: np.random.Generator,
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """Blend every row of a batch with another one.

    Cross-entropy is linear in its target, so blending targets and weights as here gives the
    blend of the two losses, also where a row has no weight in some head.

    Args:
        images: uint8 (n, h, w, c).
        targets: per head, target distributions, (n, classes).
        weights: per head, the weight of each row in its loss, (n,).
        alpha: above 0; each row's share is drawn from Beta(alpha, alpha), its larger side is
            the row's own.
        random: draws shares and partners.

    Returns:
        Blended pictures (rounded to uint8), targets and weights, of the same shapes.
    """
    n = len(images)
    drawn = random.beta(alpha, alpha, n).astype(np.float32)
    share = np.maximum(drawn, 1 - drawn)
    partner = random.permutation(n)
    return blend_images(images, images[partner], share), *blend_targets(
        targets, weights, share, partner
    )


def blend_images(
    images: NDArray[np.uint8], others: NDArray[np.uint8], share: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Blend every picture with another one.

    Args:
        images: uint8 (n, h, w, c).
        others: what each is blended with, of the same shape.
        share: how much of the blend is the first, (n,), 0 to 1.

    Returns:
        uint8 (n, h, w, c), rounded.
    """
    own = share.reshape(-1, *[1] * (images.ndim - 1))
    blended: NDArray[np.float32] = own * images + (1 - own) * others
    return np.rint(blended).astype(np.uint8, copy=False)


def blend_targets(
    targets: Columns, weights: Columns, share: NDArray[np.float32], partner: NDArray[np.int64]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """Blend targets and weights as `blend_images` blends pictures.

    Args:
        targets: per head, target distributions, (n, classes).
        weights: per head, the weight of each row in its loss, (n,).
        share: the row's own share, (n,), 0 to 1.
        partner: the row that gives the rest, (n,).

    Returns:
        Targets and weights of the same shapes; a row without weight gives nothing to a target.
    """
    mixed_targets, mixed_weights = {}, {}
    for head, target in targets.items():
        own_weight = share * weights[head]
        other_weight = (1 - share) * weights[head][partner]
        weight = own_weight + other_weight
        scale = np.where(weight > 0, weight, 1)[:, np.newaxis]
        total = own_weight[:, np.newaxis] * target + other_weight[:, np.newaxis] * target[partner]
        mixed_targets[head] = (total / scale).astype(np.float32)
        mixed_weights[head] = weight.astype(np.float32)
    return mixed_targets, mixed_weights
