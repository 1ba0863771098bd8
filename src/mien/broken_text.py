"""What is wrong with a text file, and in which line, in words for people.

Parsers of JSON, TOML and csv say it in terms of their own grammars ("Expecting value: line 1
column 6 (char 5)"). A person who saved a file in an editor or a spreadsheet is told here which
line to look at and what is missing there.
"""

import csv
import json
import re
import tomllib
from typing import Any

_JSON = (
    ("Expecting value", "a value is missing or not in quotation marks"),
    ("Expecting property name", "a name in double quotation marks is missing"),
    ("Expecting ',' delimiter", "a comma or a closing bracket is missing"),
    ("Expecting ':' delimiter", "a colon is missing"),
    ("Unterminated string", "a text has no closing quotation mark"),
    ("Invalid control character", "a text has no closing quotation mark in its line"),
    ("Invalid \\", "a backslash stands alone in a text"),
    ("Illegal trailing comma", "a comma stands before a closing bracket"),
    ("Extra data", "something follows after its end"),
)
_TOML = (
    ("Illegal character '\\n'", "a text has no closing quotation mark in its line"),
    ("Illegal character", "a text has a character that TOML does not allow"),
    ("Unterminated string", "a text has no closing quotation mark"),
    ("Expected '=' after", "an equals sign is missing after a name"),
    ("Expected newline or end of document", "something follows after a value"),
    ("Cannot overwrite a value", "a name occurs twice"),
    ("Invalid value", "a text is not in quotation marks"),
    ("Unescaped '\\'", "a backslash stands alone in a text"),
    ("Invalid statement", "there is neither a name nor a comment"),
)
_CSV = (
    ("unexpected end of data", "a quotation mark is not closed"),
    ("expected after", "something follows a closing quotation mark in its cell"),
    ("field larger than", "a cell is too long; is a quotation mark not closed?"),
    ("NUL", "it holds a zero byte"),
    ("new-line character", "a cell holds a bare carriage return"),
)
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_NUMBERS = (ValueError, TypeError, OverflowError)


def what_is_broken(error: Exception, *, line: int | None = None) -> str:
    """What a parser refused, in words; with the line where it is known.

    Args:
        error: what ``json``, ``tomllib``, ``csv`` or decoding raised.
        line: where the text stands that was parsed, for those who parse one line at a time and
            for csv, whose errors name no line.

    Returns:
        For example ``line 3: a comma or a closing bracket is missing``. The text of an error that
        is none of a parser's is given as it is.
    """
    if isinstance(error, json.JSONDecodeError):
        return _placed(line or error.lineno, _cause(error.msg, _JSON, "it is no JSON"))
    if isinstance(error, tomllib.TOMLDecodeError):
        found = _LINE.search(str(error))
        at_end = "at the end" if "end of document" in str(error) else None
        return _placed(
            int(found[1]) if found else at_end, _cause(str(error), _TOML, "it is no TOML")
        )
    if isinstance(error, csv.Error):
        return _placed(line, _cause(str(error), _CSV, "it is no csv"))
    if isinstance(error, UnicodeDecodeError):
        return _placed(line, "it is no text in UTF-8")
    if isinstance(error, RecursionError):
        return _placed(line, "brackets are nested too deeply")
    if isinstance(error, KeyError):
        return _placed(line, f"it has no {error.args[0]}" if error.args else "something is missing")
    return _placed(line, str(error))


def from_json(text: str) -> Any:
    """What a JSON text of a file holds.

    Raises:
        ValueError: it is no JSON, or nested so deeply that Python gives up.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None


def number(text: object, name: str) -> float:
    """A number of a cell.

    Args:
        text: the cell.
        name: of its column, for the message.

    Raises:
        ValueError: it is none; says so in words.
    """
    try:
        return float(text)  # type: ignore[arg-type]
    except _NUMBERS:
        raise ValueError(f"{name} is {_quoted(text)}, which is no number") from None


def whole_number(text: object, name: str) -> int:
    """A whole number of a cell; as `number`."""
    try:
        return int(text)  # type: ignore[call-overload, no-any-return]
    except _NUMBERS:
        raise ValueError(f"{name} is {_quoted(text)}, which is no whole number") from None


def _quoted(value: object) -> str:
    if value in (None, ""):
        return "empty"
    text = str(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _placed(place: int | str | None, cause: str) -> str:
    if place is None:
        return cause
    return f"line {place:,}: {cause}" if isinstance(place, int) else f"{place}: {cause}"


def _cause(text: str, words: tuple[tuple[str, str], ...], otherwise: str) -> str:
    return next((cause for beginning, cause in words if beginning in text), otherwise)
