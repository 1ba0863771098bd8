"""`mien recognize` on videos, as people run it: whole, odd, broken and broken off."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest

from command_line import assert_fails_on_one_line, mien, start_mien
from mien.outputs.video_writer import VideoWriter
from mien.reports.wording import counted
from mien.sources import open_frames
from onnx_factory import write_model
from picture_factory import gradient
from video_factory import make_clip, make_sound

YUNET = "face_detection_yunet_2023mar.onnx"
WHOLE = ("--detector", "whole", "--model", "tiny.onnx")
"""Every frame is one face for a tiny network: quick, and no file from elsewhere."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_model(tmp_path / "tiny.onnx")
    return tmp_path


@pytest.fixture
def with_yunet(tmp_path: Path, shared_folder: Path) -> Path:
    models = tmp_path / "cache" / "models"
    models.mkdir(parents=True)
    shutil.copy(shared_folder / "models" / YUNET, models)
    return tmp_path


def times_of(path: Path) -> list[Fraction]:
    """Presentation times of the frames of a video, in order."""
    with av.open(str(path)) as container:
        (video,) = container.streams.video
        return sorted(
            packet.pts * packet.time_base
            for packet in container.demux(video)
            if packet.pts is not None and not packet.is_discard
        )


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_everything_in_one_pass(with_yunet: Path, shared_folder: Path) -> None:
    clip = shared_folder / "media" / "WolfgangLanger_Pexels.mp4"
    outputs = ("--out", "a.mp4", "--table", "t.parquet", "--table", "t.csv", "--table", "t.jsonl")
    outputs += ("--segments", "s.vtt", "--segments", "s.json", "--timeline", "t.html")
    done = mien("recognize", clip, *outputs, "--offline", cwd=with_yunet)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "472 frames, 0:19.7, 640 x 360, 1 track" in done.stdout

    rows = rows_of(with_yunet / "t.csv")
    assert len(rows) == 472
    assert {row["track"] for row in rows} == {"1"}
    lines = [json.loads(line) for line in (with_yunet / "t.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(472))
    assert all(len(line["faces"]) == 1 for line in lines)
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(with_yunet / "t.parquet")
    assert len(frame) == 472 and set(frame["track"]) == {1}
    assert frame["p_happy"].tolist() == pytest.approx([float(row["p_happy"]) for row in rows])

    source, copy = times_of(clip), times_of(with_yunet / "a.mp4")
    assert len(copy) == 472
    assert max(abs(a - b) for a, b in zip(source, copy, strict=True)) < Fraction(1, 1000)
    times = [float(row["time_s"]) for row in rows]
    assert times == pytest.approx([float(time_s) for time_s in source], abs=1e-6)
    with av.open(str(clip)) as before, av.open(str(with_yunet / "a.mp4")) as after:
        assert after.streams.video[0].codec_context.name == "h264"
        assert after.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert len(after.streams.audio) == len(before.streams.audio) == 1
        assert after.duration == pytest.approx(before.duration, abs=1e6 / 23)

    assert (with_yunet / "s.vtt").read_text().startswith("WEBVTT\n")
    segments = json.loads((with_yunet / "s.json").read_text())
    assert segments and "<html" in (with_yunet / "t.html").read_text()
    raw = [max((v, k) for k, v in row.items() if k.startswith("raw_p_"))[1] for row in rows]
    changes = sum(a != b for a, b in pairwise(raw))
    shown = [row["expression"] for row in rows]
    calm = sum(a != b for a, b in pairwise(shown))
    assert calm <= changes / 3


def test_a_video_without_a_face(with_yunet: Path, shared_folder: Path) -> None:
    clip = shared_folder / "media" / "no_face.mp4"
    done = mien(
        *("recognize", clip, "--table", "t.csv", "--out", "a.mp4", "--segments", "s.vtt"),
        *("--timeline", "t.html", "--offline"),
        cwd=with_yunet,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # Three of its 98 packets are before the beginning, and no player shows them.
    assert "95 frames" in done.stdout and "no face found" in done.stdout
    assert rows_of(with_yunet / "t.csv") == []
    assert len(times_of(with_yunet / "a.mp4")) == len(times_of(clip)) == 95


def test_json_has_a_line_per_frame_and_nothing_else(place: Path) -> None:
    make_clip(place / "a.mp4", 5)
    done = mien("recognize", "a.mp4", "--json", *WHOLE, cwd=place)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["source"], line["frame"]) for line in lines] == [("a.mp4", n) for n in range(5)]
    assert [line["time_s"] for line in lines] == pytest.approx([n / 25 for n in range(5)])
    (face,) = lines[0]["faces"]
    assert face["track"] == 1
    assert set(face["raw_probabilities"]) == set(face["probabilities"])


def test_photos_and_videos_in_one_table(place: Path) -> None:
    folder = place / "in"
    folder.mkdir()
    make_clip(folder / "b.mp4", 3)
    make_clip(folder / "c.mkv", 2)
    import PIL.Image

    PIL.Image.fromarray(gradient()).save(folder / "a.png")
    done = mien("recognize", "in", "--table", "t.csv", "--out", "out/", *WHOLE, cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    rows = rows_of(place / "t.csv")
    assert [(row["source"], row["track"]) for row in rows] == [
        ("in/a.png", ""),
        *[("in/b.mp4", "1")] * 3,
        *[("in/c.mkv", "1")] * 2,
    ]
    assert rows[0]["raw_p_happy"] == "" and rows[1]["raw_p_happy"] != ""
    assert sorted(path.name for path in (place / "out").iterdir()) == ["a.png", "b.mp4", "c.mp4"]


def test_a_folder_of_frames(place: Path) -> None:
    import PIL.Image

    (place / "frames").mkdir()
    for number in (1, 2, 10):
        image = np.full((48, 64, 3), 10 * number, np.uint8)
        PIL.Image.fromarray(image).save(place / "frames" / f"f{number}.png")
    done = mien(
        *("recognize", "frames", "--frame-rate", "2", "--table", "t.csv", "--out", "a.mp4"),
        *WHOLE,
        cwd=place,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["time_s"] for row in rows_of(place / "t.csv")] == ["0.0", "0.5", "1.0"]
    assert times_of(place / "a.mp4") == [0, Fraction(1, 2), 1]


def test_smoothing_can_be_switched_off(place: Path) -> None:
    make_clip(place / "a.mp4", 12)
    for half_life, same in (("0", True), ("0.5", False)):
        done = mien("recognize", "a.mp4", "--json", "--half-life", half_life, *WHOLE, cwd=place)
        faces = [json.loads(line)["faces"][0] for line in done.stdout.splitlines()]
        assert all(face["probabilities"] == face["raw_probabilities"] for face in faces) is same


def test_uncertain_faces_in_everything_that_is_written(place: Path) -> None:
    make_clip(place / "a.mp4", 12)
    outputs = ("--out", "b.mp4", "--table", "t.csv", "--table", "t.parquet", "--table", "t.jsonl")
    outputs += ("--segments", "s.csv", "--segments", "s.vtt", "--timeline", "t.html")
    unsure = ("--min-confidence", "0.99", "--tta", "flip")
    done = mien("recognize", "a.mp4", *unsure, *outputs, *WHOLE, cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tta flip)" in done.stdout and "Uncertain 100%" in done.stdout
    rows = rows_of(place / "t.csv")
    assert [row["expression"] for row in rows] == ["uncertain"] * 12
    for row in rows:
        most = max(float(value) for name, value in row.items() if name.startswith("p_"))
        assert float(row["confidence"]) == most < 0.99
    lines = [json.loads(line) for line in (place / "t.jsonl").read_text().splitlines()]
    assert {line["tta"] for line in lines} == {"flip"}
    assert {line["faces"][0]["expression"] for line in lines} == {"uncertain"}
    pandas = pytest.importorskip("pandas")
    assert set(pandas.read_parquet(place / "t.parquet")["expression"]) == {"uncertain"}
    (segment,) = rows_of(place / "s.csv")
    assert (segment["expression"], segment["n_frames"]) == ("uncertain", "12")
    assert (place / "s.vtt").read_text().endswith("\n#1 Uncertain\n")
    page = (place / "t.html").read_text()
    assert "Uncertain 100%" in page and "test-time augmentation: flip" in page
    assert len(times_of(place / "b.mp4")) == 12


def test_a_truncated_video_is_done_up_to_the_break(place: Path) -> None:
    whole = make_clip(place / "whole.mkv", 100, options={"g": "10"})
    (place / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    done = mien(*("recognize", "cut.mkv", "--table", "t.csv", "--out", "a.mp4", *WHOLE), cwd=place)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("mien: cut.mkv") and "breaks off" in line
    rows = rows_of(place / "t.csv")
    assert 30 <= len(rows) < 100
    assert len(times_of(place / "a.mp4")) == len(rows)
    assert f"{len(rows)} frames" in done.stdout


@pytest.fixture
def bad(place: Path) -> Path:
    make_sound(place / "sound.mp4")
    (place / "empty.mp4").touch()
    (place / "text.mp4").write_text("not a video\n" * 100)
    (place / "half.mp4").write_bytes(make_clip(place / "a.mp4", 30).read_bytes()[:600])
    return place


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sound.mp4", ["holds sound but no video"]),
        ("empty.mp4", ["empty"]),
        ("text.mp4", ["text.mp4"]),
        ("half.mp4", ["half.mp4"]),
        ("rtsp://127.0.0.1:9/live", ["rtsp://127.0.0.1:9/live"]),
        ("missing.mp4", ["no such file"]),
    ],
)
def test_what_is_no_video(bad: Path, name: str, words: list[str]) -> None:
    old = bad / "t.csv"
    old.write_text("kept\n")
    done = mien("recognize", name, "--table", "t.csv", "--out", "b.mp4", *WHOLE, cwd=bad)
    assert_fails_on_one_line(done, *words)
    assert not (bad / "b.mp4").exists()
    assert old.read_text() == "kept\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--table", "t.csv", "--segments", "t.csv"), ["t.csv and t.csv are one file"]),
        (("--table", "A.csv", "--segments", "a.csv"), ["are one file"]),
        (("--out", "a.mp4"), ["a.mp4 is a source"]),
        (("--table", "a.mp4.xlsx"), ["cannot write a table as a.mp4.xlsx"]),
        (("--timeline", "t.pdf"), ["cannot write a timeline"]),
        (("--segments", "s.srt"), [".vtt"]),
        (("--out", "a.avi"), ["cannot write videos as a.avi"]),
    ],
)
def test_bad_outputs_are_told_before_the_work(
    place: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    make_clip(place / "a.mp4", 3)
    before = (place / "a.mp4").read_bytes()
    assert_fails_on_one_line(mien("recognize", "a.mp4", *arguments, *WHOLE, cwd=place), *words)
    assert sorted(path.name for path in place.iterdir()) == ["a.mp4", "tiny.onnx"]
    assert (place / "a.mp4").read_bytes() == before


def test_a_frame_rate_is_for_folders(place: Path) -> None:
    make_clip(place / "a.mp4", 3)
    for rate in ("10", "inf", "nan"):
        done = mien("recognize", "a.mp4", "--frame-rate", rate, *WHOLE, cwd=place)
        assert done.returncode == 2 and "--frame-rate" in done.stderr


def test_without_stdout(place: Path) -> None:
    make_clip(place / "a.mp4", 3)
    code = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, '-c', "
    code += "'from mien.cli.app import main; main()', *sys.argv[1:]])"
    command = [sys.executable, "-c", code, "recognize", "a.mp4", "--table", "t.csv", *WHOLE]
    done = subprocess.run(command, cwd=place, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows_of(place / "t.csv")) == 3


def test_a_reader_that_goes_away_is_told_what_the_files_hold(place: Path, long_clip: Path) -> None:
    running = start_mien("recognize", long_clip, "--json", "--table", "t.csv", *WHOLE, cwd=place)
    assert running.stdout is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(timeout=60) == 1
    assert running.stderr is not None
    assert "stdout closed; files hold long.mp4 up to" in running.stderr.read()
    running.stderr.close()


def test_segments_are_of_one_video(place: Path) -> None:
    make_clip(place / "a.mp4", 3)
    make_clip(place / "b.mp4", 3)
    done = mien("recognize", "a.mp4", "b.mp4", "--segments", "s.vtt", *WHOLE, cwd=place)
    assert done.returncode == 2 and "is about one video, and 2 were named" in done.stderr
    PIL.Image.new("RGB", (64, 64)).save(place / "a.png")
    done = mien("recognize", "a.png", "--segments", "s.vtt", *WHOLE, cwd=place)
    assert done.returncode == 2 and "about a video, and a.png is a photo" in done.stderr
    assert not (place / "s.vtt").exists()


def wait_for_rows(path: Path, count: int) -> None:
    for _ in range(600):
        if path.exists() and path.read_bytes().count(b"\n") > count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never had {count} rows")


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 255, (36, 64, 3), np.uint8)
    images = [np.roll(tile, number, axis=1).repeat(10, 0).repeat(10, 1) for number in range(64)]
    return make_clip(folder / "long.mp4", images * 25)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_being_stopped_completes_everything(
    place: Path, long_clip: Path, number: signal.Signals, code: int
) -> None:
    outputs = ("--table", "t.csv", "--table", "t.parquet", "--out", "a.mp4")
    outputs += ("--segments", "s.vtt", "--timeline", "t.html")
    running = start_mien("recognize", long_clip, *outputs, *WHOLE, cwd=place)
    wait_for_rows(place / "t.csv", 50)
    running.send_signal(number)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    assert len(stderr.splitlines()) == 1 and "interrupted" in stderr
    rows = rows_of(place / "t.csv")
    assert 50 <= len(rows) < 1600
    assert len(times_of(place / "a.mp4")) == len(rows)
    assert (place / "s.vtt").read_text().startswith("WEBVTT")
    assert "</html>" in (place / "t.html").read_text()
    pandas = pytest.importorskip("pandas")
    assert len(pandas.read_parquet(place / "t.parquet")) == len(rows)
    assert not list(place.glob("*.part*")) and not list(place.glob(".*"))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_photos_that_were_done_stay_done(
    place: Path, tmp_path: Path, workers: str, number: signal.Signals, code: int
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(folder / "0000.png")
    for photo in range(1, 2000):
        os.link(folder / "0000.png", folder / f"{photo:04d}.png")
    outputs = ("--table", "t.csv", "--out", "copies/", "--workers", workers)
    running = start_mien("recognize", folder, *outputs, *WHOLE, cwd=place)
    copies = place / "copies"
    for _ in range(600):
        if copies.is_dir() and len(list(copies.glob("*.png"))) >= 60:
            break
        time.sleep(0.05)
    running.send_signal(number)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    told = re.fullmatch(r"mien: interrupted; files hold the first ([\d,]+) of 2,000\n", stderr)
    assert told is not None, stderr
    rows = rows_of(place / "t.csv")
    assert len(rows) == int(told[1].replace(",", "")) >= 1
    assert all((copies / Path(row["source"]).name).exists() for row in rows)
    assert not list(place.rglob("*.part*")) and not list(place.rglob(".*"))


def test_kill_leaves_a_video_that_plays_and_all_rows(place: Path, long_clip: Path) -> None:
    running = start_mien(
        "recognize", long_clip, "--table", "t.csv", "--out", "a.mp4", *WHOLE, cwd=place
    )
    wait_for_rows(place / "t.csv", 150)
    running.kill()
    running.communicate(timeout=60)
    rows = rows_of(place / "t.csv")
    assert [int(row["frame"]) for row in rows] == list(range(len(rows)))
    with av.open(str(place / "a.mp4")) as container:
        decoded = [frame.time for frame in container.decode(video=0)]
    assert decoded[-1] >= float(rows[-1]["time_s"]) - 2.0


def beginning(source: Path, path: Path, n_frames: int) -> Path:
    """The first frames of a video, as a video."""
    with open_frames(str(source)) as frames:
        video = VideoWriter(path, width_px=640, height_px=360, frame_rate_hz=24)
        for frame in islice(frames, n_frames):
            video.write(frame.image_rgb, frame.time_s)
        video.close()
    return path


def test_the_same_from_python(shared_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    import mien as package

    recognizer = package.Recognizer(detector="haar", search_side_px=320)
    media = shared_folder / "media"
    clip = beginning(media / "WolfgangLanger_Pexels.mp4", tmp_path / "clip.mp4", 120)
    result = package.recognize_video(
        clip, recognizer=recognizer, table=tmp_path / "t.csv", segments=[tmp_path / "s.vtt"]
    )
    assert len(result.frames) == result.summary.n_frames == 120
    frame = result.to_dataframe()
    assert len(frame) == result.summary.n_faces == len(rows_of(tmp_path / "t.csv")) > 100
    assert set(frame["track"]) == {track.track for track in result.summary.tracks}
    assert repr(result).endswith(
        f"120 frames, 1 track, {counted(len(result.segments), 'segment')})"
    )
    assert len(result.segments_to_dataframe()) == len(result.segments) > 0
    assert (tmp_path / "s.vtt").read_text().count("-->") == len(result.segments)
    unsure = package.Recognizer(detector="haar", search_side_px=320, min_confidence=0.7, tta="flip")
    result = package.recognize_video(clip, recognizer=unsure)
    assert (result.summary.tta, result.summary.min_confidence) == ("flip", 0.7)
    assert result.summary.tracks[0].shares[package.UNCERTAIN] > 0.1
    assert "uncertain" in set(result.to_dataframe()["expression"])
    assert "uncertain" in set(result.segments_to_dataframe()["expression"])
    for wrong in ({"min_confidence": 0.5}, {"tta": "flip"}):
        with pytest.raises(ValueError, match="the recognizer is there already"):
            package.recognize_video(clip, recognizer=recognizer, **wrong)
    with pytest.raises(ValueError, match="min_confidence"):
        package.recognize_video(clip, min_confidence=2.0)
    with pytest.raises(package.MienError, match="no such file"):
        package.recognize_video(tmp_path / "none.mp4", recognizer=recognizer)
