"""``mien live`` as people run it, on SDL's driver that nobody sees and on a virtual display."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import av
import PIL.Image
import pytest
from typer.testing import CliRunner

from command_line import assert_fails_on_one_line, mien, start_mien
from live_factory import HandFed, wait_until
from mien.cli.app import app
from mien.errors import OutputError, VideoError
from mien.live import recording
from mien.sources.cameras import CameraEntry
from onnx_factory import write_model
from video_factory import make_clip

pytest.importorskip("pygame", reason="needs pygame-ce, of the extra live")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, a clip of 0.4 s, one of a minute and an empty cache."""
    folder = tmp_path_factory.mktemp("live")
    write_model(folder / "tiny.onnx")
    make_clip(folder / "clip.mp4", 10)
    make_clip(folder / "long.mp4", 600, frame_rate=10)
    return folder


@pytest.fixture(autouse=True)
def unseen_window(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def live(place, *arguments):
    options = ("--model", "tiny.onnx", "--detector", "whole")
    return mien("live", *arguments, *options, cwd=place)


def in_process(place, *arguments):
    options = ("--model", place / "tiny.onnx", "--detector", "whole")
    return CliRunner().invoke(app, ["live", *map(str, (*arguments, *options))])


def n_frames(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_file_plays_to_its_end(place, tmp_path):
    outputs = {
        option: tmp_path / name
        for option, name in {
            "--record": "r.mp4",
            "--table": "t.csv",
            "--segments": "s.vtt",
            "--timeline": "t.html",
        }.items()
    }
    done = live(place, "clip.mp4", *(word for pair in outputs.items() for word in pair))
    assert done.returncode == 0, done.stderr
    assert "frames shown" in done.stdout and "latency" in done.stdout
    hint, began, ended = done.stderr.splitlines()
    assert hint.startswith("mien: keys: q quits")
    assert began == f"mien: recording {outputs['--record']}"
    assert ended.startswith(f"mien: recorded {outputs['--record']}: 0:00, ")
    rows = rows_of(outputs["--table"])
    assert 1 <= len(rows) <= 10
    assert n_frames(outputs["--record"]) == len(rows)
    assert {row["source"] for row in rows} == {"clip.mp4"}
    assert outputs["--segments"].read_text().startswith("WEBVTT")
    assert outputs["--timeline"].stat().st_size > 0


def test_uncertain_faces_mirror_images_and_a_camera_on_its_side(place, tmp_path):
    table, recorded = tmp_path / "t.jsonl", tmp_path / "r.mp4"
    options = ("--min-confidence", "0.99", "--tta", "flip", "--rotate", "90")
    done = live(place, "clip.mp4", *options, "--table", table, "--record", recorded)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in table.read_text().splitlines()]
    assert results
    assert {(result["tta"], result["turned"]) for result in results} == {("flip", 90)}
    assert {result["faces"][0]["expression"] for result in results} == {"uncertain"}
    assert n_frames(recorded) >= 1


def test_a_recording_never_overwrites(place, tmp_path):
    (tmp_path / "r.mp4").write_bytes(b"older")
    done = in_process(place, place / "clip.mp4", "--record", tmp_path / "r.mp4")
    assert done.exit_code == 0
    assert (tmp_path / "r.mp4").read_bytes() == b"older"
    assert n_frames(tmp_path / "r-2.mp4") >= 1


def start(place, *arguments, environment=None):
    options = ("--model", "tiny.onnx", "--detector", "whole")
    return start_mien("live", *arguments, *options, cwd=place, environment=environment)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
def test_ctrl_c_completes_everything(place, tmp_path):
    process = start(
        place, "long.mp4", "--record", tmp_path / "r.mp4", "--table", tmp_path / "t.csv"
    )
    wait_until(lambda: (tmp_path / "t.csv").exists() and len(rows_of(tmp_path / "t.csv")) >= 3)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 130, stderr
    assert "frames shown" in stdout
    assert "Traceback" not in stderr
    assert "mien: recorded" in stderr.splitlines()[-1]
    # The last frame may have been recognised but not shown yet.
    assert 0 <= len(rows_of(tmp_path / "t.csv")) - n_frames(tmp_path / "r.mp4") <= 1


def test_a_camera_that_goes_away(place, tmp_path, monkeypatch):
    camera = HandFed()
    camera.give(1)
    camera.fail(VideoError("camera 0 went away after 0.0 s; connect it again and start anew"))
    monkeypatch.setattr("mien.live.session.open_frames", lambda source, on_event: camera)
    done = in_process(place, "--record", tmp_path / "r.mp4")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("mien: camera 0 went away")
    assert "mien: recorded" in done.stderr
    assert n_frames(tmp_path / "r.mp4") == 1


def test_what_befalls_a_stream_is_told(place, monkeypatch):
    stream = HandFed()

    def open_frames(source, on_event):
        on_event("while it is opened")
        stream.give(1)

        class Told(HandFed):
            def __iter__(self):
                yield from ()
                on_event("while it plays")

        return Told()

    monkeypatch.setattr("mien.live.session.open_frames", open_frames)
    done = in_process(place)
    assert done.exit_code == 0
    lines = done.stderr.splitlines()
    assert lines[0] == "mien: while it is opened"
    assert lines[-1] == "mien: while it plays"


def test_a_recording_that_fails_ends_with_1(place, tmp_path, monkeypatch):
    class Full(recording.VideoWriter):
        def write(self, image_rgb, time_s):
            raise OutputError("cannot write r.mp4: disk full")

    monkeypatch.setattr(recording, "VideoWriter", Full)
    done = in_process(place, place / "clip.mp4", "--record", tmp_path / "r.mp4")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == "mien: cannot write r.mp4: disk full"
    assert done.stderr.count("disk full") == 1
    assert "frames shown" in done.stdout


def test_without_a_window_the_error_names_the_other_command(place, monkeypatch):
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", "")
    if sys.platform != "linux":
        pytest.skip("other systems always have a display")
    assert_fails_on_one_line(live(place, "clip.mp4"), "cannot open a window", "mien recognize")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.mp4"], ["none.mp4"]),
        (["tiny.onnx"], ["tiny.onnx"]),
        (["."], ["is a folder"]),
        (["987"], ["camera 987"]),
        (["clip.mp4", "--record", "a.avi"], ["a.avi", ".mp4"]),
        (["clip.mp4", "--table", "a.xlsx"], ["a.xlsx", ".csv"]),
        (["clip.mp4", "--table", "a.csv", "--segments", "a.csv"], ["one file"]),
        (["clip.mp4", "--table", "clip.mp4/a.csv"], ["clip.mp4"]),
    ],
)
def test_bad_input_is_told_on_one_line(place, arguments, words, monkeypatch):
    monkeypatch.chdir(place)
    before = sorted(place.iterdir())
    done = in_process(place, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("mien: ")
    assert all(word in line for word in words), line
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize(
    "arguments", [["--size", "big"], ["clip.mp4", "--size", "64x48"], ["--search-side", "3"]]
)
def test_wrong_usage(place, arguments):
    assert in_process(place, *arguments).exit_code == 2


def test_size_and_mirror_are_for_cameras(place, monkeypatch):
    asked = []

    class Camera(HandFed):
        def __init__(self, device, *, size):
            super().__init__()
            asked.append((device, size))
            self.end()

    monkeypatch.setattr("mien.live.session.Camera", Camera)
    monkeypatch.setattr("mien.live.loop.Live.run", lambda run: asked.append(run._is_mirrored))
    assert in_process(place, "3", "--size", "1280x720").exit_code == 0
    assert in_process(place, "3", "--size", "1280x720", "--no-mirror").exit_code == 0
    assert asked == [(3, (1280, 720)), True, (3, (1280, 720)), False]
    assert in_process(place, place / "clip.mp4").exit_code == 0
    assert asked[-1] is False


def test_cameras_are_listed(monkeypatch):
    monkeypatch.setattr(
        "mien.live.session.list_cameras",
        lambda: (CameraEntry(2, "/dev/video2", "Eye [red]"), CameraEntry(4, None, "camera 4")),
    )
    done = CliRunner().invoke(app, ["live", "--list-cameras"])
    assert done.exit_code == 0
    title, first, second = done.stdout.splitlines()
    assert title.split() == ["camera", "device", "name"]
    assert first.split() == ["2", "/dev/video2", "Eye", "[red]"]
    assert second.split() == ["4", "camera", "4"]
    monkeypatch.setattr("mien.live.session.list_cameras", lambda: ())
    done = CliRunner().invoke(app, ["live", "--list-cameras"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "mien: no camera is connected\n"


@pytest.fixture
def display():
    """The name of a virtual display of its own."""
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as stream:
        number = stream.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(10)


def test_on_a_real_display(place, tmp_path, display):
    environment = {"DISPLAY": display, "SDL_VIDEODRIVER": ""}
    process = start(
        place, "long.mp4", "--snapshots", tmp_path, "--no-mirror", environment=environment
    )

    def press(*keys):
        subprocess.run(
            ["xdotool", "key", *keys], env={**os.environ, **environment}, check=True, timeout=20
        )

    try:
        lines = [process.stderr.readline()]
        assert "keys" in lines[0]
        time.sleep(0.3)  # the window takes the keyboard
        press("s", "r")
        lines += [process.stderr.readline(), process.stderr.readline()]
        time.sleep(0.5)
        press("m", "space", "h", "r", "Escape")
        stdout, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
    lines += stderr.splitlines()
    assert process.returncode == 0, lines
    (snapshot,) = tmp_path.glob("*.png")
    (recording,) = tmp_path.glob("*.mp4")
    text = "\n".join(lines)
    assert f"saved {snapshot}" in text
    assert f"recorded {recording}" in text
    with PIL.Image.open(snapshot) as picture:
        assert picture.size == (64, 48)
    assert n_frames(recording) >= 1
    assert "frames shown" in stdout
