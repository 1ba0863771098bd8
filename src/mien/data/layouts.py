"""Where the class folders of a data set are: relative paths -> part and class of each picture.

The layouts understood are class folders at the top (all for training), below parts (``train``,
``validation`` or ``val`` or ``valid``, ``test``), and either of them below wrapping folders, such
as ``images``. Only paths are looked at, so folders and archives share this. Guessing classes from
unknown names was rejected: a misspelt folder would become a class of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from mien.errors import DatasetError
from mien.labels import FER2013, FERPLUS, LabelSet
from mien.samples import Split

SPLIT_OF_FOLDER = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
}
"""What the folders that hold class folders mean, by their names in lower case."""

_UNDERSTOOD = "train/CLASS, validation/CLASS and test/CLASS, or CLASS folders at the top"

Place = tuple[str, str]
"""A `Split` value and a class folder's name."""


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
            return (Split.TRAIN.value, below[0]) if below else None
        if len(below) < 2 or below[0].lower() not in SPLIT_OF_FOLDER:
            return None
        return SPLIT_OF_FOLDER[below[0].lower()].value, below[1]


def arrange(
    pictures: Iterable[str], folders: Iterable[str], root: str
) -> tuple[list[tuple[str, Place]], LabelSet]:
    """Find part and class of each picture.

    Args:
        pictures: relative paths with forward slashes; those outside class folders are left out.
        folders: relative paths of the folders known to be there, empty ones included.
        root: what error messages call the data set.

    Returns:
        The pictures with their places, in the order given; and the label set: FER-2013's seven
        classes, or FER+'s eight where one of the class folders needs them.

    Raises:
        DatasetError: there are no class folders, or an unknown one or an empty one.
    """
    by_parent = [(picture, PurePosixPath(picture).parent.parts) for picture in pictures]
    tree = {PurePosixPath(folder).parts for folder in folders}
    tree |= {parents[:depth] for _, parents in by_parent for depth in range(1, len(parents) + 1)}
    layout = _find(tree, root)
    rows = [(p, place) for p, parents in by_parent if (place := layout.place(parents)) is not None]
    places = {place for parents in tree if (place := layout.place(parents)) is not None}
    if not places:
        raise _no_class_folders(root)
    label_set = _label_set({name for _, name in places}, root)
    for part, name in sorted(places - {place for _, place in rows}):
        where = f"{part}: {name}" if layout.has_parts else name
        raise DatasetError(f"{root}: class folder {where} has no pictures; fill or remove it")
    return rows, label_set


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
        f"{root} has no class folders with pictures; the layouts understood are {_UNDERSTOOD}, "
        f"also inside one wrapping folder, where CLASS is one of {known}"
    )
