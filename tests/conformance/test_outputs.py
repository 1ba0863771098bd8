"""What every output of a video must do; a new one is added to `OUTPUTS`."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import av
import numpy as np
import pytest

from mien.errors import MienError, OutputError
from mien.labels import FER2013
from mien.outputs.annotated_video import AnnotatedVideo
from mien.outputs.output import Output
from mien.outputs.segments import SegmentsFile
from mien.outputs.tables import JOURNAL_SUFFIX, Table
from mien.outputs.timeline import TimelineFile
from mien.results import Expression, Face, FrameResult
from mien.sources.source import Frame, SourceInfo
from video_factory import numbered_images

N_FRAMES = 60
"""Two and a half seconds: more than a fragment of a video, and two segments of each person."""
INFO = SourceInfo("v.mp4", 64, 48, 25.0, N_FRAMES / 25, N_FRAMES)
OLDER = b"what stood there before\n"
ODD_NAMES = (
    "Grüße an Zoë 😀 [1] 50%.mp4",
    "=1+1;\"a\",'b'.mp4",
    "</script><script>alert(1)</script>.mp4",
    "two\nlines\t.mp4",
    "no text \udcff.mp4",
    "rtsp://user:hunter2@host/1?token=hunter3",
)


@dataclass(frozen=True)
class Kind:
    """An output and what its documentation promises."""

    suffix: str
    make: Callable[[Path, SourceInfo], Output]
    read: Callable[[Path], int]
    """Frames, rows, segments or people's charts in a complete file; fails where it is damaged."""
    whole: int
    """What `read` gives for all frames."""
    grows: bool = False
    """Whether the file is at its place from the first frame on, and holds them at once."""
    without_frames: bool = True
    """Whether there is a file when no frame came."""
    growing_name: str = "{}"
    """Name of the file that grows, made from that of the output."""


def table(path: Path, info: SourceInfo) -> Output:
    if path.suffix.lower() == ".parquet":
        pytest.importorskip("pyarrow", reason="needs the table extra")
    return Table(path, FER2013.keys, of_videos=True)


def csv_rows(path: Path) -> int:
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
        assert reader.fieldnames is not None and len(set(reader.fieldnames)) >= 8
    assert all(None not in row and None not in row.values() for row in rows)
    return len(rows)


def json_lines(path: Path) -> int:
    return sum("faces" in json.loads(line) for line in path.read_text("utf-8").splitlines())


def parquet_rows(path: Path) -> int:
    import pyarrow.parquet

    return int(pyarrow.parquet.read_table(path).num_rows)


def json_segments(path: Path) -> int:
    return len(json.loads(path.read_text("utf-8"))["segments"])


def cues(path: Path) -> int:
    head, *blocks = path.read_text("utf-8").split("\n\n")
    assert head.strip() == "WEBVTT"
    times = r"\d\d:\d\d:\d\d\.\d{3}"
    for block in blocks:
        assert re.fullmatch(rf"{times} --> {times} line:-\d+\n[^\n]+\n?", block), block
    return len(blocks)


def charts(path: Path) -> int:
    page = path.read_text("utf-8")
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n")
    return page.count("<h2>Face #")


def video_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def segments(path: Path, info: SourceInfo) -> Output:
    return SegmentsFile(path)


def timeline(path: Path, info: SourceInfo) -> Output:
    return TimelineFile(path, info, FER2013, "tiny")


OUTPUTS = {
    "annotated video": Kind(
        ".mp4",
        lambda path, info: AnnotatedVideo(path, info),
        video_frames,
        N_FRAMES,
        grows=True,
        without_frames=False,
    ),
    "csv table": Kind(".csv", table, csv_rows, 2 * N_FRAMES, grows=True),
    "jsonl table": Kind(".jsonl", table, json_lines, N_FRAMES, grows=True),
    "json table": Kind(".json", table, json_lines, N_FRAMES, grows=True),
    "parquet table": Kind(
        *(".parquet", table, parquet_rows, 2 * N_FRAMES),
        grows=True,
        growing_name="{}" + JOURNAL_SUFFIX,
    ),
    "csv segments": Kind(".csv", segments, csv_rows, 4),
    "json segments": Kind(".json", segments, json_segments, 4),
    "vtt segments": Kind(".vtt", segments, cues, 4),
    "timeline": Kind(".html", timeline, charts, 2),
    "htm timeline": Kind(".htm", timeline, charts, 2),
}


