"""Expressions in pictures: detect, crop, classify."""
