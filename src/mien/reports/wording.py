"""Numbers as text, for reports, pages and tables."""

import os.path
from collections.abc import Sequence
from pathlib import PurePath

from mien.data.fer_csv import KNOWN_FILES, SPLIT_OF_USAGE
from mien.evaluation.bootstrap import Interval

UNKNOWN = "n/a"
"""What stands where there is no number."""


def counted(n: int, what: str) -> str:
    """A number of things, such as ``1 track`` or ``1,204 frames``; ``what`` is one of them."""
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def code_words(version: str, commit: str) -> str:
    """Version and commit of mien; once where they are one, as outside a git checkout."""
    return version if commit in ("", f"mien {version}") else f"{version}, {commit}"


def percent(value: float | None) -> str:
    """A part of 1 in percent with one decimal; ``n/a`` for None."""
    return UNKNOWN if value is None else f"{100 * value:.1f} %"


def percent_interval(ci95: Interval | None) -> str:
    """An interval in percent; empty for None."""
    return "" if ci95 is None else f"{100 * ci95[0]:.1f} to {100 * ci95[1]:.1f} %"


def percent_with(value: float | None, ci95: Interval | None) -> str:
    """A part of 1 in percent with its interval behind it, such as ``69.9 % (68.4 to 71.3)``."""
    said = percent_interval(ci95).removesuffix(" %")
    return f"{percent(value)} ({said})" if said else percent(value)


def points(difference: float | None) -> str:
    """A difference of two parts of 1 in percentage points, with its sign; ``n/a`` for None."""
    return UNKNOWN if difference is None else f"{100 * difference:+.1f}"


def split_words(words: str) -> str:
    """Words that end in the name of a split, with the name that FER-2013 itself has for it.

    Args:
        words: a source and a split, such as ``fer2013.csv validation``.

    Returns:
        ``fer2013.csv validation (PublicTest)``; words about other sources as they are.
    """
    source, _, split = words.rpartition(" ")
    if PurePath(source).name not in KNOWN_FILES:
        return words
    usages = {own.value: usage for usage, own in SPLIT_OF_USAGE.items()}
    return f"{words} ({usages[split]})" if split in usages else words


def shown_names(paths: Sequence[str]) -> list[str]:
    """Names of files for a table: without the folders that all have in common.

    Args:
        paths: as people named them; relative and absolute ones may be mixed.

    Returns:
        File names where no two files share one, else paths below the folder that holds all. One
        name for each path: two different paths never get the same one.
    """
    names = [PurePath(path).name or path for path in paths]
    if len(set(names)) == len(set(paths)):
        return names
    try:
        folder = os.path.commonpath(paths) if paths else ""
    except ValueError:  # relative and absolute ones, or several drives
        return list(paths)
    return [os.path.relpath(path, folder) if folder else path for path in paths]
