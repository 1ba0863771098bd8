"""``mien groups`` and ``mien evaluate --groups`` as people run them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from command_line import assert_fails_on_one_line, mien
from mien.files import atomic_folder
from onnx_factory import write_model
from samples_factory import fer_csv, png, random_faces

PHOTO = Path(__file__).resolve().parent.parent / "docs" / "images" / "astronaut.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, 80 faces as a csv and as files, and a file of groups for each."""
    write_model(tmp_path / "tiny.onnx")
    images = random_faces(80)
    images[40:] = np.clip(images[40:] * 0.2, 0, 255).astype(np.uint8)
    usages = ["PublicTest"] * 80
    (tmp_path / "f.csv").write_bytes(fer_csv(images, [n % 7 for n in range(80)], usages))
    (tmp_path / "faces").mkdir()
    lines, names = ["row,light,half"], ["picture,light,half"]
    for number, image in enumerate(images):
        (tmp_path / "faces" / f"{number:02}.png").write_bytes(png(image))
        groups = f"{'dark' if number >= 40 else 'bright'},{number % 2}"
        lines.append(f"{number + 2},{groups}")
        names.append(f"{number:02}.png,{groups}")
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    (tmp_path / "pictures.csv").write_text("\n".join(names))
    return tmp_path


def groups(folder: Path, *more: object, data: str = "faces", file: str = "pictures.csv"):  # type: ignore[no-untyped-def]
    words = ("groups", "tiny.onnx", "--data", data, "--groups", file, "--detector", "whole")
    return mien(*words, *more, cwd=folder)


def values_of(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "g" / "groups.json").read_text())
    return values


def test_alarms_are_called_so_and_written(folder: Path) -> None:
    pytest.importorskip("matplotlib")
    done = groups(folder, "--out", "g", "--by", "light", "--by", "light,half")
    assert done.returncode == 0, done.stderr
    for word in ("80 faces without labels", "mirror image disagrees", "alarm, not an error"):
        assert word in done.stdout, word
    assert "light: mean confidence differs" in done.stdout
    assert "accuracy" not in done.stdout
    names = sorted(path.name for path in (folder / "g").iterdir())
    assert names == [
        *("groups.csv", "groups.html", "groups.json", "groups.md"),
        "groups_1.png",  # all groups of the second are too small to be drawn
    ]
    page = (folder / "g" / "groups.html").read_text("utf-8")
    assert page.count('<figure class="intervals">') == len(values_of(folder)["all"]["scores"])
    assert "Too small to be estimated" in page and "groups_2.png" not in page
    values = values_of(folder)
    assert values["detector"] is None and values["n"] == 80
    (light, both) = values["by"]
    assert light["column"] == "light" and both["column"] == "light, half"
    bright, dark = (group["scores"]["mean confidence"]["value"] for group in light["groups"])
    assert bright > dark
    assert all(group["too_small"] for group in both["groups"]) and both["gaps"] == []
    with open(folder / "g" / "groups.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["group"] for row in rows if row["column"] == "light"} == {
        *("bright", "dark", "all compared")
    }
    # An older report with more figures is replaced as a whole.
    (folder / "g" / "groups_2.png").write_bytes(b"older")
    assert groups(folder, "--out", "g", "--by", "light").returncode == 0
    assert not (folder / "g" / "groups_2.png").exists()


def test_a_csv_of_faces_says_the_same_as_their_files(folder: Path) -> None:
    one = groups(folder, "--by", "light").stdout.splitlines()
    two = groups(folder, "--by", "light", data="f.csv", file="rows.csv").stdout.splitlines()
    assert one[1:] == two[1:]


def test_sampled_faces_are_told(folder: Path) -> None:
    done = groups(folder, "--sample", "70")
    assert "Of the 80 faces with a group, 70 were drawn at random and measured" in done.stdout


