"""Tables on the terminal: no word and no number is broken, however narrow the window is."""

import io
from itertools import pairwise

import pytest
from rich.console import Console

from mien.cli import console, tables
from mien.reports.document import Table

SCORES = Table(
    ("camera", "faces", "share uncertain", "mean confidence", "mirror image disagrees"),
    (
        (
            "front of the building",
            "1,204",
            "15.8 % (9.7 to 24.4)",
            "72.8 % (68.7 to 76.8)",
            "small",
        ),
        ("side", "96", "4.2 % (1.0 to 9.0)", "", "12.9 % (7.2 to 21.1)"),
    ),
)


def printed(monkeypatch: pytest.MonkeyPatch, width: int, table: Table, *, is_boxed: bool) -> str:
    stream = io.StringIO()
    narrow = Console(file=stream, width=width, highlight=False, soft_wrap=True)
    monkeypatch.setattr(console, "output", narrow)
    monkeypatch.setattr(tables, "output", narrow)
    narrow.print(tables.boxed(table) if is_boxed else tables.plain(table))
    return stream.getvalue()


@pytest.mark.parametrize("is_boxed", [False, True])
@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_word_and_no_number_is_broken(
    monkeypatch: pytest.MonkeyPatch, width: int, is_boxed: bool
) -> None:
    text = printed(monkeypatch, width, SCORES, is_boxed=is_boxed)
    assert max(map(len, text.splitlines())) <= width
    words = text.replace("│", " ").replace("┃", " ").split()
    for cell in (*SCORES.header, *(cell for row in SCORES.rows for cell in row)):
        for word in cell.split():
            assert word in words, (word, text)


def test_columns_that_do_not_fit_stand_below_with_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = printed(monkeypatch, 45, SCORES, is_boxed=False)
    heads = [at for at, line in enumerate(text.splitlines()) if "camera" in line]
    assert len(heads) >= 2
    lines = text.splitlines()
    for first, last in pairwise([*heads, len(lines)]):
        assert any(line.startswith("side") for line in lines[first:last])
    wide = printed(monkeypatch, 200, SCORES, is_boxed=False)
    assert sum("camera" in line for line in wide.splitlines()) == 1


def test_a_table_without_rows_or_of_one_column(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "camera" in printed(monkeypatch, 60, Table(("camera", "n"), ()), is_boxed=True)
    assert "x" in printed(monkeypatch, 60, Table(("camera",), (("x",),)), is_boxed=False)
