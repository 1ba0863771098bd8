"""What a network does with faces of several groups, where nobody has said what they show."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import mien
from mien.data import read_samples
from mien.data.groups import groupings
from mien.data.sources import holds_csv
from mien.data.unlabelled import read_unlabelled
from mien.errors import DatasetError
from mien.evaluation.group_columns import Answers, alarm_measures
from mien.evaluation.groups import Grouped, compare_groups
from mien.files import atomic_folder
from mien.formats.reading import Reading
from mien.paths import check_folder
from mien.provenance import commit
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import load_detector
from mien.recognition.recognizer import Recognizer
from mien.reports.document import Code, Section, Table, to_html, to_markdown
from mien.reports.groups import GROUP_FILES, group_lines, group_tables, groups_part
from mien.reports.wording import code_words
from mien.samples import Image, Images, Split
from mien.tta import mirrored
from mien.workflows.grouping import GroupsWanted, matching_notes, search
from mien.workflows.models import open_model
from mien.workflows.progress import Progress

Faces = Literal["cropped", "photos"]
"""What the pictures are: cut out faces, as data sets have them, or photos with a face in them."""

_FILES = ("groups.json", "groups.md", "groups.html", *GROUP_FILES)
_BATCH_FACES = 256


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GroupsResult:
    """What a network does with each group; `mien groups` prints it."""

    grouped: Grouped
    """The numbers."""
    model: str
    """Name in the model's card."""
    model_sha256: str
    """Hash of its file."""
    source: str
    """Where the pictures come from."""
    command: str = ""
    """The command that measures this again."""

    @property
    def title(self) -> str:
        """Model, source and number of faces in one line."""
        return f"{self.model} on {self.source}, {self.grouped.everyone.n:,} faces without labels"

    @property
    def lines(self) -> list[str]:
        """The alarms, and what a reader must know beside them."""
        return group_lines(self.grouped, alarms=True)

    @property
    def tables(self) -> list[Table]:
        """The groups, and the gaps between them, of each column."""
        parts = self.grouped.breakdowns
        return [table for part in parts for table in group_tables(self.grouped, part)]

    def __repr__(self) -> str:
        """One line with the number of alarms."""
        return f"GroupsResult({self.title}: {len(self.grouped.found)} alarms)"

    def save(self, folder: str | Path) -> None:
        """Write ``groups.html``, ``.md``, ``.json``, ``.csv`` and a figure for each column.

        Args:
            folder: where; it may hold an older report of groups, which is replaced.

        Raises:
            OutputError: the folder cannot be written, or holds other files; it is as it was.
            MissingExtraError: matplotlib is not installed.
        """
        part = groups_part(self.grouped, alarms=True)
        facts = (
            ("model", self.model),
            ("SHA-256 of the model file", self.model_sha256),
            ("detector", self.grouped.detector or "none"),
            ("uncertain below a confidence of", f"{self.grouped.min_confidence:g}"),
            ("mien", code_words(mien.__version__, commit())),
        )
        how = Section("Measured how", (Code(self.command), Table(("fact", "value"), facts, 2)))
        sections = (*part.sections, how if self.command else replace(how, blocks=how.blocks[1:]))
        title, subtitle = "Groups without labels", self.title
        values = {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "source": self.source,
            "n": self.grouped.everyone.n,
            **part.values,
            "command": self.command,
            "mien_version": mien.__version__,
            "commit": commit(),
        }
        texts = {
            "groups.json": json.dumps(values, indent=1, allow_nan=False) + "\n",
            "groups.md": to_markdown(title, subtitle, sections),
            "groups.html": to_html(title, subtitle, sections),
        }
        with atomic_folder(Path(folder), _FILES) as temporary:
            for name, text in texts.items():
                content = text.encode("utf-8", errors="backslashreplace")
                (temporary / name).write_bytes(content)
            for name, content in part.files().items():
                (temporary / name).write_bytes(content)


