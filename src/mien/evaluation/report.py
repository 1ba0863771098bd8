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
from pathlib import Path
from typing import Any

import mien
from mien.errors import OutputError
from mien.evaluation.content import Provenance, cautions, report_sections
from mien.evaluation.document import Plot, to_html, to_markdown
from mien.evaluation.metrics import Evaluation
from mien.evaluation.predictions import Predictions
from mien.files import atomic_folder
from mien.model_card import ModelCard
from mien.provenance import commit
from mien.samples import Image

REPORT_FILES = (
    "metrics.json",
    "predictions.csv",
    "confusion_matrix.png",
    "per_class_f1.png",
    "reliability.png",
    "coverage.png",
    "report.md",
    "report.html",
)
"""Every file of the folder."""

_THUMBNAIL_PX = 144


def check_report_folder(out: Path) -> None:
    """Fail before the work where `write_report` would refuse the folder after it.

    Raises:
        OutputError: ``out`` is a file, or holds files that are not a report's.
    """
    try:
        foreign = sorted({path.name for path in out.iterdir()} - set(REPORT_FILES))
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise OutputError(f"{out} is a file; name another folder") from error
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror}") from error
    if foreign:
        raise OutputError(f"{out} holds other files ({foreign[0]}); name another folder")


def write_report(
    out: Path,
    evaluation: Evaluation,
    predictions: Predictions,
    *,
    card: ModelCard,
    model_sha256: str,
    data_sha256: str,
    command: str,
    worst_errors: Sequence[tuple[int, Image]] = (),
    note: str = "",
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
        worst_errors: (row of ``predictions``, its picture) each, shown in this order; see
            `Predictions.confident_errors`.
        note: what else a reader must know of the faces or labels, e.g. `Relabelled.note`.

    Returns:
        What a reader must know beside the numbers: the note, what could make the result look
        better than it is, and what could not be checked. The report says it, too.

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
        note=note,
    )
    errors = tuple(
        (_thumbnail(image), _error_caption(predictions, row)) for row, image in worst_errors
    )
    sections = report_sections(evaluation, predictions, provenance, errors)
    title = f"{card.name} on {evaluation.split}"
    subtitle = f"Evaluation on {evaluation.n:,} faces of {predictions.source}"
    plots = [block for part in sections for block in part.blocks if isinstance(block, Plot)]
    files = {
        "metrics.json": metrics_json(evaluation, predictions, provenance).encode(),
        "predictions.csv": _encoded(predictions_csv(predictions)),
        "report.md": _encoded(to_markdown(title, subtitle, sections)),
        "report.html": _encoded(to_html(title, subtitle, sections)),
    } | {plot.file_name: plot.png for plot in plots}
    with atomic_folder(out) as folder:
        for name in REPORT_FILES:
            (folder / name).write_bytes(files[name])
    return cautions(evaluation, provenance)


def metrics_json(evaluation: Evaluation, predictions: Predictions, provenance: Provenance) -> str:
    """Every number, as JSON with a fixed order of keys; what is unknown is null."""
    values: dict[str, Any] = {
        "split": evaluation.split,
        "source": predictions.source,
        "note": provenance.note or None,
        "n": evaluation.n,
        "accuracy": evaluation.accuracy,
        "accuracy_ci95": evaluation.accuracy_ci95,
        "accuracy_unseen": evaluation.accuracy_unseen,
        "accuracy_unseen_ci95": evaluation.accuracy_unseen_ci95,
        "n_seen_twins": evaluation.n_seen_twins,
        "balanced_accuracy": evaluation.balanced_accuracy,
        "balanced_accuracy_ci95": evaluation.balanced_accuracy_ci95,
        "macro_f1": evaluation.macro_f1,
        "macro_f1_ci95": evaluation.macro_f1_ci95,
        "nll": evaluation.nll,
        "brier": evaluation.brier,
        "ece": evaluation.ece,
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
        "labels": evaluation.label_set.keys,
        "confusion_matrix": evaluation.confusion_matrix.tolist(),
        "reliability": [
            {"lower": b.lower, "upper": b.upper, "n": b.n}
            | {"confidence": b.confidence, "accuracy": b.accuracy}
            for b in evaluation.reliability
        ],
        "coverage": [
            {"coverage": p.coverage, "accuracy": p.accuracy, "threshold": p.threshold}
            for p in evaluation.coverage
        ],
        "bootstrap": {"resamples": evaluation.n_resamples, "seed": evaluation.seed},
        "tta": predictions.tta,
        "model": provenance.card.name,
        "model_sha256": provenance.model_sha256,
        "data_sha256": provenance.data_sha256,
        "command": provenance.command,
        "mien_version": provenance.version,
        "commit": provenance.commit,
    }
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def predictions_csv(predictions: Predictions) -> str:
    """One line per face: name, label, predicted, confidence, correct, seen_twin, p_KEY ..."""
    keys = predictions.label_set.keys
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["name", "label", "predicted", "confidence", "correct", "seen_twin"]
        + [f"p_{key}" for key in keys]
    )
    predicted, confidence = predictions.predicted, predictions.confidence
    for row, name in enumerate(predictions.names):
        seen = None if predictions.seen_twin is None else bool(predictions.seen_twin[row])
        writer.writerow(
            [
                name,
                keys[predictions.labels[row]],
                keys[predicted[row]],
                f"{confidence[row]:.8g}",
                _word(bool(predicted[row] == predictions.labels[row])),
                "" if seen is None else _word(seen),
                *(f"{value:.8g}" for value in predictions.probabilities[row]),
            ]
        )
    return stream.getvalue()


def _error_caption(predictions: Predictions, row: int) -> str:
    labels = predictions.label_set
    return (
        f"labelled {labels[int(predictions.labels[row])].display_name}\n"
        f"judged {labels[int(predictions.predicted[row])].display_name}, "
        f"{100 * predictions.confidence[row]:.1f} %\n{predictions.names[row]}"
    )


def _thumbnail(image: Image) -> bytes:
    from PIL import Image as PillowImage

    picture = PillowImage.fromarray(image)
    picture.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    stream = io.BytesIO()
    picture.save(stream, format="png")
    return stream.getvalue()


def _encoded(text: str) -> bytes:
    # File names that are no valid text must not spoil a report.
    return text.encode("utf-8", errors="backslashreplace")


def _word(value: bool) -> str:
    return "true" if value else "false"
