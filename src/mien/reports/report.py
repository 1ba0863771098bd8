"""The report folder of an evaluation: files for programs and files for people.

`metrics.json` and `predictions.csv` hold everything that was measured, `report.html` stands
alone and fits a paper's appendix, `report.md` says the same, and the plots lie beside them. The
folder appears complete or not at all. No date is written: the same model and faces give the same
report.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mien
from mien.evaluation.metrics import Evaluation
from mien.evaluation.predictions import Predictions
from mien.files import atomic_folder
from mien.former_names import with_former_names
from mien.model.card import ModelCard
from mien.provenance import commit
from mien.reports.cautions import Provenance, cautions
from mien.reports.classification_report import (
    Averages,
    classification_report,
    macro_average,
    weighted_average,
)
from mien.reports.content import (
    ERRORS_PNG,
    SAMPLES_PNG,
    error_gallery,
    report_sections,
    sample_gallery,
)
from mien.reports.document import Faces, Plot, to_html, to_markdown
from mien.reports.face_grid import classified_faces
from mien.reports.groups import GROUP_FILES
from mien.reports.parts import ReportPart
from mien.reports.stress import STRESS_FILES
from mien.samples import Image

REPORT_FILES = (
    "metrics.json",
    "predictions.csv",
    "classification_report.txt",
    "confusion_matrix.png",
    "confusion_counts.png",
    "per_class_f1.png",
    "reliability.png",
    "coverage.png",
    SAMPLES_PNG,
    ERRORS_PNG,
    "report.md",
    "report.html",
)
"""Every file of the folder."""

OPTIONAL_FILES = (*GROUP_FILES, *STRESS_FILES)
"""Files that it may hold, too."""

ALL_FILES = (*REPORT_FILES, *OPTIONAL_FILES)
"""What a new report may replace."""


def write_report(
    out: Path,
    evaluation: Evaluation,
    predictions: Predictions,
    *,
    card: ModelCard,
    model_sha256: str,
    data_sha256: str,
    command: str,
    unseen_sha256: str = "",
    parameters: int | None = None,
    sampled: Sequence[tuple[int, Image]] = (),
    worst_errors: Sequence[tuple[int, Image]] = (),
    note: str = "",
    parts: Sequence[ReportPart] = (),
) -> list[str]:
    """Write the report folder, or replace an older report in it.

    Args:
        out: the folder; it is created, with those above it.
        evaluation: the numbers.
        predictions: the table that they come from.
        card: the measured model's card.
        model_sha256: hash of its file.
        data_sha256: hash of the measured rows, `Samples.sha256` of the split.
        command: command that measures this again.
        unseen_sha256: hash of the measured rows less those with a duplicate in training.
        parameters: how many the model has; None where that is not known.
        sampled: faces drawn at random, (row of ``predictions``, its picture) each, shown in
            this order; see `Predictions.sample_rows`.
        worst_errors: the most confident errors with their pictures; see
            `Predictions.confident_errors`.
        note: what else a reader must know of the faces or labels, e.g. `Relabelled.note`.
        parts: what else was measured, shown before the pictures of faces.

    Returns:
        What a reader must know beside the numbers: the note, what could make the result look
        better than it is, and what could not be checked. The report says the same.

    Raises:
        OutputError: the folder cannot be written, or holds other files; it is as it was.
        MissingExtraError: matplotlib is not installed.
    """
    provenance = Provenance(
        card=card,
        model_sha256=model_sha256,
        data_sha256=data_sha256,
        command=command,
        version=mien.__version__,
        commit=commit(),
        parameters=parameters,
        unseen_sha256=unseen_sha256,
        note=note,
    )
    galleries = (
        sample_gallery(classified_faces(predictions, sampled), evaluation.split),
        error_gallery(classified_faces(predictions, worst_errors), evaluation.split),
    )
    more = [section for part in parts for section in part.sections]
    sections = report_sections(evaluation, predictions, provenance, *galleries, more)
    title = f"{card.name} on {evaluation.split}"
    subtitle = f"Evaluation on {evaluation.n:,} faces of {predictions.source}"
    plots = (block for part in sections for block in part.blocks if isinstance(block, Plot))
    pictures: list[Plot | Faces] = [*plots, *galleries]
    extra = {name: content for part in parts for name, content in part.files().items()}
    files = {
        "metrics.json": metrics_json(evaluation, predictions, provenance, parts).encode(),
        "predictions.csv": _encoded(predictions_csv(predictions)),
        "classification_report.txt": classification_report(evaluation).encode(),
        "report.md": _encoded(to_markdown(title, subtitle, sections)),
        "report.html": _encoded(to_html(title, subtitle, sections)),
    } | {picture.file_name: picture.png for picture in pictures}
    with atomic_folder(out, OPTIONAL_FILES) as folder:
        for name in (*REPORT_FILES, *extra):
            (folder / name).write_bytes((files | extra)[name])
    return cautions(evaluation, provenance)


def metrics_json(
    evaluation: Evaluation,
    predictions: Predictions,
    provenance: Provenance,
    parts: Sequence[ReportPart] = (),
) -> str:
    """Every number, as JSON with a fixed order of keys; what is unknown is null."""
    card = provenance.card
    values: dict[str, Any] = {
        "split": evaluation.split,
        "source": predictions.source,
        "note": provenance.note or None,
        "n": evaluation.n,
        "accuracy": evaluation.accuracy,
        "accuracy_ci95": evaluation.accuracy_ci95,
        "accuracy_unseen": evaluation.accuracy_unseen,
        "accuracy_unseen_ci95": evaluation.accuracy_unseen_ci95,
        "n_seen_duplicates": evaluation.n_seen_duplicates,
        "balanced_accuracy": evaluation.balanced_accuracy,
        "balanced_accuracy_ci95": evaluation.balanced_accuracy_ci95,
        "macro_f1": evaluation.macro_f1,
        "macro_f1_ci95": evaluation.macro_f1_ci95,
        "nll": evaluation.nll,
        "brier": evaluation.brier,
        "ece": evaluation.ece,
        "ece_cross_fitted": evaluation.ece_cross_fitted,
        "ece_by_chance": evaluation.ece_by_chance,
        "temperature": card.temperature,
        "calibration": None if card.calibration is None else asdict(card.calibration),
        "per_class": {
            score.key: {
                "support": score.support,
                "predicted": score.predicted,
                "precision": score.precision,
                "recall": score.recall,
                "f1": score.f1,
                "f1_ci95": score.f1_ci95,
            }
            for score in evaluation.per_class
        },
        "averages": {
            "macro": _averages(macro_average(evaluation.per_class)),
            "weighted": _averages(weighted_average(evaluation.per_class)),
        },
        "labels": evaluation.label_set.keys,
        "confusion_matrix": evaluation.confusion_matrix.tolist(),
        "reliability": [
            {"lower": b.lower, "upper": b.upper, "n": b.n}
            | {"confidence": b.confidence, "accuracy": b.accuracy}
            for b in evaluation.reliability
        ],
        "coverage": [
            {"coverage": p.coverage, "accuracy": p.accuracy, "threshold": p.threshold}
            | {"gain": p.accuracy - evaluation.accuracy}
            for p in evaluation.coverage
        ],
        "min_confidence": [asdict(row) for row in evaluation.answered],
        "bootstrap": {"resamples": evaluation.n_resamples, "seed": evaluation.seed},
        **{part.key: part.values for part in parts},
        "tta": predictions.tta,
        "model": card.name,
        "architecture": card.architecture,
        "parameters": provenance.parameters,
        "chosen": card.chosen,
        "cautions": cautions(evaluation, provenance),
        "model_sha256": provenance.model_sha256,
        "data_sha256": provenance.data_sha256,
        "command": provenance.command,
        "mien_version": provenance.version,
        "commit": provenance.commit,
    }
    return json.dumps(with_former_names(values), indent=1, allow_nan=False) + "\n"


def predictions_csv(predictions: Predictions) -> str:
    """One line per face: name, label, predicted, confidence, correct, seen_duplicate, its
    former name seen_twin, p_KEY ..."""
    keys = predictions.label_set.keys
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["name", "label", "predicted", "confidence", "correct"]
        + list(with_former_names({"seen_duplicate": None}))
        + [f"p_{key}" for key in keys]
    )
    predicted, confidence = predictions.predicted, predictions.confidence
    for row, name in enumerate(predictions.names):
        seen = None if predictions.seen_duplicate is None else bool(predictions.seen_duplicate[row])
        writer.writerow(
            [
                name,
                keys[predictions.labels[row]],
                keys[predicted[row]],
                f"{confidence[row]:.8g}",
                _word(bool(predicted[row] == predictions.labels[row])),
                *with_former_names(
                    {"seen_duplicate": "" if seen is None else _word(seen)}
                ).values(),
                *(f"{value:.8g}" for value in predictions.probabilities[row]),
            ]
        )
    return stream.getvalue()


def _averages(mean: Averages) -> dict[str, float]:
    return {"precision": mean.precision, "recall": mean.recall, "f1": mean.f1}


def _encoded(text: str) -> bytes:
    # File names that are no valid text must not spoil a report.
    return text.encode("utf-8", errors="backslashreplace")


def _word(value: bool) -> str:
    return "true" if value else "false"
