"""``mien summarize`` as people run it."""

import pytest

from command_line import mien
from mien.labels import FER2013
from mien.outputs.tables import write_table
from mien.results import Expression, Face, FrameResult

KEYS = FER2013.keys


def video(source, *indices):
    for number, index in enumerate(indices):
        values = [0.0] * len(KEYS)
        values[index] = 1.0
        shows = Expression(FER2013, tuple(values))
        face = Face((1.0, 2.0, 30.0, 40.0), 0.9, (), shows, 1, shows)
        yield FrameResult(64, 64, "x", (face,), source, number, number / 25)


@pytest.fixture
def folder(tmp_path):
    frames = []
    for number in range(3):
        happy = [3] * (25 * (number + 1))
        frames += video(f"p{number}_film.mp4", *[6] * 100, *happy)
        frames += video(f"p{number}_task.mp4", *[6] * 150)
    write_table(tmp_path / "faces.csv", frames, KEYS, of_videos=True)
    lines = [f"p{n}_{c}.mp4,p{n},{c}" for n in range(3) for c in ("film", "task")]
    (tmp_path / "files.csv").write_text("\n".join(["source,person,condition", *lines]))
    return tmp_path


def test_it_prints_a_table_and_writes_a_folder(folder):
    done = mien(
        *("summarize", "faces.csv", "--conditions", "files.csv", "--group-by", "condition"),
        *("--baseline", "0-2", "--out", "summary"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("6 videos, 3 persons, seen for 0.6 minutes")
    assert lines[1].split()[:4] == ["condition", "expression", "share", "of"]
    (film,) = (line for line in lines if line.startswith("film") and "Happy" in line)
    # 1 of 5, 2 of 6, 3 of 7 seconds
    assert "32.1 % (3.5 to 60.6)" in film and "4.0 s" in film
    assert lines[-1] == "in brackets: 95 % intervals over persons"
    assert "page: summary/summary.html" in done.stderr.replace("\n", "")
    names = {path.name for path in (folder / "summary").iterdir()}
    assert names == {"groups.csv", "persons.csv", "differences.csv", "summary.html"}


def test_one_person_has_no_brackets(folder):
    write_table(folder / "one.csv", video("a.mp4", *[3] * 50), KEYS, of_videos=True)
    done = mien("summarize", "one.csv", cwd=folder)
    assert done.returncode == 0 and "in brackets" not in done.stdout
    assert "Happy" in done.stdout and "100.0 %" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("faces.csv", "--group-by", "condition"), "--group-by condition: no such column"),
        (("none.csv",), "cannot read none.csv"),
        (("faces.csv", "--baseline", "100-120"), "100 s lies outside p0_film.mp4"),
        (("files.csv",), "files.csv is no table of faces"),
        (("faces.csv", "--conditions", "faces.csv"), "a part of p0_film.mp4 is in two of them"),
    ],
)
def test_what_is_wrong_is_one_line(folder, words, expected):
    done = mien("summarize", *words, "--out", "summary", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("mien: ") and done.stderr.count("\n") == 1
    assert expected in done.stderr and len(done.stderr) < 300
    assert not (folder / "summary").exists()


def test_wrong_usage(folder):
    done = mien("summarize", "faces.csv", "--parquet", cwd=folder)
    assert done.returncode == 2 and "needs --out DIR" in done.stderr
    assert mien("summarize", cwd=folder).returncode == 2


def test_a_folder_that_cannot_be_written(folder):
    (folder / "taken").write_text("a file")
    done = mien("summarize", "faces.csv", "--out", "taken", cwd=folder)
    assert done.returncode == 1 and "is a file" in done.stderr
    assert (folder / "taken").read_text() == "a file"
