import errno
import os

import pytest

from mien.errors import OutputError
from mien.files import atomic_file, atomic_folder, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_complete_and_alone(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_file(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".txt"
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(path.parent) == ["a.txt"]


def test_file_has_ordinary_permissions(tmp_path):
    write_text(tmp_path / "a.txt", "x")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()])
def test_failure_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_full_disk_is_one_line(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(OutputError, match="No space left") as caught, atomic_file(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space or name another place"),
        (errno.EACCES, "name a place that you may write to"),
        (errno.EIO, "name another place"),
    ],
)
def test_the_message_says_what_to_do(tmp_path, number, remedy):
    with pytest.raises(OutputError) as caught, atomic_file(tmp_path / "a.txt"):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).endswith(f"; nothing half-written was left; {remedy}")


@pytest.mark.parametrize("kind", [atomic_file, atomic_folder])
def test_failure_removes_the_folders_that_were_made(tmp_path, kind):
    (tmp_path / "old").mkdir()
    with pytest.raises(RuntimeError), kind(tmp_path / "old" / "new" / "newer" / "a"):
        raise RuntimeError("bug")
    assert names(tmp_path) == ["old"]
    assert names(tmp_path / "old") == []


@pytest.mark.parametrize("kind", [atomic_file, atomic_folder])
def test_failure_keeps_folders_that_others_use(tmp_path, kind):
    with pytest.raises(RuntimeError), kind(tmp_path / "new" / "newer" / "a"):
        (tmp_path / "new" / "theirs").write_text("x")
        raise RuntimeError("bug")
    assert names(tmp_path / "new") == ["theirs"]


def test_a_folder_in_place_of_the_file(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_text(tmp_path, "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"


def test_folder_appears_complete(tmp_path):
    with atomic_folder(tmp_path / "out") as temporary:
        (temporary / "a").write_text("1")
        assert names(tmp_path) == [temporary.name]
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["a"]


def test_folder_replaces_its_older_self_only(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("old")
    with atomic_folder(out) as temporary:
        (temporary / "a").write_text("new")
        (temporary / "b").write_text("new")
    assert (out / "a").read_text() == "new"
    (out / "mine").write_text("precious")
    with pytest.raises(OutputError, match=r"\(mine\)"), atomic_folder(out) as temporary:
        (temporary / "a").write_text("newer")
        (temporary / "b").write_text("newer")
    assert names(out) == ["a", "b", "mine"]
    assert (out / "a").read_text() == "new"
    assert names(tmp_path) == ["out"]


def test_failed_folder_leaves_the_old_one(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("old")
    with pytest.raises(RuntimeError), atomic_folder(out) as temporary:
        (temporary / "a").write_text("half")
        raise RuntimeError("bug")
    assert (out / "a").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("file")
    with pytest.raises(OutputError, match="is a file"), atomic_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out").read_text() == "file"
