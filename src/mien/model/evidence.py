"""What was found out about a model beyond its scores: for whom it works, and what it gets wrong.

Groups, disturbed pictures, faces of other cameras, confusions: each is one `Evidence`, a sentence
and a small table with the command that made it. It travels in the model's card, or in a file
beside it, so that whatever measures something can hand it over in one form.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from mien.broken_text import what_is_broken
from mien.errors import ModelError

Kind = Literal[
    "unseen faces", "other faces", "groups", "disturbed pictures", "confusions", "fault", "use"
]
"""What a piece of evidence is about; unseen faces are like those of the training, such as another
split of the same collection, other faces are from other cameras or places."""

MAX_FILE_BYTES = 8 << 20
"""Larger files are refused before they are read."""
_MAX_CELLS = 10_000
_MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that is known of a model.

    Raises:
        ValueError: a field is of another type, too long, or the rows do not fit the header.
    """

    kind: Kind
    """What it is about."""
    title: str
    """What was measured, on what, e.g. ``Accuracy by age``."""
    text: str
    """What it says, in one sentence or two."""
    header: tuple[str, ...] = ()
    """Titles of the table's columns; empty where there is no table."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Cells of the table, as text."""
    measured_by: str = ""
    """The command that measured it, or who did and how."""
    data_sha256: str = ""
    """Hash of the measured rows (`Samples.sha256`), where there is one."""
    commit: str = ""
    """Commit of mien that measured it."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, not {self.kind!r}")
        texts = [self.title, self.text, self.measured_by, self.data_sha256, self.commit]
        texts += [*self.header, *(cell for row in self.rows for cell in row)]
        if not all(isinstance(text, str) and len(text) <= _MAX_TEXT for text in texts):
            raise ValueError(f"title, text and cells must be texts of up to {_MAX_TEXT} characters")
        if not self.title.strip() or not self.text.strip():
            raise ValueError("title and text must not be empty")
        if any(len(row) != len(self.header) for row in self.rows):
            raise ValueError(f"expected rows of {len(self.header)} cells, as the header has")
        if len(self.header) * len(self.rows) > _MAX_CELLS:
            raise ValueError(f"a table of more than {_MAX_CELLS:,} cells is too large for a card")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values, without empty fields."""
        return {name: value for name, value in asdict(self).items() if value}


def evidence_of(values: object) -> Evidence:
    """Evidence of JSON values.

    Raises:
        ValueError: they are not those of one piece of evidence.
    """
    if not isinstance(values, Mapping):
        raise ValueError("expected an object")
    unknown = set(values) - {field.name for field in fields(Evidence)}
    if unknown:
        raise ValueError(f"unknown field {sorted(map(str, unknown))[0]!r}")
    missing = {"kind", "title", "text"} - set(values)
    if missing:
        raise ValueError(f"no field {sorted(missing)[0]!r}")
    header, rows = values.get("header", ()), values.get("rows", ())
    if not isinstance(header, list | tuple) or not isinstance(rows, list | tuple):
        raise ValueError("header and rows must be lists")
    if not all(isinstance(row, list | tuple) for row in rows):
        raise ValueError("each row must be a list")
    given = {**values, "header": tuple(header), "rows": tuple(tuple(row) for row in rows)}
    return Evidence(**given)


def read_evidence_file(path: Path) -> object:
    """The JSON values of a file of evidence, not looked at yet.

    Raises:
        ModelError: the file is not there, too large, or no JSON.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > MAX_FILE_BYTES:
        raise ModelError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB, so no evidence file")
    try:
        values: object = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no evidence file: {what_is_broken(error)}; {_FORM}") from error
    return values


_FORM = (
    "it is JSON with kind, title, text, and header and rows for a table (docs/cards.md), or the "
    "report of mien stress or groups"
)


def evidence_in(values: object, path: Path) -> tuple[Evidence, ...]:
    """The evidence in a file's values: an object, or a list of them.

    Args:
        values: as `read_evidence_file` gives them.
        path: the file, for messages.

    Raises:
        ModelError: they are something else.
    """
    try:
        listed = values if isinstance(values, list) else [values]
        return tuple(evidence_of(each) for each in listed)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path} is no evidence file: {what_is_broken(error)}; {_FORM}") from error


def write_evidence_text(evidence: tuple[Evidence, ...]) -> str:
    """Evidence as the JSON text that `read_evidence_file` reads."""
    return json.dumps([each.as_dict() for each in evidence], indent=1, ensure_ascii=False) + "\n"
