"""Class folders and archives: layouts, names, refusals."""

import io
import os
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.data import archives, read_samples
from mien.errors import DatasetError, ImageError, ImageTooLargeError, SourceError
from mien.labels import FER2013, FERPLUS
from samples_factory import class_folders, png, random_faces, zip_of

SEVEN = FER2013.keys
SYNONYMS = ("Anger", "disgusted", "fearful", "Happiness", "sadness", "surprised", "NEUTRAL")


def below(part, names=SEVEN):
    return [f"{part}/{name}" for name in names]


LAYOUTS = {
    "parts": (below("train") + below("test"), {"train": 7, "test": 7}),
    "val": (
        below("train") + below("val") + below("test"),
        {"train": 7, "validation": 7, "test": 7},
    ),
    "valid": (below("train") + below("valid"), {"train": 7, "validation": 7}),
    "images": (below("images/train") + below("images/validation"), {"train": 7, "validation": 7}),
    "capitals": (below("Train") + below("Test"), {"train": 7, "test": 7}),
    "wrapped": (below("a/b/train") + below("a/b/test"), {"train": 7, "test": 7}),
    "top": (list(SEVEN), {"train": 7}),
    "wrapped top": (below("faces"), {"train": 7}),
    "synonyms": (below("train", SYNONYMS), {"train": 7}),
    "few": (["train/happy", "test/sad"], {"train": 1, "test": 1}),
    "nested": (["train/happy/1/2", "train/sad/x"], {"train": 2}),
    "FER-2013's names": (
        below("fer/Training") + below("fer/PublicTest") + below("fer/PrivateTest"),
        {"train": 7, "validation": 7, "test": 7},
    ),
    "two names of a part": (
        below("train") + below("val") + below("valid"),
        {"train": 7, "validation": 14},
    ),
    "two names of a class": (["train/happy", "train/Happiness"], {"train": 2}),
}


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout, kind):
    folders, expected = LAYOUTS[layout]
    written = class_folders(tmp_path / "set", folders)
    source = tmp_path / "set"
    if kind == "zip":
        source = zip_of(tmp_path / "set.zip", written)
    samples = read_samples(source)
    assert len(samples) == 2 * len(folders)
    counts = {split.value: int(count.sum()) for split, count in samples.counts().items()}
    assert counts == {split: 2 * n for split, n in expected.items()}
    assert samples.label_set is FER2013
    assert samples.source == str(source)
    assert list(samples.names) == sorted(written)
    for index, name in enumerate(samples.names):
        assert png(samples.images[index]) == written[name]
        folder = next(part for part in name.split("/") if part in FER2013)
        assert samples.labels[index] == FER2013.index(folder)


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("parts", "train/ and test/ class folders"),
        ("val", "train/, val/ and test/ class folders"),
        ("capitals", "Train/ and Test/ class folders"),
        ("images", "train/ and validation/ class folders below images/"),
        ("wrapped", "train/ and test/ class folders below a/b/"),
        ("few", "train/ and test/ class folders"),
        ("top", "class folders, all for training"),
        ("wrapped top", "class folders, all for training below faces/"),
    ],
)
def test_the_layout_is_told(tmp_path, layout, words):
    written = class_folders(tmp_path / "set", LAYOUTS[layout][0])
    assert read_samples(tmp_path / "set").layout == words
    assert read_samples(zip_of(tmp_path / "set.zip", written)).layout == f"{words} in a zip"


def test_a_copy_nested_in_the_set_is_left_out_and_told(tmp_path):
    """Kaggle's face expression recognition dataset holds all of itself again in images/images."""
    once = below("images/train") + below("images/validation")
    written = class_folders(tmp_path / "set", once + [f"images/{folder}" for folder in once])
    for source in (tmp_path / "set", zip_of(tmp_path / "set.zip", written)):
        samples = read_samples(source)
        assert len(samples) == 28
        assert not [name for name in samples.names if name.startswith("images/images/")]
        assert samples.layout.startswith("train/ and validation/ class folders below images/")
        assert samples.layout.endswith(", 28 pictures outside of them left out")


