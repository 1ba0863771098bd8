"""Labelled faces: reading, splitting, auditing and batching them."""