def test_what_is_left_out_is_told_with_its_reason(folder: Path) -> None:
    rows = (folder / "rows.csv").read_text().splitlines()
    (folder / "some.csv").write_text("\n".join([*rows[:71], "500,bright,0", "501,dark,1"]))
    said = groups(folder, data="f.csv", file="some.csv").stdout
    assert "some.csv names 70 of the 80 faces in f.csv; the other 10 are in no group." in said
    assert "2 rows of some.csv fit no face in f.csv and are left out; the first: line 72: " in said
    assert "there is no row 500, the last is row 81." in said


def test_faces_of_other_splits_are_not_called_missing(folder: Path) -> None:
    lines = (folder / "f.csv").read_text().splitlines()
    lines[1:41] = [line.replace("PublicTest", "Training") for line in lines[1:41]]
    (folder / "both.csv").write_text("\n".join(lines))
    assert "Training" in lines[1] and "PublicTest" in lines[60]
    said = groups(folder, data="both.csv", file="rows.csv").stdout
    assert "Rows of all splits are taken: 40 of train, 40 of validation." in said
    assert "fit no face" not in said and "in no group" not in said
    words = ("evaluate", "tiny.onnx", "--data", "both.csv", "--groups", "rows.csv", "--out", "r")
    done = mien(*words, "--detector", "whole", "--by", "half", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "40 rows of rows.csv are about faces of other splits" in done.stdout
    assert "fit no face" not in done.stdout


def test_faces_that_are_not_found_are_counted(folder: Path) -> None:
    words = ("groups", "tiny.onnx", "--data", "faces", "--groups", "pictures.csv")
    done = mien(*words, "--detector", "haar", "--by", "light", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "face not found" in done.stdout


def test_photos_are_searched_and_those_without_faces_have_no_answer(folder: Path) -> None:
    photos = folder / "photos"
    photos.mkdir()
    lines = ["picture,camera"]
    photo = PIL.Image.open(PHOTO).resize((144, 144))
    for number in range(64):
        name = f"{number}.jpg"
        if number % 2 and number > 8:
            PIL.Image.new("RGB", (120, 90), (90, 120, 150)).save(photos / name)
        else:
            photo.save(photos / name)
        lines.append(f"{name},{'AB'[number % 2]}")
    (folder / "cameras.csv").write_text("\n".join(lines))
    words = ("groups", "tiny.onnx", "--data", "photos", "--groups", "cameras.csv")
    done = mien(*words, "--faces", "photos", "--detector", "haar", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "camera: face not found differs, from A (lowest) to B (highest)" in done.stdout
    # The same photo gets the same answer, whichever camera it is from.
    assert done.stdout.count("differs, from") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("picture,light\nx.png,1\n", ("names no picture of faces", "x.png")),
        ("picture,light\n11.png,a\n11.png,b\n", ("11.png two values of light", "line 3")),
        ("picture\n01.png\n", ("no columns",)),
    ],
)
def test_bad_files_fail_on_one_line(folder: Path, text: str, words: tuple[str, ...]) -> None:
    (folder / "bad.csv").write_text(text)
    assert_fails_on_one_line(groups(folder, "--out", "g", file="bad.csv"), *words)
    assert not (folder / "g").exists()
    (folder / "bad.csv").write_text(text.replace("picture", "row").replace(".png", ""))
    base = ("evaluate", "tiny.onnx", "--data", "f.csv", "--out", "r")
    done = mien(*base, "--groups", "bad.csv", cwd=folder)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert not (folder / "r").exists()


def test_other_mistakes(folder: Path) -> None:
    assert_fails_on_one_line(groups(folder, "--by", "lihgt"), "did you mean light")
    assert_fails_on_one_line(groups(folder, file="none.csv"), "no such file: none.csv")
    assert groups(folder, "--faces", "photos").returncode == 2
    words = ("evaluate", "tiny.onnx", "--data", "f.csv", "--out", "r", "--by", "light")
    assert mien(*words, cwd=folder).returncode == 2


def test_a_folder_replaces_files_that_it_may(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "old.png").write_text("old")
    with atomic_folder(tmp_path / "r", ["old.png"]) as folder:
        (folder / "new.txt").write_text("new")
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["new.txt"]
