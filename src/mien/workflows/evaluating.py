"""Measuring a model on labelled faces: the one way, whatever asks for it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import mien
from mien import pages
from mien.data import read_samples
from mien.data.duplicates import seen_duplicates
from mien.data.ferplus import majority_labels
from mien.data.splits import without_validation_duplicates
from mien.evaluation import metrics
from mien.evaluation.groups import Grouped
from mien.evaluation.metrics import Evaluation
from mien.evaluation.predictions import Predictions, predict
from mien.evaluation.relabel import Relabelled, relabel
from mien.evaluation.stress import Stress, stress_test
from mien.formats.reading import Reading
from mien.labels import FERPLUS, LabelSet
from mien.model.card import Calibration, ModelCard
from mien.paths import check_folder
from mien.provenance import commit
from mien.reports.cautions import Provenance, cautions
from mien.reports.document import Table
from mien.reports.groups import group_lines, group_tables, groups_part
from mien.reports.parts import ReportPart
from mien.reports.report import ALL_FILES, write_report
from mien.reports.scores import classes_table, scores_table
from mien.reports.stress import stress_part
from mien.results import Tta
from mien.samples import Image, Samples, Split
from mien.workflows.grouping import GroupsWanted, group_evaluation
from mien.workflows.models import OpenModel, open_model
from mien.workflows.progress import Progress
from mien.workflows.trained_split import divided, with_validation
from mien.zoo import ARCHITECTURES

_SHOWN_FACES = 24


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What a model says of the faces of one split, and what must be known beside it."""

    predictions: Predictions
    """What it said of every face."""
    card: ModelCard
    """The model's card."""
    model_sha256: str
    """Hash of the model's file."""
    rows: Samples
    """The measured faces."""
    note: str = ""
    """What else a reader must know of the faces or labels."""
    is_carved: bool = False
    """Whether the faces are those that the model's training carved out of the training faces."""

    @property
    def example(self) -> Image:
        """The face that stands for all where one is shown: the most confident right one."""
        predictions = self.predictions
        right = np.where(predictions.correct, predictions.confidence, -1.0)
        return self.rows.images[int(np.argmax(right))]

    @property
    def data_sha256(self) -> str:
        """Hash of the measured faces."""
        return self.rows.sha256()

    @property
    def unseen_sha256(self) -> str:
        """Hash of those without a duplicate in training; empty where that is not known."""
        seen = self.predictions.seen_duplicate
        return "" if seen is None else self.rows.take(np.flatnonzero(~seen)).sha256()

    def provenance(self, command: str = "") -> Provenance:
        """Where the numbers come from.

        Args:
            command: the command that measures this again.
        """
        return Provenance(
            card=self.card,
            model_sha256=self.model_sha256,
            data_sha256=self.data_sha256,
            command=command,
            version=mien.__version__,
            commit=commit(),
            parameters=known_parameters(self.card),
            unseen_sha256=self.unseen_sha256,
            note=self.note,
        )


