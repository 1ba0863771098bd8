"""``mien summarize`` as people run it."""

import pytest

from command_line import mien, mien_process
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
    assert lines[0].startswith("6 videos, 3 persons, seen for 36.0 s")
    assert lines[1].split()[:4] == ["condition", "expression", "share", "of"]
    (film,) = (line for line in lines if line.startswith("film") and "Happy" in line)
    # 1 of 5, 2 of 6, 3 of 7 seconds
    assert "32.1 % (3.5 to 60.6)" in film and "4.0 s" in film
    assert lines[-1] == "In brackets: 95 % intervals over persons."
    assert "share of time: change from baseline" in lines[1] and " points (" in film
    said = "\n".join(lines[-4:])
    assert "nobody saw it begin" in said and "from 20 % to 30 % is +10 points" in said
    assert "counts as a person" not in done.stdout
    assert "written: summary/summary.html\n" in done.stderr
    page = (folder / "summary" / "summary.html").read_text("utf-8")
    assert "nobody saw it begin" in page and "is +10 points" in page.replace("\u00a0", " ")
    names = {path.name for path in (folder / "summary").iterdir()}
    assert names == {"groups.csv", "persons.csv", "differences.csv", "summary.html"}


def test_one_person_has_no_brackets(folder):
    write_table(folder / "one.csv", video("a.mp4", *[3] * 50), KEYS, of_videos=True)
    done = mien("summarize", "one.csv", cwd=folder)
    assert done.returncode == 0 and "In brackets" not in done.stdout
    assert done.stdout.startswith("1 video, 1 track, seen for 2.0 s\n")
    assert "Each track counts as a person of its own" in done.stdout
    assert "Happy" in done.stdout and "100.0 %" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("faces.csv", "--group-by", "condition"), "--group-by condition: no such column"),
        (("none.csv",), "cannot read none.csv"),
        (("faces.csv", "--baseline", "100-120"), "100 s lies outside p0_film.mp4"),
        (("files.csv",), "files.csv is no table of faces"),
        (
            ("faces.csv", "--conditions", "faces.csv"),
            "faces.csv, line 3: overlaps line 2, as both are about track 1 of p0_film.mp4",
        ),
    ],
)
def test_what_is_wrong_is_one_line(folder, words, expected):
    done = mien("summarize", *words, "--out", "summary", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("mien: ") and done.stderr.count("\n") == 1
    assert expected in done.stderr and len(done.stderr) < 300
    assert not (folder / "summary").exists()


def test_faces_of_photos_are_told_to_count_as_persons(folder):
    shows = Expression(FER2013, (1.0, *[0.0] * 6))
    faces = tuple(Face((1.0 + x, 2.0, 30.0, 40.0), 0.9, (), shows) for x in range(2))
    frames = [FrameResult(64, 64, "x", faces, f"{n}.jpg", 0, 0.0) for n in range(3)]
    write_table(folder / "photos.csv", frames, KEYS, of_videos=False)
    done = mien("summarize", "photos.csv", "--out", "s", cwd=folder)
    assert done.stdout.startswith("3 photos, 6 faces\n")
    assert "Each face counts as a person of its own" in done.stdout
    assert "Onset" not in done.stdout
    assert "Each face counts as a person" in (folder / "s" / "summary.html").read_text("utf-8")
    done = mien("summarize", "photos.csv", "--person", "source", cwd=folder)
    assert done.stdout.startswith("3 photos, 3 persons, 6 faces\n")
    assert "Each file counts as one person." in done.stdout


def test_all_unknown_files_of_the_conditions_are_told_at_once(folder):
    with (folder / "files.csv").open("a") as stream:
        stream.write("\nnone.mp4,p9,film\n,p8,film\n")
    done = mien("summarize", "faces.csv", "--conditions", "files.csv", cwd=folder)
    assert done.returncode == 1 and len(done.stderr) < 300
    assert "files.csv: 2 rows name a file that is in none of the tables" in done.stderr
    assert "the first in line 8: none.mp4" in done.stderr


def test_cells_that_are_no_numbers_are_named(folder):
    text = (folder / "faces.csv").read_text().splitlines()
    header = text[0].split(",")
    cells = text[1].split(",")
    cells[header.index("time_s")] = "soon"
    (folder / "bad.csv").write_text("\n".join([text[0], ",".join(cells), *text[2:5]]) + "\n")
    done = mien("summarize", "bad.csv", cwd=folder)
    assert done.stderr == "mien: bad.csv, line 2: time_s is 'soon', which is no number\n"
    (folder / "bad.jsonl").write_text('{"source": "a.mp4", "faces": []}\n{"sou\n{}\n')
    done = mien("summarize", "bad.jsonl", cwd=folder)
    assert "bad.jsonl, line 2: a text has no closing quotation mark" in done.stderr
    assert "delimiter" not in done.stderr and "char" not in done.stderr
    (folder / "bad.csv").write_text("source,from_s\np0_film.mp4,soon\n")
    done = mien("summarize", "faces.csv", "--conditions", "bad.csv", cwd=folder)
    assert "bad.csv, line 2: from_s is 'soon', which is no number" in done.stderr


def test_groups_of_files_are_named_without_their_folders(folder):
    frames = [*video("/data/a/film.mp4", *[3] * 50), *video("/data/a/talk.mp4", *[6] * 50)]
    write_table(folder / "two.csv", frames, KEYS, of_videos=True)
    done = mien("summarize", "two.csv", "--group-by", "source", "--out", "s", cwd=folder)
    assert "film.mp4" in done.stdout and "/data/a" not in done.stdout
    assert "/data/a/film.mp4" in (folder / "s" / "groups.csv").read_text()


def test_wrong_usage(folder):
    done = mien("summarize", "faces.csv", "--parquet", cwd=folder)
    assert done.returncode == 2 and "needs --out DIR" in done.stderr
    assert mien("summarize", cwd=folder).returncode == 2


def test_a_folder_that_cannot_be_written(folder):
    (folder / "taken").write_text("a file")
    done = mien("summarize", "faces.csv", "--out", "taken", cwd=folder)
    assert done.returncode == 1 and "is a file" in done.stderr
    assert (folder / "taken").read_text() == "a file"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("stres",), "Error: no such command: stres; did you mean stress?"),
        (("stress", "m", "--data", "d", "--sample", "abc"), "'--sample': it takes a whole number"),
        (("summarize", "t.csv", "--min-seen", "abc"), "'--min-seen': it takes a number"),
        (("summarize", "t.csv", "--min-seen", "-3"), "'--min-seen': it takes a number from 0 to"),
        (("stress", "m", "--data", "d", "--split", "x"), "'x' is not one of 'validation'"),
    ],
)
def test_wrong_usage_is_told_in_plain_words(tmp_path, words, expected):
    done = mien(*words, cwd=tmp_path)
    assert done.returncode == 2 and expected in done.stderr
    assert "Input should" not in done.stderr and "Value error" not in done.stderr


