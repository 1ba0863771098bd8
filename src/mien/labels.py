"""The expressions that mien knows: the only module that spells class names.

A label is looked up by name, never by position, so a data set whose folders come in another
order, or under other names, still gets the right classes. The two sets here are the ones of the
field: FER-2013's seven, in the order of its ``emotion`` column, and FER+'s eight, which adds
contempt. FER+'s own *file* orders its vote columns differently; `FERPLUS_VOTE_COLUMNS` says how.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Label:
    """One expression: what it is called, everywhere."""

    key: str
    """Stable identifier, used in files and JSON."""
    display_name: str
    """What a person reads."""
    color_rgb: tuple[int, int, int]
    """Colour in plots and overlays, sRGB 0..255."""
    synonyms: tuple[str, ...] = ()
    """Other names of the same class in data sets, lower case."""


# Colours: Okabe & Ito's palette, distinguishable with colour blindness
# (https://jfly.uni-koeln.de/color/), with grey for neutral.
ANGRY = Label("angry", "Angry", (213, 94, 0), ("anger", "an", "ang"))
DISGUST = Label("disgust", "Disgust", (0, 158, 115), ("disgusted", "di", "dis"))
FEAR = Label("fear", "Fear", (204, 121, 167), ("fearful", "afraid", "scared", "fe", "fea"))
HAPPY = Label("happy", "Happy", (230, 159, 0), ("happiness", "joy", "ha", "hap"))
SAD = Label("sad", "Sad", (0, 114, 178), ("sadness", "sa"))
SURPRISE = Label("surprise", "Surprise", (86, 180, 233), ("surprised", "su", "sur"))
NEUTRAL = Label("neutral", "Neutral", (128, 128, 128), ("neutrality", "calm", "ne", "neu"))
CONTEMPT = Label("contempt", "Contempt", (240, 228, 66), ("contemptuous", "co", "con"))

UNCERTAIN = Label("uncertain", "Uncertain", (216, 218, 222))
"""No class: what is shown where no class is probable enough. Never a member of a label set."""


RESERVED = (
    f"no class can be called {UNCERTAIN.key!r}: that is what mien says of a face of which no class "
    "is probable enough; call it otherwise, as 'unsure'"
)
"""Why a class of that name is refused."""


def is_reserved(name: str) -> bool:
    """Whether a class would have the name of `UNCERTAIN`, whatever its case."""
    return name.strip().lower() == UNCERTAIN.key


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of labels; the position of a label is its class index.

    Raises:
        ValueError: two labels share a key or a synonym, or one has the name of `UNCERTAIN`.
    """

    name: str
    """Identifier of the set, stored in model cards."""
    labels: tuple[Label, ...]
    """The labels, in class-index order."""

    def __post_init__(self) -> None:
        names = [name for label in self.labels for name in (label.key, *label.synonyms)]
        if len(names) != len(set(names)):
            raise ValueError(f"label set {self.name} uses a name twice")
        if any(is_reserved(name) for name in names):
            raise ValueError(RESERVED)

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __getitem__(self, index: int) -> Label:
        return self.labels[index]

    @property
    def keys(self) -> tuple[str, ...]:
        """The labels' keys, in class-index order."""
        return tuple(label.key for label in self.labels)

    @cached_property
    def _index_of_name(self) -> dict[str, int]:
        return {
            name: index
            for index, label in enumerate(self.labels)
            for name in (label.key, *label.synonyms)
        }

    def index(self, name: str) -> int:
        """Class index of a label, by key or synonym, whatever its case.

        Raises:
            KeyError: no label has that name; the message lists the known ones.
        """
        try:
            return self._index_of_name[name.strip().lower()]
        except KeyError:
            raise KeyError(f"unknown label {name!r}; known: {', '.join(self.keys)}") from None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.strip().lower() in self._index_of_name


FER2013 = LabelSet("fer2013", (ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL))
"""Seven classes; the index is the ``emotion`` column of ``fer2013.csv`` (Goodfellow, 2013)."""

FERPLUS = LabelSet("ferplus", (*FER2013.labels, CONTEMPT))
"""Eight classes: FER-2013's seven in the same order, then contempt (Barsoum et al., 2016)."""

LABEL_SETS = {FER2013.name: FER2013, FERPLUS.name: FERPLUS}
"""Label sets by name."""

FERPLUS_VOTE_COLUMNS = (*(NEUTRAL, HAPPY, SURPRISE, SAD, ANGRY, DISGUST, FEAR, CONTEMPT),)
"""Meaning of the first eight vote columns of ``fer2013new.csv``, in the file's order; two more
columns follow them: *unknown* and *NF*, not a face."""


def label_set_of(keys: tuple[str, ...]) -> LabelSet:
    """The label set with exactly these keys in this order; a new one where none is known.

    Args:
        keys: label keys in class-index order. A key that no known label has becomes a label of
            its own, shown in black.
    """
    for label_set in LABEL_SETS.values():
        if label_set.keys == keys:
            return label_set
    labels = tuple(
        FERPLUS[FERPLUS.index(key)] if key in FERPLUS else Label(key, key.capitalize(), (0, 0, 0))
        for key in keys
    )
    return LabelSet("custom", labels)
