"""The cache of decoded csv files: when it is used, and that it never does harm."""

import os

import numpy as np
import pytest

from mien.cache_root import cache_root
from mien.data import cache, read_samples
from mien.errors import DatasetError
from samples_factory import fer_csv, random_faces

IMAGES = random_faces(3)
CSV = fer_csv(IMAGES, (0, 1, 2), ("Training", "PublicTest", "PrivateTest"))


@pytest.fixture
def csv_path(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(CSV)
    return path


@pytest.fixture
def readings(monkeypatch):
    """Counts how often a csv is really read."""
    count = []
    real = cache.read_fer_csv
    monkeypatch.setattr(cache, "read_fer_csv", lambda path: count.append(path) or real(path))
    return count


def entry_file(name):
    found = list((cache_root() / "samples").glob(f"*/{name}"))
    assert len(found) == 1
    return found[0]


def test_second_reading_comes_from_the_cache(csv_path, readings):
    first, second = read_samples(csv_path), read_samples(csv_path)
    assert len(readings) == 1
    assert np.array_equal(first.images, second.images)
    assert first.labels.tolist() == second.labels.tolist()
    assert first.splits.tolist() == second.splits.tolist() == ["train", "validation", "test"]
    assert list(first.names) == list(second.names)
    assert first.sha256() == second.sha256()
    assert first.images.flags.writeable == second.images.flags.writeable


def test_another_spelling_of_the_path_is_the_same_file(csv_path, readings, monkeypatch):
    read_samples(csv_path)
    monkeypatch.chdir(csv_path.parent)
    assert read_samples("./fer2013.csv").source == "./fer2013.csv"
    assert len(readings) == 1


def test_changed_file_is_read_again_and_replaces_its_entry(csv_path, readings):
    read_samples(csv_path)
    csv_path.write_bytes(CSV + CSV.splitlines(keepends=True)[1])
    assert len(read_samples(csv_path)) == 4
    os.utime(csv_path, ns=(1, 1))
    assert len(read_samples(csv_path)) == 4
    assert len(readings) == 3
    assert len(list((cache_root() / "samples").iterdir())) == 1


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "entry.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone"])
def test_damaged_entry_is_ignored_and_rewritten(csv_path, readings, name, damage):
    read_samples(csv_path)
    path = entry_file(name)
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        content[-20] ^= 255
        cut = {"cut": content[:-9], "flip": content, "empty": b""}[damage]
        path.write_bytes(bytes(cut))
    assert np.array_equal(read_samples(csv_path).images, IMAGES)
    assert np.array_equal(read_samples(csv_path).images, IMAGES)
    assert len(readings) == 2


def test_pickles_are_not_loaded(csv_path, readings):
    read_samples(csv_path)
    np.save(entry_file("labels.npy"), np.array([{}], dtype=object), allow_pickle=True)
    assert read_samples(csv_path).labels.tolist() == [0, 1, 2]
    assert len(readings) == 2


def test_cache_that_cannot_be_written_is_no_error(csv_path, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "file"))
    assert len(read_samples(csv_path)) == 3
    assert len(read_samples(csv_path)) == 3


def test_use_cache_false_neither_reads_nor_writes(csv_path, readings):
    read_samples(csv_path, use_cache=False)
    assert not cache_root().joinpath("samples").exists()
    read_samples(csv_path)
    read_samples(csv_path, use_cache=False)
    assert len(readings) == 3


def test_bad_file_leaves_no_entry(tmp_path):
    (tmp_path / "bad.csv").write_bytes(CSV + b"9,1 2,Training\n")
    with pytest.raises(DatasetError):
        read_samples(tmp_path / "bad.csv")
    assert not cache_root().joinpath("samples").exists()


def test_cache_root(monkeypatch, tmp_path):
    assert cache_root() == type(tmp_path)(os.environ["MIEN_CACHE"])
    monkeypatch.delenv("MIEN_CACHE")
    assert cache_root().name == "mien"
    monkeypatch.setenv("MIEN_CACHE", "")
    assert cache_root().name == "mien"
