"""Labelled faces: reading, splitting, auditing and batching them."""

from mien.data.sources import read_samples

__all__ = ["read_samples"]