def measure(
    model: OpenModel,
    samples: Samples,
    split: Split,
    *,
    tta: Tta = "none",
    recipe_split: bool = False,
    progress: Progress | None = None,
) -> Measurement:
    """Ask a model about the faces of one split.

    Args:
        model: what is measured.
        samples: all rows of the source; with FER+ votes, their majorities are the labels.
        split: the rows that are measured.
        tta: test-time augmentation.
        recipe_split: divide the rows as the model's training did.
        progress: called after each batch.

    Raises:
        ModelError: the model has no ONNX form, does not fit the faces, or does not say how its
            training divided them.
        DatasetError: the split has no rows.
    """
    card, images = model.card, samples.images
    if recipe_split:
        samples = divided(samples, card)
    as_read = samples
    if split is Split.VALIDATION:
        samples = with_validation(samples, card)
    is_carved = samples is not as_read
    has_training_rows = Split.TRAIN in samples.counts()
    seen = seen_duplicates(samples) if has_training_rows and split is not Split.TRAIN else None
    relabelled = by_majority(samples, card.label_set, split)
    if relabelled is not None:
        samples = relabelled.samples
        seen = None if seen is None else seen[relabelled.kept]
    classifier = model.classifier(images)
    predictions = predict(
        classifier.probabilities,
        samples,
        split,
        model_labels=classifier.label_set,
        seen_duplicate=seen,
        tta=tta,
        progress=progress,
    )
    return Measurement(
        predictions,
        classifier.card,
        model.sha256,
        samples.of(split),
        "" if relabelled is None else relabelled.note,
        is_carved,
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EvaluationResult:
    """How good a model is; notebooks show it."""

    evaluation: Evaluation
    """The scores with their intervals."""
    measurement: Measurement
    """What they were computed from."""
    cautions: tuple[str, ...]
    """What a reader must know beside the numbers."""
    command: str = ""
    """The command that measures this again."""
    groups: Grouped | None = None
    """The same by groups; None where none were named."""
    stress: Stress | None = None
    """What damage costs; None where that was not measured."""

    @property
    def group_lines(self) -> list[str]:
        """The gaps between groups that were found, in words; empty without groups."""
        return [] if self.groups is None else group_lines(self.groups)

    @property
    def group_tables(self) -> list[Table]:
        """The groups, and the gaps between them; empty without groups."""
        grouped = self.groups
        return (
            []
            if grouped is None
            else [table for part in grouped.breakdowns for table in group_tables(grouped, part)]
        )

    @property
    def title(self) -> str:
        """Model, split, source and number of faces in one line."""
        predictions = self.measurement.predictions
        carved = ", those that its training carved out of the training faces"
        return (
            f"{self.measurement.card.name} on {predictions.split} of {predictions.source}, "
            f"{self.evaluation.n:,} faces{carved if self.measurement.is_carved else ''}"
        )

    def __repr__(self) -> str:
        """One line with the accuracy and its interval."""
        low, high = (100 * bound for bound in self.evaluation.accuracy_ci95)
        return (
            f"EvaluationResult({self.title}: accuracy {100 * self.evaluation.accuracy:.1f} % "
            f"({low:.1f} to {high:.1f}))"
        )

    def _repr_html_(self) -> str:
        tables = (scores_table(self.evaluation), classes_table(self.evaluation))
        return (
            pages.paragraph(self.title)
            + "".join(map(pages.paragraph, self.cautions))
            + "".join(
                pages.table(table.header, table.rows, numeric_from=table.numeric_from)
                for table in tables
            )
        )

    def save(self, folder: str | Path) -> None:
        """Write the report: numbers, tables, plots and pictures of faces.

        Args:
            folder: where; it may hold an older report, which is replaced, and nothing else.

        Raises:
            OutputError: the folder cannot be written, or holds other files; it is as it was.
            MissingExtraError: matplotlib is not installed.
        """
        predictions, rows = self.measurement.predictions, self.measurement.rows
        write_report(
            Path(folder),
            self.evaluation,
            predictions,
            card=self.measurement.card,
            model_sha256=self.measurement.model_sha256,
            data_sha256=self.measurement.data_sha256,
            command=self.command,
            unseen_sha256=self.measurement.unseen_sha256,
            parameters=known_parameters(self.measurement.card),
            note=self.measurement.note,
            sampled=[(row, rows.images[row]) for row in predictions.sample_rows(_SHOWN_FACES)],
            worst_errors=[
                (row, rows.images[row]) for row in predictions.confident_errors(_SHOWN_FACES)
            ],
            parts=self._parts(),
        )

    def _parts(self) -> list[ReportPart]:
        parts = [] if self.groups is None else [groups_part(self.groups)]
        if self.stress is not None:
            parts.append(stress_part(self.stress, self.measurement.example))
        return parts


def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    split: str | Split = Split.VALIDATION,
    tta: Tta = "none",
    ferplus: str | Path | None = None,
    recipe_split: bool = False,
    reading: Reading | None = None,
    groups: GroupsWanted | str | Path | None = None,
    stress: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> EvaluationResult:
    """Measure how good a model is.

    Args:
        model: ``default``, a name that ``mien models`` prints, the folder of a training, an
            ``.onnx`` file, or a Keras file.
        data: ``fer2013.csv``, or a folder or zip of class folders.
        out: folder of the report; None: no report is written.
        split: ``validation``, ``test`` or ``train``; the test split is for the last measurement
            alone.
        tta: ``"flip"`` averages each face with its mirror image.
        ferplus: ``fer2013new.csv``: measure against the majority of FER+'s annotators.
        recipe_split: divide the faces as the model's training did.
        reading: what is said of a Keras file without a card.
        groups: a csv of groups, or what is wanted to be known of them.
        stress: measure what damage costs, too, as `mien.stress` does.
        command: the command that measures this again, for the report.
        progress: called after each batch.

    Raises:
        OutputError: the folder cannot be written, or holds other files; it is as it was.
        ModelError, WeightsError: as `open_model`, and where the model does not fit the faces.
        SourceError, DatasetError: the data cannot be read, or the split has no rows; or the groups
            cannot be read, or do not fit the data.
        DetectorError: groups are wanted, and the detector is not there.
        MissingExtraError: Keras or matplotlib is needed and not installed.
        ValueError: there is no such split.
    """
    measured = Split(split)
    if out is not None:
        check_folder(Path(out), ALL_FILES)
    opened = open_model(model, reading)
    samples = read_samples(data, ferplus=ferplus)
    if groups is not None and not isinstance(groups, GroupsWanted):
        groups = GroupsWanted(groups)
    table = None if groups is None else groups.read(samples.names, samples.source)
    measurement = measure(
        opened, samples, measured, tta=tta, recipe_split=recipe_split, progress=progress
    )
    evaluation = metrics.evaluate(measurement.predictions)
    told = tuple(cautions(evaluation, measurement.provenance(command)))
    grouped = None
    if groups is not None and table is not None:
        predictions, rows = measurement.predictions, measurement.rows
        grouped = group_evaluation(predictions, rows.images, table, groups, progress)
    harmed = stress_of(opened, measurement, progress) if stress else None
    result = EvaluationResult(evaluation, measurement, told, command, grouped, harmed)
    if out is not None:
        result.save(out)
    return result


def stress_of(model: OpenModel, measurement: Measurement, progress: Progress | None) -> Stress:
    """Stress on the faces of a measurement.

    Raises:
        ModelError: as `OpenModel.classifier`.
        ImageError, DatasetError: a face's file is damaged.
    """
    images = measurement.rows.images
    classifier = model.classifier(images)
    return stress_test(
        classifier.probabilities,
        measurement.predictions,
        images,
        classifier.label_set,
        progress=progress,
    )


def known_parameters(card: ModelCard) -> int | None:
    """How many parameters a network has, where it is the zoo's own as it is listed there."""
    entry = ARCHITECTURES.get(card.architecture)
    if entry is None or card.recipe.get("architecture_options"):
        return None
    is_listed = card.input_shape == entry.default_input.shape and len(card.labels) == 7
    return entry.parameters if is_listed else None


def unseen_validation(samples: Samples) -> Samples:
    """Samples less the validation rows that have a pixel-identical duplicate in training: a
    network is more confident of what it was trained on. As they are where the source has no
    training rows."""
    return without_validation_duplicates(samples) if Split.TRAIN in samples.counts() else samples


def by_majority(samples: Samples, model_labels: LabelSet, split: Split) -> Relabelled | None:
    """Samples under the majorities of their FER+ votes; None where they have no votes.

    Args:
        samples: with or without votes.
        model_labels: the classes that the model has; faces of others are left out.
        split: the split that the note counts.
    """
    if samples.votes is None:
        return None
    return relabel(
        samples,
        majority_labels(samples.votes),
        FERPLUS,
        name="majority of the FER+ annotators",
        model_labels=model_labels,
        split=split,
    )


def calibration_line(temperature: float, fitted: Calibration) -> str:
    """What a fitted temperature did, in one line."""
    return (
        f"temperature {temperature:.4g}, fitted on {fitted.n:,} faces of the {fitted.split} "
        f"split: NLL {fitted.nll_before:.4f} -> {fitted.nll_after:.4f}, ECE "
        f"{100 * fitted.ece_before:.2f} % -> {100 * fitted.ece_after:.2f} %, "
        f"cross-fitted {100 * fitted.ece_cross_fitted:.2f} %"
    )
