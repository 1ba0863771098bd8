"""Where the class folders of a data set are: relative paths -> split and class of each picture.

The layouts understood are class folders at the top (all for training), below parts (``train``,
``validation`` or ``val`` or ``valid``, ``test``), and either of them below wrapping folders, such
as ``images``. Only paths are looked at, so folders and archives share this. Guessing classes from
unknown names was rejected: a misspelt folder would become a class of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import DatasetError
from mien.labels import FER2013, FERPLUS, LabelSet
from mien.samples import Split

SPLIT_OF_FOLDER = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "publictest": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
    "privatetest": Split.TEST,
}
"""What the folders that hold class folders mean, by their names in lower case; the names of
FER-2013's own parts mean what they mean in its csv."""

_UNDERSTOOD = "train/CLASS, val/CLASS and test/CLASS, or CLASS at the top"

Place = tuple[str, str]
"""A part's folder, empty where there are no parts, and a class folder's name."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the class folders of a data set are."""

    wrapping: tuple[str, ...]
    """Folders around the parts or class folders, outermost first."""
    has_parts: bool
    """Whether train, validation or test folders stand around the class folders."""

    def place(self, folders: tuple[str, ...]) -> Place | None:
        """Part and class folder of something in these folders; None where it is in none."""
        depth = len(self.wrapping)
        if folders[:depth] != self.wrapping:
            return None
        below = folders[depth:]
        if not self.has_parts:
            return ("", below[0]) if below else None
        if len(below) < 2 or below[0].lower() not in SPLIT_OF_FOLDER:
            return None
        return below[0], below[1]

    def describe(self, parts: Iterable[str]) -> str:
        """The layout in words, with the parts' folders in the order of their splits."""
        if not self.has_parts:
            words = "class folders, all for training"
        else:
            order = list(Split)
            names = sorted(set(parts), key=lambda name: (order.index(_split_of(name)), name))
            words = f"{listed([f'{name}/' for name in names])} class folders"
        return words + (f" below {'/'.join(self.wrapping)}/" if self.wrapping else "")


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """Pictures in their class folders."""

    pictures: Sequence[str]
    """Relative paths of the pictures in class folders, (n,), in the order given."""
    labels: NDArray[np.int64]
    """Class index per picture, (n,)."""
    splits: NDArray[np.str_]
    """A `Split` value per picture, (n,)."""
    label_set: LabelSet
    """FER-2013's seven classes, or FER+'s eight where one of the class folders needs them."""
    layout: str
    """Where the class folders are, in words."""


def arrange(pictures: Sequence[str], folders: Iterable[str], root: str) -> Arrangement:
    """Find split and class of each picture.

    Args:
        pictures: relative paths with forward slashes; those outside class folders are left out.
        folders: relative paths of the folders known to be there, empty ones included.
        root: what error messages call the data set.

    Raises:
        DatasetError: there are no class folders, or an unknown one or an empty one.
    """
    # Many pictures share few folders: all but this line looks at folders, not at pictures.
    codes, parents = _coded([picture.rpartition("/")[0] for picture in pictures])
    tree = {_parts_of(folder) for folder in folders}
    tree |= {_parts_of(p)[:depth] for p in parents for depth in range(1, p.count("/") + 2) if p}
    layout = _find(tree, root)
    known = {place for folder in tree if (place := layout.place(folder)) is not None}
    if not known:
        raise _no_class_folders(root)
    label_set = _label_set({name for _, name in known}, root)
    places = [layout.place(_parts_of(parent)) for parent in parents]
    for part, name in sorted(known - set(places)):
        where = f"{name} of the {part} split" if layout.has_parts else name
        raise DatasetError(f"{root}: class folder {where} has no pictures; fill or remove it")
    kept = np.array([place is not None for place in places], dtype=np.bool_)[codes]
    labels = [label_set.index(place[1]) if place else -1 for place in places]
    splits = [_split_of(place[0]).value if place else "" for place in places]
    codes = codes[kept]
    return Arrangement(
        pictures if kept.all() else [pictures[row] for row in np.flatnonzero(kept).tolist()],
        np.array(labels, dtype=np.int64)[codes],
        np.array(splits, dtype=np.str_)[codes],
        label_set,
        layout.describe(place[0] for place in places if place),
    )


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: one, two and three."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _coded(parents: Iterable[str]) -> tuple[NDArray[np.int64], list[str]]:
    """A number per value, counted in the order of their first appearance, and the values."""
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(parent, len(numbers)) for parent in parents]
    return np.array(codes, dtype=np.int64), list(numbers)


def _parts_of(folder: str) -> tuple[str, ...]:
    return tuple(name for name in folder.split("/") if name not in ("", "."))


def _split_of(part: str) -> Split:
    return SPLIT_OF_FOLDER[part.lower()] if part else Split.TRAIN


def _find(tree: set[tuple[str, ...]], root: str) -> Layout:
    """Look for class folders or parts at the top, then below the only folder, and so on."""
    wrapping: tuple[str, ...] = ()
    while True:
        depth = len(wrapping)
        inner = {p[depth] for p in tree if len(p) > depth and p[:depth] == wrapping}
        if any(name.lower() in SPLIT_OF_FOLDER for name in inner):
            return Layout(wrapping, has_parts=True)
        if any(name in FERPLUS for name in inner):
            return Layout(wrapping, has_parts=False)
        if len(inner) != 1:
            raise _no_class_folders(root)
        wrapping = (*wrapping, *inner)


def _label_set(names: set[str], root: str) -> LabelSet:
    unknown = sorted(name for name in names if name not in FERPLUS)
    if unknown:
        raise DatasetError(
            f"{root} has the unknown class folder '{unknown[0]}'; "
            f"known: {', '.join(FERPLUS.keys)}, and their synonyms; rename or remove it"
        )
    return FER2013 if all(name in FER2013 for name in names) else FERPLUS


def _no_class_folders(root: str) -> DatasetError:
    known = ", ".join(FERPLUS.keys)
    return DatasetError(
        f"{root} has no class folders with pictures; make it {_UNDERSTOOD}, or those inside one "
        f"wrapping folder; CLASS: {known}"
    )
