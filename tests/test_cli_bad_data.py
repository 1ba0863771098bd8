"""Bad data sets on the command line: one line that names the place, exit code 1, no output."""

import json
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import assert_fails_on_one_line, mien
from samples_factory import class_folders, fer_csv, png, random_faces, zip_of

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


RECIPE = """
from mien.training.recipe import Recipe
RECIPE = Recipe(
    "tiny", "slim_resnet",
    architecture_options={"stem": 8, "widths": [16], "depths": [1]},
    epochs=1, batch_size=16, learning_rate=0.05, tensorboard=False,
)
"""


def train(folder: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("keras", reason="needs the train extra")
    (folder / "tiny.py").write_text(RECIPE)
    return mien("train", "tiny.py", "--data", source, "--out", "run", *options, cwd=folder)


def test_training_without_validation_rows(tmp_path: Path) -> None:
    written = class_folders(tmp_path / "set", ["train/happy", "train/sad", "test/happy"])
    zip_of(tmp_path / "archive.zip", written)
    done = train(tmp_path, "archive.zip", "--set", "split.validation_fraction=0")
    words = "archive.zip has no validation rows", "--set split.validation_fraction="
    assert_fails_on_one_line(done, *words)
    assert not (tmp_path / "run").exists()


def test_a_class_of_one_picture_with_parts_of_its_own_is_cautioned(tmp_path: Path) -> None:
    class_folders(tmp_path / "set", ["train/happy", "train/sad", "val/happy"], per_folder=20)
    class_folders(tmp_path / "set", ["train/fear"], per_folder=1)
    done = train(tmp_path, "set")
    assert done.returncode == 0, done.stderr
    assert "set: train/ and val/ class folders; used as they are" in done.stderr
    assert "caution: few training rows: angry 0, disgust 0, fear 1," in done.stderr
    assert "caution: no validation rows: fear, sad;" in done.stderr


def test_a_damaged_picture_ends_a_training(tmp_path: Path) -> None:
    folders = ["train/happy", "train/sad", "val/happy", "val/sad"]
    class_folders(tmp_path / "set", folders, per_folder=40)
    damaged = tmp_path / "set/val/sad/39.png"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    done = train(tmp_path, "set")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("mien: ")]
    assert told == [done.stderr.splitlines()[-1]]
    assert "set: val/sad/39.png is damaged" in told[0]
