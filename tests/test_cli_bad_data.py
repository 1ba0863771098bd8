"""Bad data sets on the command line: one line that names the place, exit code 1, no output."""

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import assert_fails_on_one_line, mien
from samples_factory import fer_csv, png, random_faces, zip_of

FACES = random_faces(4)
GOOD = fer_csv(FACES, [0, 1, 2, 3], ["Training", "Training", "PublicTest", "PublicTest"])


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def wrong_pixel_count(folder: Path) -> Path:
    return write(folder / "a.csv", GOOD.replace(b" ", b" 0 ", 1))


def short_row(folder: Path) -> Path:
    lines = GOOD.splitlines()
    lines[3] = lines[3].replace(b" ", b"", 1)
    return write(folder / "a.csv", b"\n".join(lines))


def label_nine(folder: Path) -> Path:
    lines = GOOD.splitlines()
    lines[2] = b"9" + lines[2][1:]
    return write(folder / "a.csv", b"\n".join(lines))


def missing_column(folder: Path) -> Path:
    return write(folder / "a.csv", GOOD.replace(b"emotion,", b"mood,", 1))


def truncated_gz(folder: Path) -> Path:
    import gzip

    return write(folder / "a.csv.gz", gzip.compress(GOOD)[:-100])


def unknown_class(folder: Path) -> Path:
    write(folder / "set/happy/a.png", png(FACES[0]))
    write(folder / "set/hungry/a.png", png(FACES[1]))
    return folder / "set"


def empty_class(folder: Path) -> Path:
    write(folder / "set/happy/a.png", png(FACES[0]))
    (folder / "set/sad").mkdir()
    return folder / "set"


def climbing_member(folder: Path) -> Path:
    return zip_of(folder / "a.zip", {"happy/a.png": png(FACES[0]), "../sad/a.png": b"x"})


def bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("happy/a.png", bytes(64 << 20))
    return folder / "a.zip"


def csv_bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer2013.csv", GOOD + bytes(8 << 20))
    return folder / "a.zip"


def lying_bomb(folder: Path) -> Path:
    """Its directory says that the member is small."""
    path = bomb(folder)
    content = path.read_bytes()
    size = struct.pack("<I", 64 << 20)
    assert content.count(size) >= 1
    return write(path, content.replace(size, struct.pack("<I", 1000)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "missing.csv", ("missing.csv", "no such file")),
        (lambda folder: write(folder / "a.csv", b""), ("a.csv", "empty")),
        (wrong_pixel_count, ("a.csv", "row 2", "pixels")),
        (short_row, ("a.csv", "row 4", "2,303")),
        (label_nine, ("a.csv", "row 3", "'9'", "0 to 6")),
        (missing_column, ("a.csv", "no column 'emotion'")),
        (truncated_gz, ("a.csv.gz", "damaged")),
        (unknown_class, ("hungry", "happy")),
        (empty_class, ("sad",)),
        (climbing_member, ("a.zip", "../sad/a.png")),
        (bomb, ("a.zip", "happy/a.png")),
        (csv_bomb, ("a.zip: fer2013.csv", "as a zip bomb does")),
    ],
)
def test_bad_data_set(tmp_path: Path, make: Callable[[Path], Path], words: tuple[str, ...]) -> None:
    source = make(tmp_path)
    done = mien("audit", "--data", source, "--out", tmp_path / "out", cwd=tmp_path)
    assert_fails_on_one_line(done, *words)
    assert not (tmp_path / "out").exists()


def test_a_bomb_that_lies_about_its_size_is_a_damaged_picture(tmp_path: Path) -> None:
    done = mien("audit", "--data", lying_bomb(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert "happy/a.png" in json.dumps(report["lists"]["damaged"])


def test_the_good_one_is_good(tmp_path: Path) -> None:
    done = mien("audit", "--data", write(tmp_path / "a.csv", GOOD), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "audit" / "audit.json").is_file()
