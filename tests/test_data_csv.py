"""Reading FER-2013 csv files: formats, and every error by its row."""

import gzip
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mien.data import read_samples
from mien.data.digits import DigitsError, decode_rows
from mien.errors import DatasetError, SourceError
from samples_factory import fer_csv, icml_csv, random_faces, unpack_tool, zip_of

IMAGES = random_faces(6)
LABELS = (0, 1, 2, 3, 4, 6)
USAGES = ("Training", "Training", "PublicTest", "PrivateTest", "Training", "PublicTest")
SPLITS = ["train", "train", "validation", "test", "train", "validation"]
CSV = fer_csv(IMAGES, LABELS, USAGES)


def read(path: Path, content: bytes, **options):
    path.write_bytes(content)
    return read_samples(path, **options)


FORMS = {
    "fer2013.csv": CSV,
    "windows.csv": fer_csv(IMAGES, LABELS, USAGES, newline="\r\n"),
    "bom.csv": b"\xef\xbb\xbf" + CSV,
    "icml_face_data.csv": icml_csv(IMAGES, LABELS, USAGES),
    "fer2013.csv.gz": gzip.compress(CSV),
    "no_end.csv": CSV.rstrip(b"\n"),
    "quoted.csv": re.sub(rb"\n(\d),([\d ]+),", rb'\n"\1","\2",', CSV),
    "blank_lines.csv": CSV.replace(b"Training\n", b"Training\n\n"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_samples(tmp_path, name):
    samples = read(tmp_path / name, FORMS[name])
    assert samples.images.dtype == np.uint8
    assert np.array_equal(samples.images, IMAGES)
    assert samples.labels.tolist() == list(LABELS)
    assert samples.splits.tolist() == SPLITS
    assert samples.source == str(tmp_path / name)
    assert samples.votes is None
    assert samples.layout == "Training, PublicTest and PrivateTest rows of a csv"


def test_zip_with_one_csv(tmp_path):
    path = zip_of(tmp_path / "data.zip", {"fer2013/fer2013.csv": CSV, "fer2013/README": b"x"})
    assert np.array_equal(read_samples(path).images, IMAGES)


def test_zip_with_two_csv_needs_a_known_name(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"fer2013.csv": CSV, "fer2013new.csv": b"x"})
    assert len(read_samples(path)) == 6
    path = zip_of(tmp_path / "b.zip", {"one.csv": CSV, "two.csv": CSV})
    with pytest.raises(DatasetError, match=r"it holds: one\.csv, two\.csv"):
        read_samples(path)


def test_names_are_rows_of_a_text_editor(tmp_path):
    names = read(tmp_path / "a.csv", CSV.replace(b"Usage\n", b"Usage\n\n", 1)).names
    assert list(names) == [f"row {n}" for n in range(3, 9)]


def test_without_usage_all_rows_train(tmp_path):
    content = b"\n".join(line.rpartition(b",")[0] for line in CSV.splitlines())
    samples = read(tmp_path / "train.csv", content)
    assert samples.splits.tolist() == ["train"] * 6
    assert samples.layout == "rows of a csv, all for training"
    assert np.array_equal(samples.images, IMAGES)


def test_other_sides_are_inferred(tmp_path):
    small = random_faces(2, side=5)
    samples = read(tmp_path / "a.csv", fer_csv(small, (0, 1), ("Training", "Training")))
    assert np.array_equal(samples.images, small)


def row(pixels: str = "", label: str = "3", usage: str = "Training") -> bytes:
    pixels = pixels or " ".join(["7"] * 2304)
    return f"{label},{pixels},{usage}\n".encode()


MANY = ["7"] * 2304


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CSV + row(" ".join(MANY[:-1])), "row 8 has 2,303 pixels, expected 2,304"),
        (CSV + row(" ".join([*MANY, "1"])), "row 8 has 2,305 pixels, expected 2,304"),
        (
            CSV + row(" ".join(MANY[:-1])) + row(" ".join([*MANY, "1"])),
            "row 8 has 2,303 pixels",
        ),
        (CSV + row(" ".join([*MANY[:-1], "256"])), "row 8 has the pixel value 256, above 255"),
        (CSV + row(" ".join(["1007", *MANY[1:]])), "row 8 has the pixel value 1007"),
        (CSV + row(" ".join([*MANY[:-1], "-1"])), "row 8 has '-1' among its pixels"),
        (CSV + row(" ".join([*MANY[:-1], "7.5"])), r"row 8 has '7\.5' among its pixels"),
        (CSV + row(" ".join([*MANY[:-1], "x"])), "row 8 has 'x' among its pixels"),
        (CSV + row(label="9"), "row 8 has the emotion '9', expected 0 to 6"),
        (CSV + row(label="-1"), "row 8 has the emotion '-1'"),
        (CSV + row(label=""), "row 8 has the emotion ''"),
        (CSV + row(usage="Test"), "row 8 has the Usage 'Test'; known: Training, PublicTest"),
        (CSV + b"3,1 2 3\n", "row 8 has 2 columns, expected 3"),
        (CSV.replace(b"Usage\n", b"Usage\n" + row("1 2 3"), 1), "row 2 has 3 pixels, expected a"),
        (CSV.replace(b"emotion", b"label", 1), "has no column 'emotion'.*label, pixels, usage"),
        (CSV.replace(b"pixels", b"px", 1), "has no column 'pixels'"),
        (b"", "is empty"),
        (b"emotion,pixels,Usage\n", "has a header but no rows"),
        (gzip.compress(CSV)[:-400], "is damaged"),
        (b"\x1f\x8b" + b"nonsense" * 9, "is damaged"),
        (b"PK\x03\x04 nonsense", "is damaged"),
        (bytes(range(256)) * 20, "has no column 'emotion'"),
    ],
)
def test_errors_name_file_and_row(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        read_samples(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_corrupt_csv_in_a_zip(tmp_path):
    path = zip_of(tmp_path / "data.zip", {"fer2013.csv": CSV})
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    with pytest.raises(DatasetError, match=r"data\.zip: fer2013\.csv is damaged"):
        read(path, bytes(content))


def test_zip_bomb_csv_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("mien.data.fer_csv.MAX_CSV_BYTES", 20_000)
    with pytest.raises(DatasetError, match="unpacks to more than 20,000 bytes"):
        read(tmp_path / "a.csv.gz", gzip.compress(CSV))
    assert len(read(tmp_path / "a.csv", CSV)) == 6


def test_missing_file_and_other_archives(tmp_path):
    with pytest.raises(SourceError, match="no such file or folder"):
        read_samples(tmp_path / "none.csv")
    with pytest.raises(SourceError, match="unpack it"):
        read(tmp_path / "fer2013.tar.gz", b"\x1f\x8b")


def test_zip_without_anything_useful(tmp_path):
    with pytest.raises(DatasetError, match="no class folders"):
        read_samples(zip_of(tmp_path / "a.zip", {"README": b"x"}))
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fer2013.csv", CSV)
    content = path.read_bytes()
    with pytest.raises(DatasetError, match="is damaged"):
        read(path, content[:-30])


def test_decode_rows_by_hand():
    rows = decode_rows([b"0 9 10 255", b"100 1 0 99", b" 7  8 9 1 "], 4)
    assert rows.dtype == np.uint8
    assert rows.tolist() == [[0, 9, 10, 255], [100, 1, 0, 99], [7, 8, 9, 1]]
    assert decode_rows([b"007 0255"], 2).tolist() == [[7, 255]]
    with pytest.raises(DigitsError) as caught:
        decode_rows([b"1 2", b"3 999"], 2)
    assert caught.value.row == 1


def test_real_rows_come_back_as_they_were_written(tmp_path, shared_folder, fer2013):
    images, labels = fer2013[0][28_000:29_400], fer2013[1][28_000:29_400]
    unpack_tool(shared_folder).write_csv(images, labels, tmp_path)
    samples = read_samples(tmp_path / "fer2013.csv", ferplus=tmp_path / "fer2013new.csv")
    assert samples.splits.tolist() == ["train"] * 709 + ["validation"] * 691
    assert np.array_equal(samples.images, images)
    assert samples.labels.tolist() == [int(row["emotion"]) for row in labels]
    assert samples.votes is not None and samples.votes.shape == (1400, 10)
    assert samples.votes.sum(axis=1).min() >= 8


ROWS = CSV.decode().splitlines()


def spread(separator: str = ",", end: str = "\n", note: str = "") -> str:
    """The rows as another program writes them."""
    rows = [row.split(",") + ([note] if note else []) for row in ROWS]
    if note:
        rows[0][-1] = "note"
    return end.join(separator.join(fields) for fields in rows) + end


@pytest.mark.parametrize(
    "content",
    [
        spread(end="\r").encode(),
        spread(end="\r\n").encode(),
        spread("\t").encode(),
        spread(";").encode(),
        spread("|", "\r").encode(),
        spread().encode("utf-16"),
        spread("\t", "\r\n").encode("utf-16"),
        b"\xef\xbb\xbf" + spread(";").encode(),
        spread(note='"blurred, dark"').encode(),
        spread(note='"he said ""no"", twice"').encode(),
        spread(note='"two\nlines"').encode(),
        spread("\t", note='"a\ttab"').encode(),
        CSV.replace(b"Training", b'"Training"'),
    ],
)
@pytest.mark.parametrize("packed", ["plain", "gz", "zip"])
def test_what_spreadsheets_make_of_it(tmp_path, content, packed):
    expected = read(tmp_path / "as_it_was.csv", CSV, use_cache=False)
    path = tmp_path / "a.csv"
    if packed == "zip":
        path = zip_of(tmp_path / "a.zip", {"fer2013.csv": content})
    else:
        path.write_bytes(gzip.compress(content) if packed == "gz" else content)
    samples = read_samples(path, use_cache=False)
    assert np.array_equal(samples.images, expected.images)
    assert samples.labels.tolist() == expected.labels.tolist()
    assert samples.splits.tolist() == expected.splits.tolist()
    assert samples.sha256() == expected.sha256()


def test_rows_are_counted_as_an_editor_counts_lines(tmp_path):
    content = spread(note='"two\nlines"').replace("\n6,", "\n9,")
    lines = content.split("\n")
    number = next(n for n, line in enumerate(lines, 1) if line.startswith("9,"))
    with pytest.raises(DatasetError, match=f"row {number} has the emotion '9'"):
        read(tmp_path / "a.csv", content.encode())


def test_a_quotation_mark_that_is_never_closed(tmp_path):
    content = spread(note="5 inch").replace("5 inch", '5"', 1)
    with pytest.raises(DatasetError, match="row 2 has a quotation mark that is never closed"):
        read(tmp_path / "a.csv", content.encode())


def test_a_csv_and_a_picture_in_one_zip(tmp_path):
    members = {"data/fer2013.csv": CSV, "sample.png": b"x", "licence.txt": b"x", ".x": b"x"}
    samples = read_samples(zip_of(tmp_path / "a.zip", members), use_cache=False)
    assert len(samples) == 6
    assert samples.layout.endswith(", 2 files of other kinds (.png, .txt), 1 hidden file left out")


@pytest.mark.parametrize("text", ["x" * 5000, "data:text/csv;base64," + "A" * 5000, "a\0b"])
def test_texts_that_are_no_paths(text):
    with pytest.raises(SourceError, match="cannot read"):
        read_samples(text)


def test_homes_and_pipes(tmp_path):
    with pytest.raises(SourceError, match="no such file or folder"):
        read_samples("~nobody-by-this-name/fer2013.csv")
    os.mkfifo(tmp_path / "fer2013.csv")
    with pytest.raises(SourceError, match="pipe or device"):
        read_samples(tmp_path / "fer2013.csv")