def test_entries_of_folders_and_dots_in_an_archive(tmp_path):
    """As some programs write them: every folder with an entry, every path from the dot."""
    written = class_folders(tmp_path / "set", below("train"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("./", b"")
        archive.writestr("./train/", b"")
        for name, content in written.items():
            archive.writestr(f"./{name}", content)
    samples = read_samples(tmp_path / "a.zip")
    assert len(samples) == 14
    assert samples.layout == "train/ class folders in a zip"
    assert samples.images[0].shape == (16, 16)


def test_endings_are_told_in_any_case(tmp_path):
    face = png(random_faces(1)[0])
    members = {"happy/a.PNG": face, "happy/b.c.png": face, "happy/png": face, "happy/d.txt": face}
    samples = read_samples(zip_of(tmp_path / "a.zip", members))
    assert list(samples.names) == ["happy/a.PNG", "happy/b.c.png"]


def test_folder_and_zip_agree(tmp_path):
    written = class_folders(tmp_path / "set", below("train") + below("test"))
    folder = read_samples(tmp_path / "set")
    archive = read_samples(zip_of(tmp_path / "set.zip", written))
    assert folder.sha256() == archive.sha256()
    assert list(folder.names) == list(archive.names)


def test_the_hash_is_of_files_labels_and_order_and_decodes_nothing(tmp_path):
    written = class_folders(tmp_path / "set", below("train"), per_folder=50)
    first = "train/angry/0.png"
    (tmp_path / "set" / first).write_bytes(b"not a picture")
    samples = read_samples(tmp_path / "set")
    with pytest.raises(ImageError, match=r"angry/0\.png"):
        samples.images[0]
    hashes = [samples.sha256(), samples.take(np.arange(len(samples))[::-1]).sha256()]
    relabelled = replace(samples, labels=np.roll(samples.labels, 1))
    hashes.append(relabelled.sha256())
    (tmp_path / "set" / first).write_bytes(written[first])
    hashes.append(samples.sha256())
    assert len(set(hashes)) == 4
    assert samples.sha256() == hashes[3]
    (tmp_path / "set" / first).unlink()
    with pytest.raises(ImageError, match=r"angry/0\.png"):
        samples.sha256()


def test_contempt_makes_the_eight_classes(tmp_path):
    class_folders(tmp_path, below("train", FERPLUS.keys))
    samples = read_samples(tmp_path)
    assert samples.label_set is FERPLUS
    assert len(np.unique(samples.labels)) == 8


def test_hidden_files_and_other_files_are_ignored(tmp_path):
    written = class_folders(tmp_path / "set", below("train"))
    extra = {
        "__MACOSX/train/happy/._0.png": b"x",
        "train/happy/.hidden.png": b"x",
        "train/.cache/0.png": b"x",
        "train/happy/notes.txt": b"x",
        "train/loose.png": b"x",
        "readme.md": b"x",
    }
    for name, content in extra.items():
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert list(read_samples(tmp_path / "set").names) == sorted(written)
    archive = zip_of(tmp_path / "set.zip", {**extra, **written})
    assert list(read_samples(archive).names) == sorted(written)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train/happy", "train/bored"], r"unknown class folder 'bored'; known: angry, disgust"),
        (["happy", "bored"], r"unknown class folder 'bored'"),
        (["a", "b"], r"no class folders.*train/CLASS.*one wrapping folder.*angry"),
        (["train"], "no class folders"),
        ([], "no class folders"),
    ],
)
def test_refused_layouts(tmp_path, folders, message):
    written = class_folders(tmp_path / "set", folders)
    (tmp_path / "set").mkdir(exist_ok=True)
    for source in (tmp_path / "set", zip_of(tmp_path / "set.zip", written)):
        with pytest.raises(DatasetError, match=message) as caught:
            read_samples(source)
        assert str(source) in str(caught.value)