def test_long_names_of_groups_stand_once_in_a_narrow_terminal(folder):
    conditions = (folder / "files.csv").read_text().replace(",film", ",a film of some length")
    (folder / "files.csv").write_text(conditions)
    words = ("summarize", "faces.csv", "--conditions", "files.csv", "--group-by", "condition")
    for columns, n_rows in (("70", 1), ("160", 7)):
        done = mien_process(*words, cwd=folder, environment={"COLUMNS": columns})
        assert done.returncode == 0, done.stderr
        first = done.stdout.split("latency")[0] if columns == "70" else done.stdout
        assert sum(line.startswith("a film") for line in first.splitlines()) == n_rows
        assert sum("Happy" in line for line in first.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("recognize", "a.mp4", "--half-life", "inf"),
            "'--half-life': it takes a number from 0 to 60",
        ),
        (("recognize", "a.jpg", "--search-side", "1000000000"), "a number from 64 to 65535"),
        (("live", "--search-side", "1000000000"), "a number from 64 to 65535"),
        (("recognize", "a.mp4", "--dataset", "d", "--shard-s", "inf"), "a number from 1 to 86400"),
        (("recognize", "a.mp4", "--dataset", "d", "--timeout", "1e300"), "from 0.1 to 86400"),
        (("recognize", "a.jpg", "--input-size", "100000"), "a number from 8 to 2048"),
        (("recognize", "a.jpg", "--min-confidence", "inf"), "a number from 0 to 1"),
        (("summarize", "t.csv", "--min-seen", "inf"), "a number from 0 to 86400"),
        (
            ("serve", "--max-body-mb", "1e300"),
            "'--max-body-mb': it takes a number from 0.001 to 1000000",
        ),
        (
            ("serve", "--max-minutes", "inf"),
            "'--max-minutes': it takes a number from 0.001 to 100000",
        ),
        (("serve", "--max-pictures", "0"), "'--max-pictures': it takes a number from 1 to 1000000"),
        (
            ("serve", "--threads", "99999999999999999999"),
            "'--threads': it takes a number from 1 to",
        ),
    ],
)
def test_values_out_of_range_name_the_range(tmp_path, words, told):
    ran = mien(*words, cwd=tmp_path)
    assert ran.returncode == 2
    assert told in ran.stderr
