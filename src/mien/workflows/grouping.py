"""For whom a model works: an evaluation divided into the groups of a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.groups import GroupTable, groupings, read_groups
from mien.evaluation.group_columns import error_measures, recall_classes
from mien.evaluation.groups import Grouped, compare_groups, large_enough
from mien.evaluation.predictions import Predictions
from mien.recognition.detectors import load_detector
from mien.recognition.tile_search import has_face
from mien.reports.wording import counted
from mien.results import check_min_confidence
from mien.samples import Images
from mien.workflows.progress import Progress

MIN_CONFIDENCE = 0.5
"""Confidence below which a face counts as uncertain, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class GroupsWanted:
    """What a person wants to know of groups."""

    file: str | Path
    """A csv: picture or row, then any columns."""
    by: tuple[str, ...] = ()
    """Columns, or intersections as ``a,b``; every column by itself where empty."""
    min_confidence: float = MIN_CONFIDENCE
    """Confidence below which a face counts as uncertain."""
    detector: str = "auto"
    """What searches the pictures for faces; ``whole``: nothing does."""
    offline: bool = False
    """Never fetch the detector from the network."""

    def __post_init__(self) -> None:
        check_min_confidence(self.min_confidence)

    def read(self, names: Sequence[str], source: str) -> GroupTable:
        """The file, matched with all pictures of a source; and that its columns are there.

        Raises:
            SourceError, DatasetError: as `read_groups` and `groupings`.
        """
        table = read_groups(Path(self.file), names, source)
        groupings(table, names, self.by)
        return table


def group_evaluation(
    predictions: Predictions,
    images: Images,
    table: GroupTable,
    wanted: GroupsWanted,
    progress: Progress | None = None,
) -> Grouped:
    """Measure the groups of faces that were classified.

    Args:
        predictions: what a model said of each.
        images: their pictures, in the same order.
        table: which group each is of.
        wanted: what is asked.
        progress: called while pictures are searched for faces.

    Raises:
        DatasetError: as `groupings`.
        DetectorError: the detector is not there.
    """
    divided = groupings(table, predictions.names, wanted.by)
    missed, detector = search(images, wanted, progress)
    floor = wanted.min_confidence
    everyone = np.zeros(len(predictions), np.int64)
    parts = []
    for part in divided:
        compared = large_enough(part.names, part.codes)
        classes = recall_classes(predictions, part.codes, compared)
        measures = error_measures(predictions, missed, floor, classes)
        parts.append((part.title, part.names, part.codes, measures))
    classes = recall_classes(predictions, everyone, [0])
    return compare_groups(
        parts,
        error_measures(predictions, missed, floor, classes),
        min_confidence=floor,
        detector=detector,
        notes=matching_notes(table, predictions.names, predictions.source, predictions.split),
        labels=predictions.label_set.keys,
    )


def search(
    images: Images, wanted: GroupsWanted, progress: Progress | None
) -> tuple[NDArray[np.bool_] | None, str | None]:
    """Pictures in which no face is found, and the detector's name; None for ``whole``.

    Raises:
        DetectorError: the detector is not there.
    """
    if wanted.detector == "whole":
        return None, None
    detector = load_detector(wanted.detector, offline=wanted.offline)
    return ~has_face(images, detector, progress), detector.name


def matching_notes(
    table: GroupTable, names: Sequence[str], source: str, split: str | None = None
) -> list[str]:
    """What of a file and of the faces was left out, and why, in words.

    Args:
        table: the groups.
        names: the faces that could be measured.
        source: where they come from, as the user named it.
        split: the split that they are, where a source has others, too.
    """
    notes = []
    n_named = sum(name in table.values for name in names)
    what = "faces" if split is None else f"faces of the {split} split"
    if n_named < len(names):
        notes.append(
            f"{table.path} names {n_named:,} of the {len(names):,} {what} in {source}; the other "
            f"{len(names) - n_named:,} are in no group."
        )
    n_other = len(table.values) - n_named
    if split is not None and n_other:
        rows = counted(n_other, "row")
        notes.append(
            f"{rows} of {table.path} {'is' if n_other == 1 else 'are'} about faces of other "
            "splits, which are not measured here."
        )
    if table.n_unmatched:
        rows, one = counted(table.n_unmatched, "row"), table.n_unmatched == 1
        notes.append(
            f"{rows} of {table.path} {'fits' if one else 'fit'} no face in {source} and "
            f"{'is' if one else 'are'} left out{'' if one else '; the first'}: "
            f"{table.first_unmatched}."
        )
    return notes