def groups(
    model: str | Path,
    data: str | Path,
    groups: GroupsWanted | str | Path,
    *,
    out: str | Path | None = None,
    faces: Faces = "cropped",
    sample: int | None = None,
    reading: Reading | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> GroupsResult:
    """Compare what a model does with groups of faces that have no labels.

    Args:
        model: as in `evaluate`.
        data: a folder or zip of pictures, whatever its folders are called, or a ``fer2013.csv``;
            labels are not looked at.
        groups: a csv of groups, or what is wanted to be known of them.
        out: folder of the report; None: none is written.
        faces: ``photos``: the largest face of each picture is found and cut out; one in which none
            is found counts as missed, and has no answer.
        sample: look at so many pictures of the groups alone, drawn at random (seed 0).
        reading: what is said of a Keras file without a card.
        command: the command that measures this again, for the report.
        progress: called after each batch.

    Raises:
        OutputError: the folder cannot be written, or holds other files; it is as it was.
        ModelError, WeightsError: as `open_model`.
        SourceError, DatasetError, ImageError: the pictures or the groups cannot be read, do not fit
            each other, or no face is found at all.
        DetectorError: the detector is not there.
        MissingExtraError: Keras or matplotlib is needed and not installed.
        ValueError: ``photos`` are to be searched by the detector ``whole``.
    """
    wanted = groups if isinstance(groups, GroupsWanted) else GroupsWanted(groups)
    if faces == "photos" and wanted.detector == "whole":
        raise ValueError("photos are searched for faces; name a detector that searches")
    if out is not None:
        check_folder(Path(out), _FILES)
    opened = open_model(model, reading)
    images, names, notes = _pictures(data)
    table = wanted.read(names, str(data))
    rows = np.array([index for index, name in enumerate(names) if name in table.values])
    notes += matching_notes(table, names, str(data))
    if sample is not None and sample < len(rows):
        drawn = np.random.default_rng(0).choice(len(rows), sample, replace=False)
        notes.append(
            f"Of the {len(rows):,} faces with a group, {sample:,} were drawn at random and "
            "measured (--sample)."
        )
        rows = rows[np.sort(drawn)]
    images = images[rows] if isinstance(images, np.ndarray) else images.take(rows)
    names = [names[index] for index in rows.tolist()]
    classifier = opened.classifier(images)
    if faces == "photos":
        detector = load_detector(wanted.detector, offline=wanted.offline)
        recognizer = Recognizer(classifier, detector)
        answers = _of_photos(recognizer, images, names, progress)
        name: str | None = detector.name
        notes.append("Pictures in which no face was found have no answer and count as not found.")
    else:
        missed, name = search(images, wanted, progress)
        crops = (images[index] for index in range(len(images)))
        answers = _answers(classifier, crops, names, missed, progress)
    if not answers.answered.any():
        raise DatasetError(f"no face was found in {data}; are its pictures photos of faces?")
    divided = []
    for part in groupings(table, names, wanted.by):
        measures = alarm_measures(answers, wanted.min_confidence)
        divided.append((part.title, part.names, part.codes, measures))
    grouped = compare_groups(
        divided,
        alarm_measures(answers, wanted.min_confidence),
        min_confidence=wanted.min_confidence,
        detector=name,
        notes=notes,
    )
    result = GroupsResult(grouped, classifier.card.name, opened.sha256, str(data), command)
    if out is not None:
        result.save(out)
    return result


def _pictures(data: str | Path) -> tuple[Images, Sequence[str], list[str]]:
    """All pictures of a source, their names, and what is to be said of them.

    Labels are not looked at, nor are splits; a reader is told of these, as a network answers the
    faces that it was trained on better.
    """
    path = Path(data).expanduser()
    if holds_csv(path):
        samples = read_samples(data)
        present = [(split, int((samples.splits == split.value).sum())) for split in Split]
        parts = [f"{n:,} of {split}" for split, n in present if n]
        notes = [f"Rows of all splits are taken: {', '.join(parts)}."] if len(parts) > 1 else []
        return samples.images, samples.names, notes
    found = read_unlabelled([path])
    return found.images, found.names, []


def _answers(
    classifier: Classifier,
    crops: Iterator[Image | None],
    names: Sequence[str],
    missed: NDArray[np.bool_] | None,
    progress: Progress | None,
) -> Answers:
    """Ask about faces and their mirror images, some at a time; None is no face."""
    n_classes = len(classifier.label_set)
    plain = np.full((len(names), n_classes), np.nan)
    flipped = plain.copy()
    for start in range(0, len(names), _BATCH_FACES):
        rows = range(start, min(start + _BATCH_FACES, len(names)))
        batch = {row: crop for row, crop in zip(rows, crops, strict=False) if crop is not None}
        if batch:
            faces = list(batch.values())
            both = classifier.probabilities([*faces, *map(mirrored, faces)])
            plain[list(batch)], flipped[list(batch)] = both[: len(faces)], both[len(faces) :]
        if progress is not None:
            progress(rows.stop, len(names))
    return Answers(tuple(names), plain, flipped, classifier.label_set, missed)


def _of_photos(
    recognizer: Recognizer, images: Images, names: Sequence[str], progress: Progress | None
) -> Answers:
    """Ask about the largest face of each photo."""
    crops = (_largest_face(recognizer, images[index]) for index in range(len(images)))
    answers = _answers(recognizer.classifier, crops, names, None, progress)
    return replace(answers, missed=~answers.answered)


def _largest_face(recognizer: Recognizer, image: Image) -> Image | None:
    image_rgb = np.stack([image] * 3, axis=-1) if image.ndim == 2 else image
    found = recognizer.search(image_rgb)
    if not found.crops:
        return None
    areas = [face.box_xywh_px[2] * face.box_xywh_px[3] for face in found.faces]
    # A copy: crops may be views, which would keep the whole photo.
    return np.array(found.crops[int(np.argmax(areas))])