@pytest.fixture(params=OUTPUTS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return OUTPUTS[request.param]


@pytest.fixture
def path(kind: Kind, tmp_path: Path) -> Path:
    """Where the output goes, in a folder of its own."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / f"a{kind.suffix}"


def shows(key: str) -> Expression:
    """An expression of 70 %."""
    return Expression(FER2013, tuple(0.7 if each == key else 0.05 for each in FER2013.keys))


def frames(
    n: int = N_FRAMES, *, source: str = "v.mp4", faces: bool = True
) -> Iterator[tuple[Frame, FrameResult]]:
    """Two people who both change what they show in the middle."""
    for number, image in enumerate(numbered_images(n)):
        key = "happy" if number < N_FRAMES // 2 else "sad"
        found = tuple(
            Face(box, 0.9, expression=shows(key), track=track, raw=shows(key))
            for track, box in ((1, (2.0, 4.0, 20.0, 24.0)), (2, (36.0, 10.0, 22.0, 26.0)))
        )
        result = FrameResult(64, 48, "fixed", found if faces else (), source, number, number / 25)
        yield Frame(image, number, number / 25), result


def write(output: Output, content: Iterable[tuple[Frame, FrameResult]]) -> None:
    for frame, result in content:
        output.write(frame, result)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def growing(kind: Kind, path: Path) -> Path:
    """The file that grows while frames come."""
    return path.with_name(kind.growing_name.format(path.name))


def test_it_says_where_it_writes_and_touches_nothing_yet(kind: Kind, path: Path):
    path.write_bytes(OLDER)
    output = kind.make(path, INFO)
    assert output.path == path
    assert names(path.parent) == [path.name]
    assert path.read_bytes() == OLDER


def test_every_frame_is_in_the_complete_file(kind: Kind, path: Path, capfd):
    path.write_bytes(OLDER)
    output = kind.make(path, INFO)
    write(output, frames())
    output.close()
    assert kind.read(path) == kind.whole
    assert names(path.parent) == [path.name], "only the file itself is left"
    assert capfd.readouterr() == ("", "")


def test_closing_twice_changes_nothing(kind: Kind, path: Path):
    output = kind.make(path, INFO)
    write(output, frames())
    output.close()
    content = path.read_bytes()
    output.close()
    assert path.read_bytes() == content
    assert names(path.parent) == [path.name]


def test_without_a_frame_there_is_an_empty_but_valid_file_or_none(kind: Kind, path: Path):
    output = kind.make(path, INFO)
    output.close()
    output.close()
    assert names(path.parent) == ([path.name] if kind.without_frames else [])
    if kind.without_frames:
        assert kind.read(path) == 0


def test_frames_without_faces(kind: Kind, path: Path):
    output = kind.make(path, INFO)
    write(output, frames(faces=False))
    output.close()
    whole = kind.whole if kind.read in (video_frames, json_lines) else 0
    assert kind.read(path) == whole


def test_folders_above_it_are_made(kind: Kind, tmp_path: Path):
    path = tmp_path / "new" / "newer" / f"a{kind.suffix}"
    output = kind.make(path, INFO)
    write(output, frames())
    output.close()
    assert kind.read(path) == kind.whole


def test_endings_are_checked_and_may_be_in_capitals(kind: Kind, tmp_path: Path):
    for name in ("a.xyz", "a", f"a{kind.suffix}.bak"):
        with pytest.raises(OutputError, match=re.escape(kind.suffix)) as caught:
            kind.make(tmp_path / name, INFO)
        assert name in str(caught.value) and "\n" not in str(caught.value)
    assert names(tmp_path) == []
    output = kind.make(tmp_path / f"A{kind.suffix.upper()}", INFO)
    write(output, frames())
    output.close()
    assert kind.read(output.path) == kind.whole


@pytest.mark.parametrize("name", ["Grüße an Zoë 😀 [1] 50%", "-a b'c;$(d)", "a.b.c"])
def test_odd_file_names(kind: Kind, tmp_path: Path, name: str):
    output = kind.make(tmp_path / f"{name}{kind.suffix}", INFO)
    write(output, frames())
    output.close()
    assert names(tmp_path) == [f"{name}{kind.suffix}"]
    assert kind.read(output.path) == kind.whole


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_of_sources(kind: Kind, path: Path, name: str):
    output = kind.make(path, replace(INFO, name=name))
    write(output, frames(source=name))
    output.close()
    assert kind.read(path) == kind.whole
    if kind.make is timeline:
        page = path.read_text("utf-8")
        assert page.count("<script>") == 1 and "hunter" not in page
        shown = name.encode("utf-8", "backslashreplace").decode()
        if "://" not in name:
            assert " ".join(shown.split()) in " ".join(unescape(page).split())


@contextmanager
def full_disk(after_bytes: int) -> Iterator[None]:
    """No file can be longer than so many bytes, as where a disk is full."""
    import resource  # not on every system

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def attempt(output: Output, content: Iterable[tuple[Frame, FrameResult]]) -> tuple[int, MienError]:
    """Write and close on a full disk: how many frames were taken, and the error."""
    taken = 0
    try:
        for frame, result in content:
            output.write(frame, result)
            taken += 1
        output.close()
    except MienError as error:
        return taken, error
    raise AssertionError("nothing was said about the full disk")


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources on this system")
def test_a_full_disk_is_told_on_one_line_and_once(kind: Kind, path: Path):
    output = kind.make(path, INFO)
    with full_disk(60):
        _, error = attempt(output, frames())
        output.close()
    output.close()
    assert isinstance(error, OutputError)
    assert str(path) in str(error) and "\n" not in str(error) and len(str(error)) < 300
    hidden = [name for name in names(path.parent) if name.startswith(".")]
    assert hidden == [], "no temporary file is left"


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources on this system")
def test_a_disk_that_fills_up_keeps_what_was_written(kind: Kind, path: Path):
    path.write_bytes(OLDER)
    n_frames = 3000 if kind.read is video_frames else 300
    output = kind.make(path, INFO)
    with full_disk(20_000 if kind.grows else 60):
        taken, error = attempt(output, frames(n_frames))
        output.close()
    assert isinstance(error, OutputError)
    if not kind.grows:
        assert path.read_bytes() == OLDER
        return
    assert 5 < taken < n_frames
    rest = growing(kind, path)
    per_frame = 2 if kind.whole == 2 * N_FRAMES else 1
    if kind.read is video_frames:
        assert taken - 2 * 25 <= video_frames(rest) <= taken
    else:
        reader = csv_rows if rest.suffix == ".csv" else kind.read
        assert reader(rest) == per_frame * taken


def test_places_that_cannot_be_written(kind: Kind, tmp_path: Path):
    (tmp_path / "file").write_text("")
    output = kind.make(tmp_path / "file" / f"a{kind.suffix}", INFO)
    _, error = attempt(output, frames())
    output.close()
    assert isinstance(error, OutputError)
    assert "cannot write" in str(error) and "\n" not in str(error)
    assert names(tmp_path) == ["file"]


CRASH = """
import os, sys
from pathlib import Path
from conformance.test_outputs import INFO, OUTPUTS, frames, write
for name, kind in OUTPUTS.items():
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    (folder / f"a{kind.suffix}").write_bytes(sys.argv[2].encode())
    output = kind.make(folder / f"a{kind.suffix}", INFO)
    write(output, frames())
    globals()[name] = output  # not even collected
os._exit(9)
"""


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each output, as a process leaves it that ends without closing anything."""
    pytest.importorskip("pyarrow", reason="needs the table extra")
    folder = tmp_path_factory.mktemp("crashed")
    tests = Path(__file__).parent.parent
    search = os.pathsep.join([str(tests), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", CRASH, folder, OLDER.decode()],
        env={**os.environ, "PYTHONPATH": search},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 9, done.stderr
    return folder


def test_a_crash_leaves_what_is_promised(crashed: Path, kind: Kind, request):
    folder = crashed / next(name for name, each in OUTPUTS.items() if each is kind)
    path = folder / f"a{kind.suffix}"
    rest = growing(kind, path)
    assert names(folder) == sorted({path.name, rest.name})
    if kind.read is video_frames:
        # The last fragment, of half a second, may be lost.
        assert N_FRAMES - 25 <= video_frames(path) <= N_FRAMES
    elif kind.grows:
        reader = csv_rows if rest.suffix == ".csv" else kind.read
        assert reader(rest) == kind.whole
    elif kind.make is timeline:
        # The page of the first frame; it is written anew once a minute.
        assert charts(path) == 2
        assert "still running when this page was written" in path.read_text("utf-8")
    if (not kind.grows and kind.make is not timeline) or rest != path:
        assert path.read_bytes() == OLDER


def test_frames_that_begin_late_and_come_irregularly(kind: Kind, path: Path):
    times_s = np.cumsum(np.random.default_rng(0).uniform(0.005, 0.2, N_FRAMES)) + 3600
    output = kind.make(path, INFO)
    for (frame, result), time_s in zip(frames(), times_s.tolist(), strict=True):
        output.write(replace(frame, time_s=time_s), replace(result, time_s=time_s))
    output.close()
    assert kind.read(path) == kind.whole
