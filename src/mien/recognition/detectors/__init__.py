"""Implementations of the face detector interface."""
