"""What sources mean, and where annotated copies go."""

import os
from pathlib import Path, PurePath

import pytest

from mien.errors import OutputError, SourceError
from mien.sources import open_frames
from mien.sources.inputs import Picture, Video, find_inputs
from mien.workflows.copies import plan_copies
from video_factory import make_clip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("in/a.png", "in/sub/a.png", "in/b.gif", "in/b.png", "other/a.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


@pytest.fixture
def clips(folder: Path) -> Path:
    make_clip(folder / "in" / "a.mkv", 2)
    (folder / "in" / ".hidden.mp4").write_bytes(b"x")
    (folder / "in" / "notes.txt").write_bytes(b"x")
    return folder


def test_a_folder_holds_pictures_and_videos_in_order_of_their_names(clips: Path) -> None:
    found = find_inputs(str(clips / "in"))
    assert [(type(item), str(item.name)) for item in found] == [
        (Video, "a.mkv"),
        (Picture, "a.png"),
        (Picture, "b.gif"),
        (Picture, "b.png"),
        (Picture, str(PurePath("sub/a.png"))),
    ]


def test_a_folder_can_be_one_video(clips: Path) -> None:
    (found,) = find_inputs(str(clips / "in"), frame_rate_hz=12.5)
    assert found == Video(clips / "in", PurePath("in"), 12.5)


def test_files_are_told_by_what_they_are(clips: Path) -> None:
    clip = clips / "in" / "a.mkv"
    assert find_inputs(str(clip)) == [Video(clip, PurePath("a.mkv"))]
    renamed = clip.rename(clips / "renamed.bin")
    assert find_inputs(str(renamed)) == [Video(renamed, PurePath("renamed.bin"))]
    picture = clips / "in" / "b.png"
    assert find_inputs(str(picture)) == [Picture(picture, PurePath("b.png"))]


def test_addresses() -> None:
    assert find_inputs("http://x.y/talks/a%20b.mp4?t=1") == [
        Video("http://x.y/talks/a%20b.mp4?t=1", PurePath("a%20b.mp4"))
    ]
    secret = "RTSP://me:secret@cam/"
    assert find_inputs(secret) == [Video(secret, PurePath("cam"))]
    with pytest.raises(SourceError, match=r"^https://x.y/a.jpg is an address; download"):
        find_inputs("https://x.y/a.jpg")


def test_sources_that_are_not_there(folder: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        find_inputs(str(folder / "none"))
    (folder / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no pictures and no videos"):
        find_inputs(str(folder / "empty"))
    with pytest.raises(SourceError, match="empty"):
        find_inputs("")
    os.mkfifo(folder / "pipe.mp4")
    for device in ("/dev/null", str(folder / "pipe.mp4")):
        with pytest.raises(SourceError, match="pipe or device"):
            find_inputs(device)


def test_copies_keep_names_and_never_collide(clips: Path) -> None:
    inputs = [*find_inputs(str(clips / "in")), *find_inputs(str(clips / "other" / "a.png"))]
    copies = plan_copies(inputs, clips / "out")
    assert [str(copy.relative_to(clips / "out")) for copy in copies] == [
        *("a.mp4", "a.png", "b.png", "b-2.png", str(PurePath("sub/a.png")), "a-2.png")
    ]


def test_one_file_is_for_one_source(clips: Path) -> None:
    (picture,) = find_inputs(str(clips / "other" / "a.png"))
    (video,) = find_inputs(str(clips / "in" / "a.mkv"))
    assert plan_copies([picture], clips / "x.jpg") == [clips / "x.jpg"]
    assert plan_copies([video], clips / "x.mp4") == [clips / "x.mp4"]
    for inputs, name in (([picture, picture], "x.jpg"), ([picture, video], "x.mp4")):
        with pytest.raises(OutputError, match="name a folder"):
            plan_copies(inputs, clips / name)
    with pytest.raises(OutputError, match=r"cannot write videos as .*x.jpg; use one of .mp4"):
        plan_copies([video], clips / "x.jpg")
    with pytest.raises(OutputError, match=r"cannot write pictures as .*x.mp4; use one of .png"):
        plan_copies([picture], clips / "x.mp4")


def test_sources_are_never_overwritten(clips: Path) -> None:
    inputs = find_inputs(str(clips / "in"))
    with pytest.raises(OutputError, match="overwritten"):
        plan_copies(inputs, clips / "in")
    with pytest.raises(OutputError, match="overwritten"):
        plan_copies(inputs[1:2], clips / "in" / "a.png")
    (video,) = find_inputs(str(make_clip(clips / "c.mp4", 2)))
    with pytest.raises(OutputError, match="overwritten"):
        plan_copies([video], clips / "c.mp4")


@pytest.mark.parametrize("name", ["y.foo", "y.gif", "y.pdf", "y.Tar.GZ"])
def test_other_endings_are_no_folders(folder: Path, name: str) -> None:
    inputs = find_inputs(str(folder / "in"))
    with pytest.raises(OutputError, match=rf"as .*{name}; use one of \.png .* or .*{name}/ for a"):
        plan_copies(inputs[:1], folder / name)
    wanted = folder / name / "a.png"
    assert plan_copies(inputs[:1], f"{folder / name}/") == [wanted]
    wanted.parent.mkdir()
    assert plan_copies(inputs[:1], folder / name) == [wanted]


def test_folders_without_an_ending_are_made(folder: Path) -> None:
    inputs = find_inputs(str(folder / "in"))
    for name in ("new", ".hidden", "a.png/"):
        copies = plan_copies(inputs[-1:], f"{folder / 'x'}/{name}")
        assert copies[0].parent.parent == folder / "x" / name


def test_what_a_folder_holds_beside_is_told_once(clips: Path) -> None:
    told: list[str] = []
    find_inputs(str(clips / "in"), on_left_out=told.append)
    assert told == [
        f"{clips / 'in'}: 1 file of other kinds (.txt), 1 hidden file left out",
    ]
    find_inputs(str(clips / "other"), on_left_out=told.append)
    assert len(told) == 1


def test_linked_folders_are_followed_and_loops_are_told(folder: Path) -> None:
    (folder / "in" / "album").symlink_to("../other")
    (folder / "in" / "sub" / "up").symlink_to("..")
    told: list[str] = []
    found = find_inputs(str(folder / "in"), on_left_out=told.append)
    names = [str(item.name) for item in found]
    assert names == ["a.png", str(PurePath("album/a.png")), "b.gif", "b.png", "sub/a.png"]
    (line,) = told
    assert line.endswith("1 link to folders that are read already (sub/up) left out")


def test_unreadable_folders_are_told_and_the_rest_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    told: list[str] = []
    found = find_inputs(str(folder / "in"), on_failure=told.append)
    assert [str(item.name) for item in found] == ["a.png", "b.gif", "b.png"]
    assert told == [
        f"cannot read {folder / 'in' / 'sub'}: Permission denied; its files are left out"
    ]


def test_a_folder_of_other_files_says_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.raw").touch()
    with pytest.raises(SourceError, match=r"no pictures.*\(1 file of other kinds \(\.raw\)"):
        find_inputs(str(tmp_path))


@pytest.mark.parametrize("text", ["x" * 5000, "data:image/jpeg;base64," + "A" * 5000, "a\0b"])
def test_texts_that_are_no_paths(text: str) -> None:
    for call in (find_inputs, open_frames):
        with pytest.raises(SourceError, match="cannot read"):
            call(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_in_a_folder_are_told_and_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "in" / "fifo.jpg")
    os.mkfifo(folder / "in" / "fifo.mp4")
    told: list[str] = []
    find_inputs(str(folder / "in"), on_left_out=told.append)
    assert len(told) == 1 and "2 pipes or devices" in told[0]


def test_playlists_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nh264.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(SourceError, match="is a playlist"):
        find_inputs(str(tmp_path / "list.m3u8"))