def test_class_folder_without_pictures(tmp_path):
    class_folders(tmp_path, below("train"))
    (tmp_path / "test/happy").mkdir(parents=True)
    with pytest.raises(DatasetError, match="class folder happy of the test split has no pictures"):
        read_samples(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("happy/0.png", png(random_faces(1)[0]))
        archive.writestr("sad/", b"")
    with pytest.raises(DatasetError, match="class folder sad has no pictures"):
        read_samples(tmp_path / "a.zip")


def test_broken_picture_is_named_when_it_is_looked_at(tmp_path):
    written = class_folders(tmp_path / "set", below("train"))
    written["train/happy/1.png"] = written["train/happy/1.png"][:60]
    written["train/sad/1.png"] = b""
    for name, content in written.items():
        (tmp_path / "set" / name).write_bytes(content)
    for source in (tmp_path / "set", zip_of(tmp_path / "set.zip", written)):
        samples = read_samples(source)
        for name in ("train/happy/1.png", "train/sad/1.png"):
            with pytest.raises(ImageError, match=name) as caught:
                samples.images[list(samples.names).index(name)]
            assert str(source) in str(caught.value)
        assert samples.images[0].shape == (16, 16)


def test_picture_removed_meanwhile(tmp_path):
    class_folders(tmp_path, below("train"))
    samples = read_samples(tmp_path)
    (tmp_path / samples.names[0]).unlink()
    with pytest.raises(ImageError, match="cannot read"):
        samples.images[0]


def test_large_pictures_are_refused_by_their_header(tmp_path):
    class_folders(tmp_path, ["happy"])
    samples = read_samples(tmp_path, max_pixels=100)
    with pytest.raises(ImageTooLargeError, match=r"happy/0\.png"):
        samples.images[0]


def test_take_keeps_order_and_stays_lazy(tmp_path):
    class_folders(tmp_path, below("train"))
    samples = read_samples(tmp_path)
    some = samples.take(np.array([5, 0]))
    assert list(some.names) == [samples.names[5], samples.names[0]]
    assert np.array_equal(some.images[0], samples.images[5])


def test_colour_pictures_stay_rgb(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    samples = read_samples(zip_of(tmp_path / "a.zip", {"happy/a.png": png(rgb)}))
    assert np.array_equal(samples.images[0], rgb)


def test_links_that_lead_up_do_not_hang(tmp_path):
    class_folders(tmp_path, below("train"))
    (tmp_path / "train/happy/loop").symlink_to(tmp_path, target_is_directory=True)
    assert len(read_samples(tmp_path)) == 14


def test_archive_is_read_by_many_threads(tmp_path):
    written = class_folders(tmp_path / "set", below("train"), per_folder=10)
    samples = read_samples(zip_of(tmp_path / "set.zip", written))
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(samples.images.__getitem__, list(range(70)) * 3))
    assert all(png(images[i]) == written[samples.names[i % 70]] for i in range(210))


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "..\\x.png"]
)
def test_members_outside_the_archive_are_refused(tmp_path, name):
    path = zip_of(tmp_path / "a.zip", {"happy/0.png": png(random_faces(1)[0]), name: b"x"})
    with pytest.raises(DatasetError, match="points outside the archive"):
        read_samples(path)


def test_backslashes_are_slashes(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"train\\happy\\0.png": png(random_faces(1)[0])})
    assert list(read_samples(path).names) == ["train/happy/0.png"]


