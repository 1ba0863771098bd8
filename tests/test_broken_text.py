"""What parsers refuse, told in words that name the line and the cause."""

import csv
import json
import tomllib
from collections.abc import Callable

import pytest

from mien.broken_text import number, what_is_broken, whole_number


def refused(parse: Callable[[str], object], text: str) -> Exception:
    with pytest.raises((ValueError, csv.Error, RecursionError)) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":', "line 1: a value is missing"),
        ('{"a": 1,\n "b" 2}', "line 2: a colon is missing"),
        ('{"a": 1\n "b": 2}', "line 2: a comma or a closing bracket is missing"),
        ('{"a": "x', "line 1: a text has no closing quotation mark"),
        ('{"a": "x\n"}', "line 1: a text has no closing quotation mark in its line"),
        ("{a: 1}", "line 1: a name in double quotation marks is missing"),
        ("{} {}", "line 1: something follows after its end"),
        ("[" * 200_000, "brackets are nested too deeply"),
    ],
)
def test_json(text: str, words: str) -> None:
    assert what_is_broken(refused(json.loads, text)).startswith(words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('a = "x"\ntitle = "x\n', "line 2: a text has no closing quotation mark in its line"),
        ('title = "x', "at the end: a text has no closing quotation mark"),
        ("title = x\n", "line 1: a text is not in quotation marks"),
        ('title "x"\n', "line 1: an equals sign is missing after a name"),
        ('a = "x"\na = "y"\n', "line 2: a name occurs twice"),
        ('a = "x" "y"\n', "line 1: something follows after a value"),
    ],
)
def test_toml(text: str, words: str) -> None:
    assert what_is_broken(refused(tomllib.loads, text)).startswith(words)


def test_csv_and_encodings() -> None:
    def rows(text: str) -> object:
        return list(csv.reader(text.splitlines(keepends=True), strict=True))

    error = refused(rows, 'a,b\n"x,y\n')
    assert what_is_broken(error, line=2) == "line 2: a quotation mark is not closed"
    error = refused(rows, 'a,b\n"x"z,y\n')
    assert "follows a closing quotation mark" in what_is_broken(error, line=2)
    error = refused(lambda text: text.encode("latin-1").decode("utf-8"), "\xe9")
    assert what_is_broken(error) == "it is no text in UTF-8"


def test_numbers() -> None:
    assert number("1.5", "time_s") == 1.5 and whole_number("7", "frame") == 7
    with pytest.raises(ValueError, match="time_s is 'soon', which is no number"):
        number("soon", "time_s")
    with pytest.raises(ValueError, match="track is empty, which is no whole number"):
        whole_number("", "track")
    with pytest.raises(ValueError, match="frame is empty"):
        whole_number(None, "frame")
    with pytest.raises(ValueError, match="no whole number"):
        whole_number(float("inf"), "frame")
