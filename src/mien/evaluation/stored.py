"""Measurements read back from disk: report folders, and the history of a training.

A report keeps what was said of every face, so models can be compared without their files, their
data or the hours of measuring again. Files are checked as strangers' files are: what does not
fit is one clear error.
"""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np

from mien.broken_text import from_json, what_is_broken
from mien.errors import SourceError
from mien.evaluation.compare import Candidate
from mien.evaluation.predictions import Predictions
from mien.former_names import renamed
from mien.labels import label_set_of
from mien.results import Tta

HISTORY = "history.csv"
"""Name of the history in the folder of a training."""

_METRICS, _PREDICTIONS = "metrics.json", "predictions.csv"


def is_report(folder: Path) -> bool:
    """True for a folder that `mien.reports.report.write_report` may have written."""
    return (folder / _METRICS).is_file() and (folder / _PREDICTIONS).is_file()


def read_report(folder: Path, name: str) -> Candidate:
    """Read what a report folder says of a model.

    Args:
        folder: as `is_report` takes it.
        name: what the model is called in the comparison.

    Returns:
        The model; reports of an older mien lack some of its facts.

    Raises:
        SourceError: the files cannot be read, or contradict themselves or each other.
    """
    try:
        values = from_json((folder / _METRICS).read_text(encoding="utf-8"))
        predictions = _predictions(folder / _PREDICTIONS, values)
        if len(predictions) != values["n"]:
            raise ValueError(f"{_PREDICTIONS} has {len(predictions)} rows, not {values['n']}")
        return Candidate(
            name=name,
            predictions=predictions,
            data_sha256=str(values["data_sha256"]),
            model=str(values["model"]),
            model_sha256=str(values["model_sha256"]),
            architecture=str(values.get("architecture", "")),
            parameters=None if (count := values.get("parameters")) is None else int(count),
            chosen=dict(values.get("chosen", {})),
            cautions=tuple(map(str, values.get("cautions", ()))),
        )
    except OSError as error:
        raise SourceError(f"cannot read {error.filename}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, csv.Error) as error:
        raise SourceError(
            f"{folder} is not the report of an evaluation, or a damaged one "
            f"({what_is_broken(error)}); make it again with: mien evaluate"
        ) from error


def read_curve(history: Path) -> tuple[tuple[float, float], ...]:
    """(epoch, accuracy on its own validation faces) of a training's ``history.csv``.

    Args:
        history: the file; where it is not there, the result is empty.

    Raises:
        SourceError: the file cannot be read, or is not a history.
    """
    try:
        with history.open(newline="", encoding="utf-8") as stream:
            rows = [
                (float(row["epoch"]), float(row["val_accuracy"])) for row in csv.DictReader(stream)
            ]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SourceError(f"cannot read {history}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise SourceError(
            f"{history} is not the history of a training: {what_is_broken(error)}"
        ) from error
    return tuple(point for point in rows if all(map(math.isfinite, point)))


def _predictions(path: Path, values: dict[str, Any]) -> Predictions:
    label_set = label_set_of(tuple(values["labels"]))
    columns = [f"p_{key}" for key in label_set.keys]
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [renamed(row) for row in csv.DictReader(stream)]
    seen = [row["seen_duplicate"] for row in rows]
    tta: Tta = "flip" if values["tta"] == "flip" else "none"
    return Predictions(
        names=tuple(row["name"] for row in rows),
        labels=np.array([label_set.index(row["label"]) for row in rows], np.int64),
        probabilities=np.array([[float(row[name]) for name in columns] for row in rows]),
        label_set=label_set,
        split=str(values["split"]),
        source=str(values["source"]),
        seen_duplicate=None if "" in seen else np.array([word == "true" for word in seen]),
        tta=tta,
    )