def test_bombs_are_refused_by_name(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "a.zip", {"happy/0.png": bytes(2 << 20)})
    with pytest.raises(DatasetError, match=r"happy/0\.png unpacks to .* zip bomb"):
        read_samples(path)
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 1 << 20)
    with pytest.raises(DatasetError, match=r"happy/0\.png unpacks to .* limit of 1,048,576"):
        read_samples(path)
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 100)
    with pytest.raises(DatasetError, match="more than the limit of 100"):
        read_samples(zip_of(tmp_path / "b.zip", {"happy/0.png": png(random_faces(1)[0])}))


def lying_zip(path, *, flag=0, declared=None):
    """An archive of one picture whose table says something else."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("happy/0.png", png(random_faces(1)[0]))
    content = bytearray(stream.getvalue())
    for signature, at_flag, at_size in ((b"PK\x03\x04", 6, 22), (b"PK\x01\x02", 8, 24)):
        start = content.index(signature)
        content[start + at_flag] |= flag
        if declared is not None:
            content[start + at_size : start + at_size + 4] = struct.pack("<I", declared)
    path.write_bytes(content)
    return path


def test_encrypted_members_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"happy/0\.png is encrypted"):
        read_samples(lying_zip(tmp_path / "a.zip", flag=1))


def test_member_larger_than_declared_is_refused(tmp_path):
    samples = read_samples(lying_zip(tmp_path / "a.zip", declared=50))
    with pytest.raises((DatasetError, ImageError), match=r"happy/0\.png"):
        samples.images[0]


def test_damaged_member_is_named(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"happy/0.png": png(random_faces(1)[0])})
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(content)
    samples = read_samples(path)
    with pytest.raises(DatasetError, match=r"a\.zip: happy/0\.png is damaged"):
        samples.images[0]


def test_nothing_is_unpacked(tmp_path):
    written = class_folders(tmp_path / "set", below("train"))
    path = zip_of(tmp_path / "a.zip", written)
    before = sorted(tmp_path.rglob("*"))
    samples = read_samples(path)
    assert samples.sha256()
    assert sorted(tmp_path.rglob("*")) == before


def test_votes_need_a_csv(tmp_path):
    class_folders(tmp_path, ["happy"])
    with pytest.raises(DatasetError, match="follow the rows of a csv"):
        read_samples(tmp_path, ferplus=tmp_path / "fer2013new.csv")


def test_what_is_left_out_is_told(tmp_path):
    written = class_folders(tmp_path / "set", below("train"))
    beside = {"train/happy/a.txt": b"x", "train/happy/.b.png": b"x", "c.JSON": b"x"}
    for name, content in beside.items():
        (tmp_path / "set" / name).write_bytes(content)
    words = "2 files of other kinds (.json, .txt), 1 hidden file left out"
    archive = zip_of(tmp_path / "set.zip", {**beside, **written})
    assert read_samples(tmp_path / "set").layout == f"train/ class folders, {words}"
    layout = read_samples(archive).layout
    assert layout.startswith("train/ class folders in a zip, 2 files of other kinds (.")
    assert layout.endswith("1 hidden file left out")


def test_endings_of_phones_and_old_programs_are_rows(tmp_path):
    face = png(random_faces(1)[0])
    names = ["a.jfif", "b.JPE", "c.HEIC", "d.pnm"]
    samples = read_samples(zip_of(tmp_path / "a.zip", {f"happy/{name}": face for name in names}))
    assert list(samples.names) == [f"happy/{name}" for name in names]
    assert all(image.shape == (48, 48) for image in map(samples.images.__getitem__, range(4)))


def test_linked_class_folders_and_links_back_up(tmp_path):
    class_folders(tmp_path / "elsewhere", ["joy"])
    class_folders(tmp_path / "set", ["train/sad"])
    (tmp_path / "set/train/happy").symlink_to(tmp_path / "elsewhere/joy")
    (tmp_path / "set/train/sad/up").symlink_to(tmp_path / "set")
    samples = read_samples(tmp_path / "set")
    assert list(samples.names) == [
        *("train/happy/0.png", "train/happy/1.png"),
        *("train/sad/0.png", "train/sad/1.png"),
    ]
    assert samples.layout.endswith(
        "1 link to folders that are read already (train/sad/up) left out"
    )


def test_a_part_that_is_a_link_to_another_is_told(tmp_path):
    class_folders(tmp_path / "set", ["train/sad", "test/sad"])
    (tmp_path / "set/val").symlink_to("test")
    samples = read_samples(tmp_path / "set")
    assert len(samples) == 4
    assert samples.layout.endswith("1 link to folders that are read already (val) left out")


def test_an_unreadable_class_folder_is_an_error(tmp_path, monkeypatch):
    class_folders(tmp_path / "set", ["train/sad", "train/happy"])
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("happy"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match=r"cannot read .*train/happy: Permission denied"):
        read_samples(tmp_path / "set")


def test_a_name_that_two_members_have_is_told(tmp_path):
    faces = [png(face) for face in random_faces(2)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("happy/a.png", faces[0])
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("happy/a.png", faces[1])
    samples = read_samples(tmp_path / "a.zip")
    assert len(samples) == 1
    assert samples.layout.endswith("1 file whose name another one has left out")


def test_class_folders_and_a_csv_are_class_folders(tmp_path):
    written = class_folders(tmp_path / "set", below("train"))
    archive = zip_of(tmp_path / "a.zip", {**written, "labels.csv": b"name,label"})
    samples = read_samples(archive)
    assert len(samples) == 14
    assert "1 file of other kinds (.csv) left out" in samples.layout


ODD_NAMES = ["a" * 60_000, "x\x1b[2Jy", "\u202egnp.a", "a\nb", "\t"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_of_members_make_no_odd_messages(tmp_path, name):
    face = png(random_faces(1)[0])
    path = zip_of(tmp_path / "a.zip", {f"happy/{name}.png": face[:200], "sad/a.png": face})
    samples = read_samples(path)
    broken = [index for index, row in enumerate(samples.names) if row != "sad/a.png"]
    for index in broken:
        with pytest.raises(ImageError) as caught:
            samples.images[index]
        assert len(str(caught.value)) < 300
        assert str(caught.value).isprintable()
    refused = zip_of(tmp_path / "b.zip", {f"../{name}.png": face})
    with pytest.raises(DatasetError, match="points outside") as caught:
        read_samples(refused)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_a_member_without_a_name(tmp_path):
    """Its name has no last letter to look at."""
    face = png(random_faces(1)[0])
    content = zip_of(tmp_path / "a.zip", {"happy/a.png": face, "x": face}).read_bytes()
    table = content.rindex(b"PK\1\2")
    assert content[table + 28 : table + 30] == b"\1\0"
    # The letter counts as an extra field of an odd length, which readers pass over.
    content = content[: table + 28] + b"\0\0\1\0" + content[table + 32 :]
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    samples = read_samples(path)
    assert list(samples.names) == ["happy/a.png"]


@pytest.mark.parametrize("error", [RuntimeError, IndexError, OverflowError, struct.error])
def test_whatever_a_damaged_archive_raises_is_one_line(tmp_path, monkeypatch, error):
    path = zip_of(tmp_path / "a.zip", {"happy/a.png": png(random_faces(1)[0])})

    def fail(*arguments, **options):
        raise error("a reason")

    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", fail)
    with pytest.raises(DatasetError, match=r"a\.zip is damaged \(a reason\)"):
        read_samples(path)


def test_an_archive_in_an_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.writestr("data/archive.zip", b"PK")
    with pytest.raises(DatasetError, match=r"holds another archive, data/archive\.zip; unpack"):
        read_samples(tmp_path / "outer.zip")


@pytest.mark.parametrize("name", ["a.parquet", "b.XLSX", "c.json"])
def test_tables_of_other_kinds_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\3\4")
    with pytest.raises(SourceError, match=r"table of another kind; save it as \.csv"):
        read_samples(tmp_path / name)
