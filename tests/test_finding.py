"""Folders: links, loops, what may not be looked at, and what is left out."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.errors import SourceError
from mien.finding import find_by_suffix, left_out, look_at, walk


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def locked(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Folders that may not be looked into; root may look into all."""
    scandir: Callable[..., Any] = os.scandir

    def refuse(path: Any = ".") -> Any:
        if Path(path).name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_linked_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    fill(tmp_path, "in/a.jpg", "in/sub/b.jpg", "elsewhere/c.jpg", "elsewhere/d/e.jpg")
    (tmp_path / "in/album").symlink_to("../elsewhere")
    (tmp_path / "in/sub/up").symlink_to("..")
    (tmp_path / "elsewhere/d/back").symlink_to(tmp_path / "in")
    tree = walk(tmp_path / "in")
    assert tree.files == ["a.jpg", "album/c.jpg", "album/d/e.jpg", "sub/b.jpg"]
    assert sorted(tree.repeated) == ["album/d/back", "sub/up"]


def test_a_link_to_a_neighbour_is_read_once_by_its_own_name(tmp_path: Path) -> None:
    fill(tmp_path, "new/a.jpg")
    (tmp_path / "latest").symlink_to("new")
    tree = walk(tmp_path)
    assert (tree.files, tree.repeated) == (["new/a.jpg"], ["latest"])


def test_folders_that_link_to_each_other_end_soon(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(12)]
    fill(tmp_path, *(f"{name}/{name}.jpg" for name in names))
    for name in names:
        for other in names:
            (tmp_path / name / f"to_{other}").symlink_to(tmp_path / other)
    tree = walk(tmp_path)
    assert len(tree.files) == 12
    assert len(tree.repeated) == 144


def test_links_to_files_count_and_links_to_nothing_are_found(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    (tmp_path / "c.jpg").symlink_to("gone.jpg")
    (tmp_path / "d.jpg").symlink_to("d.jpg")
    names = [path.name for path in find_by_suffix(tmp_path, {".jpg"})]
    assert names == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


def test_pipes_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert find_by_suffix(tmp_path, {".jpg"}) == []


def test_unreadable_folders_are_told_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a.jpg", "locked/b.jpg", "z/c.jpg")
    locked(monkeypatch, "locked", "all")
    tree = walk(tmp_path)
    assert tree.files == ["a.jpg", "z/c.jpg"]
    assert tree.unreadable == [("locked", "Permission denied")]
    with pytest.raises(SourceError, match=r"cannot read .*locked: Permission denied"):
        find_by_suffix(tmp_path, {".jpg"})
    fill(tmp_path, "all/d.jpg")
    with pytest.raises(SourceError, match=r"cannot read .*all: Permission denied"):
        walk(tmp_path / "all")


def test_hidden_files_are_counted(tmp_path: Path) -> None:
    fill(tmp_path, ".a.jpg", ".DS_Store", ".cache/b.jpg", "__MACOSX/c.jpg", "d/._e.jpg", "f.jpg")
    tree = walk(tmp_path)
    assert (tree.files, tree.hidden) == (["f.jpg"], 3)


def test_what_is_left_out_in_words() -> None:
    assert left_out([]) == ""
    assert left_out(["a/b.XMP"]) == "1 file of other kinds (.xmp) left out"
    names = ["a.txt", "b.txt", "c.txt", "d.json", "e.json", "f", "g.raw"]
    assert left_out(names, hidden=1, repeated=["up"]) == (
        "7 files of other kinds (.txt, .json, without an ending, ...), 1 hidden file, "
        "1 link to folders that are read already (up) left out"
    )
    assert left_out([], outside=1200) == "1,200 pictures outside of them left out"


def test_what_lies_at_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe")
    kinds = [look_at(tmp_path / name) for name in ("a.jpg", ".", "pipe", "none", "a.jpg/b")]
    assert kinds == ["file", "folder", "other", "nothing", "nothing"]
    for text in ("x" * 5000, "a\0b"):
        with pytest.raises(SourceError, match="cannot read"):
            look_at(text)

    def refuse(path: Any, **options: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(SourceError, match="Permission denied"):
        look_at(tmp_path / "a.jpg")


def test_pipes_and_devices_are_told() -> None:
    assert left_out([], devices=1) == "1 pipe or device left out"
    assert left_out(["a.txt"], devices=2, hidden=1) == (
        "1 file of other kinds (.txt), 2 pipes or devices, 1 hidden file left out"
    )
