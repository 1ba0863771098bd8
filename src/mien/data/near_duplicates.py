"""Near duplicates: the same photograph in another crop, brightness, compression or mirrored.

Candidates share a perceptual hash: the signs of a thumbnail's low frequencies, 64 bits, of which
few may differ. They are found without comparing all pairs: of four bands of 16 bits, one differs
in at most a quarter of the bits, so looking up each band with no or one bit flipped finds every
pair up to seven bits apart. Each candidate is then verified by the correlation of its pixels, so
that what is reported can be believed.

Source: the hash follows Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010, section 3.2.1; the search Norouzi et al., "Fast Search in Hamming Space with
Multi-Index Hashing", CVPR 2012.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.data.fingerprints import THUMBNAIL_PX

MAX_BITS = 7
"""Bits of the hash in which a candidate may differ; the search finds all up to this many."""
MIN_CORRELATION = 0.9
"""Correlation of the thumbnails' pixels from which a candidate is a near duplicate. On FER-2013,
pairs just above it show one photograph; below 0.85 some show two people."""

_SIDE = 8
_BANDS = 4
_CHUNK = 1 << 16
_BITS_OF = np.array([number.bit_count() for number in range(1 << 16)], dtype=np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class NearTwins:
    """Pairs of pictures, most alike first."""

    first: NDArray[np.int64]
    """Position of one picture, (k,)."""
    second: NDArray[np.int64]
    """Position of the other, behind the first, (k,)."""
    correlation: NDArray[np.float64]
    """Of their pixels, at most 1, (k,)."""
    mirrored: NDArray[np.bool_]
    """Whether one is like the other's mirror image, (k,)."""

    def __len__(self) -> int:
        return len(self.first)


def near_duplicates(
    thumbnails: NDArray[np.uint8],
    *,
    max_bits: int = MAX_BITS,
    min_correlation: float = MIN_CORRELATION,
) -> NearTwins:
    """Find pairs of pictures that show the same photograph.

    Args:
        thumbnails: uint8 (n, 32, 32) grey; give pixel-identical and constant pictures once or
            not at all, for they are near duplicates of each other.
        max_bits: bits of the hash in which a candidate may differ, 0 to 7.
        min_correlation: correlation of pixels from which a candidate is a near duplicate.
    """
    if not 0 <= max_bits <= MAX_BITS:
        raise ValueError(f"expected 0 to {MAX_BITS} bits, got {max_bits}")
    hashes, mirrored_hashes = _hashes(thumbnails)
    centred = thumbnails.astype(np.float32)
    centred -= centred.mean(axis=(1, 2), keepdims=True)
    centred /= np.maximum(np.linalg.norm(centred, axis=(1, 2), keepdims=True), 1e-6)
    parts = []
    for asked, mirrored in ((hashes, False), (mirrored_hashes, True)):
        first, second = _candidates(hashes, asked, max_bits)
        correlation = _correlation(centred, first, second, mirrored=mirrored)
        alike = correlation >= min_correlation
        parts.append((first[alike], second[alike], correlation[alike]))
    first, second, correlation = (np.concatenate(column) for column in zip(*parts, strict=True))
    is_mirrored = np.arange(len(first)) >= len(parts[0][0])
    # A pair of symmetric pictures is found both ways; the better way tells what it is.
    order = np.lexsort((is_mirrored, -correlation))
    _, best = np.unique(first[order] * len(thumbnails) + second[order], return_index=True)
    kept = order[np.sort(best)]
    return NearTwins(first[kept], second[kept], correlation[kept], is_mirrored[kept])


def _hashes(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Perceptual hashes of the pictures and of their mirror images, (n,) each."""
    frequency = np.arange(_SIDE)[:, np.newaxis]
    position = np.arange(THUMBNAIL_PX)[np.newaxis, :]
    basis = np.cos(np.pi / THUMBNAIL_PX * (position + 0.5) * frequency).astype(np.float32)
    spectrum = basis @ thumbnails.astype(np.float32) @ basis.T
    # Mirroring a picture turns the sign of its odd horizontal frequencies.
    turned = spectrum * np.where(np.arange(_SIDE) % 2, -1, 1)
    return _signs(spectrum), _signs(turned)


def _signs(spectrum: NDArray[np.floating]) -> NDArray[np.uint64]:
    flat = spectrum.reshape(len(spectrum), _SIDE * _SIDE)
    bits = flat > np.median(flat[:, 1:], axis=1, keepdims=True)
    bits[:, 0] = False  # the mean brightness, which tells nothing
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def _candidates(
    known: NDArray[np.uint64], asked: NDArray[np.uint64], max_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs i < j with few bits between ``known[i]`` and ``asked[j]`` or the other way round.

    As a mirror image's mirror image is the picture, asking once for j is enough.
    """
    bands = known.view(np.uint16).reshape(-1, _BANDS)
    asked_bands = asked.view(np.uint16).reshape(-1, _BANDS)
    flips = [0] if max_bits < _BANDS else [0, *(1 << bit for bit in range(16))]
    found = [np.zeros(0, dtype=np.int64)]
    for band in range(_BANDS):
        order = np.argsort(bands[:, band], kind="stable")
        ordered = bands[order, band]
        for flip in flips:
            key = asked_bands[:, band] ^ np.uint16(flip)
            starts = np.searchsorted(ordered, key, side="left")
            stops = np.searchsorted(ordered, key, side="right")
            found.extend(_matches(known, asked, order, starts, stops, max_bits))
    return np.divmod(np.unique(np.concatenate(found)), max(len(known), 1))


def _matches(
    known: NDArray[np.uint64],
    asked: NDArray[np.uint64],
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    max_bits: int,
) -> Iterator[NDArray[np.int64]]:
    """Pairs i < j, as i * n + j, where i is in j's stretch of ``order`` and few bits differ."""
    lengths = stops - starts
    ends = np.cumsum(lengths)
    lower = 0
    while lower < len(asked):
        done = int(ends[lower - 1]) if lower else 0
        upper = max(lower + 1, int(np.searchsorted(ends, done + _CHUNK, side="right")))
        part = lengths[lower:upper]
        second = np.repeat(np.arange(lower, upper), part)
        within = np.arange(int(part.sum())) - np.repeat(np.cumsum(part) - part, part)
        first = order[starts[second] + within]
        ahead = first < second
        first, second = first[ahead], second[ahead]
        close = _bits_between(known[first], asked[second]) <= max_bits
        yield first[close] * len(known) + second[close]
        lower = upper


def _bits_between(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.int64]:
    halves = (one ^ other).view(np.uint16).reshape(-1, _BANDS)
    counts: NDArray[np.int64] = _BITS_OF[halves].sum(axis=1, dtype=np.int64)
    return counts


def _correlation(
    centred: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    *,
    mirrored: bool,
) -> NDArray[np.float64]:
    result = np.zeros(len(first))
    for start in range(0, len(first), _CHUNK >> 4):
        part = slice(start, start + (_CHUNK >> 4))
        one, other = centred[first[part]], centred[second[part]]
        turned = other[:, :, ::-1] if mirrored else other
        result[part] = (one * turned).sum(axis=(1, 2))
    return np.minimum(result, 1.0)
