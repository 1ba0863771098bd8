"""FER+: ten annotators' votes for every FER-2013 row, and what becomes of them.

``fer2013new.csv`` has one row for each row of the FER-2013 csv, in its order. The rules by which
votes become labels are those that Barsoum et al. published with the votes; they are stated at
`majority_labels` and `label_distributions`.

Source: Barsoum, Zhang, Canton Ferrer, Zhang: "Training deep networks for facial expression
recognition with crowd-sourced label distribution", ICMI 2016, https://arxiv.org/abs/1608.01041.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.broken_text import what_is_broken
from mien.data.fer_csv import SPLIT_OF_USAGE
from mien.errors import DatasetError, SourceError
from mien.labels import FERPLUS, FERPLUS_VOTE_COLUMNS

VOTE_COLUMNS = 10
"""Vote columns of the file: eight expressions, unknown, not a face."""

NOT_A_FACE = 9
"""Position of the votes for *not a face*."""

_EXPRESSIONS = len(FERPLUS_VOTE_COLUMNS)
_LABEL_OF_COLUMN = np.array([FERPLUS.index(label.key) for label in FERPLUS_VOTE_COLUMNS])


def read_votes(path: Path, splits: NDArray[np.str_]) -> NDArray[np.int64]:
    """Read the votes for the rows of a FER-2013 csv.

    Args:
        path: ``fer2013new.csv``.
        splits: the csv's `Split` values, (n,), which the file's Usage column must repeat.

    Returns:
        int64 (n, 10), in the file's column order. A row with an empty image name, which FER+
        drops as not a face, keeps at most its votes for that.

    Raises:
        SourceError: there is no such file, or it may not be read.
        DatasetError: the file contradicts its format or belongs to another csv.
    """
    rows = _read_rows(path)
    if len(rows) != len(splits):
        raise DatasetError(
            f"{path} has {len(rows):,} rows but the samples have {len(splits):,}; "
            "give the FER+ file and the FER-2013 csv of the same edition"
        )
    votes = np.zeros((len(rows), VOTE_COLUMNS), dtype=np.int64)
    for index, (number, row) in enumerate(rows):
        votes[index] = _votes_of(path, number, row, str(splits[index]))
    return votes


def majority_labels(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that most annotators saw.

    Single votes are removed as outliers. The winner needs more than half of the votes that
    remain; a row without one, or whose winner is *unknown* or *not a face*, is dropped.

    Args:
        votes: int (n, 10) in the file's column order.

    Returns:
        Class index in `labels.FERPLUS`, (n,); -1 where the row is dropped.
    """
    kept = _without_single_votes(votes)
    winner = kept.argmax(axis=1)
    decided = (2 * kept.max(axis=1, initial=0) > kept.sum(axis=1)) & (winner < _EXPRESSIONS)
    return np.where(decided, _LABEL_OF_COLUMN[np.minimum(winner, _EXPRESSIONS - 1)], -1)


def label_distributions(
    votes: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How the annotators' votes are spread over the expressions.

    Single votes are removed as outliers. A row is dropped where *unknown* or *not a face* has
    at least as many votes as every expression, or where no vote remains. From the others those
    two columns are removed, and the rest is normalised.

    Args:
        votes: int (n, 10) in the file's column order.

    Returns:
        float32 (n, 8) over `labels.FERPLUS` in its order, rows that sum to 1, or zeros where the
        row is dropped; and weights float32 (n,), 1, or 0 where the row is dropped.
    """
    kept = _without_single_votes(votes)
    expressions = kept[:, :_EXPRESSIONS]
    in_use = expressions.max(axis=1, initial=0) > kept[:, _EXPRESSIONS:].max(axis=1, initial=0)
    ordered = np.zeros((len(votes), len(FERPLUS)), dtype=np.float32)
    ordered[:, _LABEL_OF_COLUMN] = expressions
    totals = np.maximum(ordered.sum(axis=1, keepdims=True), 1)
    weights = in_use.astype(np.float32)
    return ordered / totals * weights[:, np.newaxis], weights


def not_a_face(votes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows in which *not a face* has more votes than any other column, (n,)."""
    others = np.delete(votes, NOT_A_FACE, axis=1)
    result: NDArray[np.bool_] = votes[:, NOT_A_FACE] > others.max(axis=1, initial=0)
    return result


def _without_single_votes(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(votes > 1, votes, 0)


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """The file's rows with their numbers in a text editor, without the header."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if row]
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {path}") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{path} is not the FER+ csv ({what_is_broken(error)}); give fer2013new.csv"
        ) from error
    if header[:2] != ["usage", "image name"] or len(header) != 2 + VOTE_COLUMNS:
        raise DatasetError(
            f"{path} is not the FER+ csv: expected the columns Usage, Image name and "
            f"{VOTE_COLUMNS} of votes; give fer2013new.csv"
        )
    for name, label in zip(header[2:], FERPLUS_VOTE_COLUMNS, strict=False):
        if name not in FERPLUS or FERPLUS[FERPLUS.index(name)] is not label:
            raise DatasetError(
                f"{path} has the column '{name}' where FER+ has {label.key}; give fer2013new.csv"
            )
    return rows


def _votes_of(path: Path, number: int, row: list[str], split: str) -> list[int]:
    if len(row) != 2 + VOTE_COLUMNS:
        raise DatasetError(
            f"{path}: row {number} has {len(row)} columns, expected {2 + VOTE_COLUMNS}; "
            "get a complete copy"
        )
    usage = row[0].strip()
    if SPLIT_OF_USAGE.get(usage) != split:
        raise DatasetError(
            f"{path}: row {number} has the Usage '{usage}' but the FER-2013 csv has a row for "
            f"{split} there; give the two files of the same edition"
        )
    texts = [text.strip() for text in row[2:]]
    if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in texts):
        raise DatasetError(
            f"{path}: row {number} has votes that are no whole numbers; get a complete copy"
        )
    votes = [int(text) for text in texts]
    return votes if row[1].strip() else [0] * NOT_A_FACE + votes[NOT_A_FACE:]
