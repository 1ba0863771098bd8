"""Many pictures by several processes: the same as by one, to the last byte."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import dataset_factory as factory
from command_line import mien as run_mien
from dataset_factory import ENDS_ITS_PROCESS
from mien.cli import findings
from mien.labels import FER2013
from mien.results import Expression, Face, FrameResult
from onnx_factory import write_model
from picture_factory import huge_png

OPTIONS = ("--model", "tiny.onnx", "--detector", "whole")


def test_everything_is_as_by_one_process(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    folder = factory.write_pictures(tmp_path / "in", 90)
    (folder / "a" / "broken.jpg").write_bytes((folder / "b" / "00000.jpg").read_bytes()[:300])
    (folder / "huge.png").write_bytes(huge_png())
    done = {}
    for workers in (1, 2):
        done[workers] = run_mien(
            *("recognize", "in", "--table", f"{workers}.csv", "--out", f"out{workers}"),
            *("--workers", workers, *OPTIONS),
            cwd=tmp_path,
        )
    assert done[1].returncode == done[2].returncode == 1
    assert done[1].stdout == done[2].stdout and len(done[1].stdout.splitlines()) == 91
    assert done[1].stderr == done[2].stderr and len(done[1].stderr.splitlines()) == 2
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    copies = [
        {
            path.relative_to(tmp_path / out): path.read_bytes()
            for path in (tmp_path / out).rglob("*.*")
        }
        for out in ("out1", "out2")
    ]
    assert copies[0] == copies[1] and len(copies[0]) == 90
    lines = [
        run_mien("recognize", "in", "--json", "--workers", workers, *OPTIONS, cwd=tmp_path).stdout
        for workers in (1, 2)
    ]
    assert lines[0] == lines[1]


def test_a_picture_that_ends_its_process_is_told(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    factory.write_pictures(tmp_path / "in", 70, marks={20: ENDS_ITS_PROCESS})
    arguments = ["recognize", "in", "--table", "t.csv", "--workers", 2, *OPTIONS]
    process = factory.start(arguments, tmp_path, factory.plug_in(tmp_path / "plug-in"))
    _, stderr = process.communicate(timeout=factory.PATIENCE_S)
    assert process.returncode == 1
    (line,) = stderr.splitlines()
    assert line.startswith("mien: in/b/00020.jpg ends the program that reads it")
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 70


def test_a_copy_that_cannot_be_written_ends_the_work_in_one_line(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    factory.write_pictures(tmp_path / "in", 70)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("in the way of a folder")
    done = run_mien("recognize", "in", "--out", "out/", "--workers", 2, *OPTIONS, cwd=tmp_path)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def results(names: list[str]) -> list[FrameResult]:
    random = np.random.default_rng(0)
    found = []
    for name in names:
        faces = [
            Face(
                (float(random.integers(0, 4000)), 1.0, float(random.integers(5, 999)), 7.0),
                0.9,
                (),
                Expression(FER2013, tuple(random.dirichlet(np.full(7, 0.3)).tolist())),
            )
            for _ in range(random.integers(0, 4))
        ]
        found.append(FrameResult(5000, 5000, "yunet", tuple(faces), name))
    return found


@pytest.mark.parametrize(
    ("width", "colours"), [(60, None), (60, "standard"), (160, None), (160, "standard")]
)
@pytest.mark.parametrize(
    "names",
    [
        [f"a/{number}.jpg" for number in range(60)],
        [f"a/{'long name ' * (number % 20)}{number}[red].jpg" for number in range(60)],
        [f"日本/{number}.jpg" for number in range(9)],
    ],
    ids=["short", "long", "wide"],
)
def test_rows_are_printed_as_rich_prints_one_table(
    monkeypatch: pytest.MonkeyPatch, width: int, colours: str | None, names: list[str]
) -> None:
    monkeypatch.setattr(findings, "_ROWS_AT_A_TIME", 25)
    stream = io.StringIO()
    console = Console(
        file=stream,
        highlight=False,
        soft_wrap=True,
        width=width,
        force_terminal=bool(colours),
        color_system=colours,
    )
    whole = Table(box=None, pad_edge=False)
    for title in findings.PICTURE_COLUMNS:
        folds = title == findings.PICTURE_COLUMNS[0]
        whole.add_column(
            title,
            overflow="fold" if folds else "ellipsis",
            no_wrap=not folds and title != findings.PICTURE_COLUMNS[-1],
        )
    for row in findings.picture_rows(results(names))[1]:
        whole.add_row(*map(escape, row))
    console.print(whole)
    expected = stream.getvalue()
    stream.seek(0)
    stream.truncate()
    monkeypatch.setattr(findings, "output", console)
    monkeypatch.setattr(sys, "stdout", stream)
    findings.print_pictures(results(names))
    assert stream.getvalue() == expected
    assert len(expected.splitlines()) > len(names) and os.linesep == "\n"
