"""What is named for a large job: folders, patterns, archives and addresses, as items and bytes."""

import os
import zipfile
from pathlib import Path

import pytest

from dataset_factory import write_pictures
from mien.errors import ImageTooLargeError, MissingExtraError, SourceError
from mien.sources import items
from mien.sources.items import Item, ItemReader, tar_pictures, zip_pictures
from mien.sources.listing import kind_by_name, list_items
from mien.sources.manifests import read_manifest
from mien.workflows.datasets.plan import Cutter
from picture_factory import encode, gradient, noise


def test_kinds_by_name() -> None:
    names = {"a.JPG": "picture", "b.tar.gz": "tar", "c.mp4": "video", "d.txt": None, "e.zip": None}
    assert {name: kind_by_name(name) for name in names} == names


def test_a_folder_is_listed_in_the_order_of_names(tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)
    (tmp_path / "notes.txt").write_text("nothing")
    frames = [encode(noise(seed=seed), "GIF") for seed in range(2)]
    (tmp_path / "still.gif").write_bytes(frames[0])
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("q/x.png", b"1")
        archive.writestr("q/.hidden.png", b"1")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    said: list[str] = []
    failed: list[str] = []
    found = list(list_items(str(tmp_path), on_left_out=said.append, on_failure=failed.append))
    assert [(item.source.removeprefix(f"{tmp_path}/"), item.kind) for item in found] == [
        ("a/00001.jpg", "picture"),
        ("b/00000.jpg", "picture"),
        ("b/00002.jpg", "picture"),
        ("some.zip/q/x.png", "picture"),
        ("still.gif", "picture"),
    ]
    assert found[3] == Item(f"{tmp_path}/some.zip/q/x.png", "picture", f"{tmp_path}/some.zip")
    assert said == [f"{tmp_path}: 1 file of other kinds (.txt) left out"]
    assert len(failed) == 1 and "broken.zip is damaged" in failed[0]
    assert list(list_items(f"{tmp_path}/*/*2.jpg")) == [Item(f"{tmp_path}/b/00002.jpg", "picture")]


@pytest.mark.parametrize("source", ["", "nothing", "no/*.jpg", "ftps2://a/b", "rtsp://a/b"])
def test_what_is_not_there_is_told(source: str) -> None:
    with pytest.raises((SourceError, MissingExtraError)):
        list(list_items(source))


def test_addresses_within_others_are_refused() -> None:
    for address in ("simplecache::memory://a", "reference://a", "zip://a.jpg::memory://b.zip"):
        with pytest.raises(SourceError):
            list(list_items(address))


def test_files_at_addresses_are_listed_and_read() -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec")
    system = fsspec.filesystem("memory")
    content = encode(gradient(), "PNG")
    for name in ("b/2.png", "b/1.png", "b/notes.txt"):
        system.pipe_file(f"/mien-test/{name}", content)
    found = list(list_items("memory://mien-test/b"))
    assert [item.source for item in found] == [
        "memory:///mien-test/b/1.png",
        "memory:///mien-test/b/2.png",
    ]
    assert list(list_items("memory://mien-test/b/*1.png")) == found[:1]
    with ItemReader() as reader:
        assert reader.read(found[0]) == content
        with pytest.raises(SourceError, match="no such file"):
            reader.read(Item("memory://mien-test/b/3.png", "picture"))
    system.rm("/mien-test", recursive=True)


def test_members_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MAX_FILE_BYTES", 100)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("big.png", bytes(1000))
        file.writestr("small.png", bytes(10))
    (tmp_path / "big.png").write_bytes(bytes(1000))
    assert zip_pictures(str(archive)) == ["big.png", "small.png"]
    with ItemReader() as reader:
        assert reader.read(Item(f"{archive}/small.png", "picture", str(archive))) == bytes(10)
        for item in (
            Item(f"{archive}/big.png", "picture", str(archive)),
            Item(str(tmp_path / "big.png"), "picture"),
        ):
            with pytest.raises(ImageTooLargeError):
                reader.read(item)
        with pytest.raises(SourceError, match="no such file"):
            reader.read(Item(f"{archive}/no.png", "picture", str(archive)))


def test_no_tar_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(SourceError, match="damaged"):
        list(tar_pictures(str(tmp_path / "a.tar")))


def test_shards_are_cut_as_items_come() -> None:
    named = [Item(f"{number}.jpg", "picture") for number in range(7)]
    named.insert(2, Item("a.tar", "tar"))
    named.insert(5, Item("no.mp4", "video"))
    cutter = Cutter(shard_pictures=3)
    shards = list(cutter.shards(iter(named)))
    assert [[row.source for row in rows] for rows in shards] == [
        ["a.tar"],
        ["0.jpg", "1.jpg", "2.jpg"],
        ["no.mp4"],
        ["3.jpg", "4.jpg", "5.jpg"],
        ["6.jpg"],
    ]
    assert shards[2][0].first_shard == 2
    assert (cutter.n_items, cutter.has_videos) == (9, True)


def test_manifests_in_csv_and_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    import pyarrow.parquet as pa_parquet

    (tmp_path / "a.csv").write_text("url,kind\nx.jpg,\nm.bin,video\n", encoding="utf-8")
    expected = [Item("x.jpg", "picture"), Item("m.bin", "video")]
    assert list(read_manifest(tmp_path / "a.csv")) == expected
    columns = {"source": ["x.jpg", "m.bin"], "kind": [None, "video"]}
    pa_parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert list(read_manifest(tmp_path / "a.parquet")) == expected


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    os.mkfifo(tmp_path / "fifo.jpg")
    said: list[str] = []
    assert len(list(list_items(str(tmp_path), on_left_out=said.append))) == 1
    assert said == [f"{tmp_path}: 1 pipe or device left out"]
