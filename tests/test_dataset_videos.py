"""Videos in parts: what is cut is what one pass gives, to the last digit."""

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="data sets need the extra table")

import mien
from command_line import mien as run_mien
from dataset_factory import table
from mien.sources.files import VideoFile
from mien.sources.video_parts import VideoPart, length_to_cut_s
from onnx_factory import write_model
from picture_factory import gradient, noise
from video_factory import make_clip, numbered_images

RATE_HZ = 10


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s with a keyframe each second, a cut in the middle of a GOP, and a dark second."""
    black = np.zeros((48, 64, 3), np.uint8)
    still, other = gradient(48, 64), noise(48, 64)
    pictures = [np.roll(still, number, axis=1) for number in range(25)]
    pictures += [np.roll(other, number, axis=1) for number in range(20)]
    pictures += [black] * 10
    pictures += [np.roll(still[::-1], number, axis=1) for number in range(25)]
    return make_clip(
        tmp_path_factory.mktemp("clip") / "a.mp4",
        pictures,
        frame_rate=RATE_HZ,
        stream={"gop_size": 10},
        options={"preset": "veryfast", "bf": "2", "x264-params": "open-gop=1:scenecut=0"},
    )


def in_parts(path: Path, edges: list[float]) -> tuple[list[tuple[int, float, bytes]], list[bool]]:
    found, are_regular, n_before = [], [], 0
    for start, end in zip(edges, [*edges[1:], None], strict=True):
        with VideoPart(path, start, end) as part:
            frames = [frame for frame in part.frames() if not frame.is_preroll]
            numbers = part.numbers([frame.time_s for frame in frames])
            found += [
                (n_before + int(number), frame.time_s, frame.image_rgb.tobytes())
                for number, frame in zip(numbers, frames, strict=True)
            ]
            n_before += part.n_frames
            are_regular.append(part.is_regular)
    return found, are_regular


@pytest.mark.parametrize("edges", [[0.0], [0.0, 3.0, 5.5], [0.0, 1.4, 1.6, 2.9, 4.0, 7.0]])
def test_parts_have_the_frames_of_one_pass(clip: Path, edges: list[float]) -> None:
    with VideoFile(clip) as source:
        whole = [(frame.number, frame.time_s, frame.image_rgb.tobytes()) for frame in source]
    assert len(whole) == 80
    found, are_regular = in_parts(clip, edges)
    assert found == whole
    assert all(are_regular)


def test_a_video_that_breaks_off_is_not_regular(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mkv", numbered_images(60), frame_rate=RATE_HZ, stream={"gop_size": 10}
    )
    assert length_to_cut_s(path) == pytest.approx(6.0, abs=0.2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    _, are_regular = in_parts(path, [0.0, 2.5])
    assert not all(are_regular)
    assert length_to_cut_s(make_clip(tmp_path / "b.avi", 10, codec="mpeg4")) is None


def test_samples_are_the_first_frames_of_intervals(clip: Path, tmp_path: Path) -> None:
    with VideoPart(clip, sample_rate_hz=2) as part:
        times_s = [frame.time_s for frame in part.frames()]
        assert times_s == pytest.approx(np.arange(0, 8, 0.5).tolist())
        assert part.numbers(times_s).tolist() == list(range(0, 80, 5))
        assert part.n_frames == 80
    sampled = []
    for start, end in ((0.0, 3.0), (3.0, 5.0), (5.0, None)):
        with VideoPart(clip, start, end, sample_rate_hz=2) as part:
            sampled += [frame.time_s for frame in part.frames() if not frame.is_preroll]
    assert sampled == times_s
    # Every second has a keyframe: no other frame is decoded.
    with VideoPart(clip, sample_rate_hz=0.5) as part:
        assert [frame.time_s for frame in part.frames()] == pytest.approx([0, 2, 4, 6])
        assert part.numbers([0, 2, 4, 6]).tolist() == [0, 20, 40, 60]


def rows_of_one_pass(place: Path, source: object, *options: object) -> list[dict[str, str]]:
    done = run_mien("recognize", source, "--table", "one.csv", *options, cwd=place)
    assert done.returncode in (0, 1), done.stderr
    with (place / "one.csv").open() as file:
        return list(csv.DictReader(file))


def as_text(rows: list[dict[str, object]]) -> list[dict[str, str]]:
    return [{key: "" if cell is None else str(cell) for key, cell in row.items()} for row in rows]


@pytest.mark.parametrize("part_s", [1, 3, 100])
def test_rows_are_those_of_one_pass(clip: Path, tmp_path: Path, part_s: int) -> None:
    write_model(tmp_path / "tiny.onnx")
    options = ("--model", "tiny.onnx", "--detector", "whole")
    done = run_mien(
        *("recognize", clip, "--dataset", "out", "--shard-s", part_s, *options), cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    one = rows_of_one_pass(tmp_path, clip, *options)
    assert len(one) == 80 and len({row["track"] for row in one}) == 3
    assert as_text(table(tmp_path / "out", "faces")) == one
    pictures = table(tmp_path / "out", "pictures")
    assert len(pictures) == {1: 8, 3: 3, 100: 1}[part_s]
    assert sum(row["n_frames"] for row in pictures) == 80
    assert {row["status"] for row in pictures} == {"ok"}
    assert not list((tmp_path / "out" / "_mien" / "sightings").iterdir())


def test_a_broken_video_keeps_what_came_before(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    path = make_clip(
        tmp_path / "a.mkv", numbered_images(60), frame_rate=RATE_HZ, stream={"gop_size": 10}
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    options = ("--model", "tiny.onnx", "--detector", "whole")
    done = run_mien(
        *("recognize", path, "--dataset", "out", "--shard-s", 2, *options), cwd=tmp_path
    )
    assert done.returncode == 1
    assert as_text(table(tmp_path / "out", "faces")) == rows_of_one_pass(tmp_path, path, *options)
    (bad,) = table(tmp_path / "out", "pictures")
    assert bad["status"] == "damaged" and "breaks off" in bad["error"]
    assert 10 < bad["n_frames"] < 60


def test_real_clips(shared_folder: Path, tmp_path: Path) -> None:
    media = shared_folder / "media"
    yunet = shared_folder / "models" / "face_detection_yunet_2023mar.onnx"
    assert run_mien("fetch", "yunet", "--from", yunet, cwd=tmp_path).returncode == 0
    done = run_mien(
        "recognize",
        *(media / "no_face.mp4", "--dataset", "empty", "--sample-rate", 2),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = table(tmp_path / "empty", "pictures")
    assert (row["status"], row["n_frames"], row["n_faces"]) == ("ok", 8, 0)
    assert table(tmp_path / "empty", "faces") == []
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    assert len(pandas.read_parquet(tmp_path / "empty" / "faces")) == 0
    talk = media / "WolfgangLanger_Pexels.mp4"
    done = run_mien(
        *("recognize", talk, "--dataset", "talk", "--shard-s", 5, "--sample-rate", 0.3),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    faces = table(tmp_path / "talk", "faces")
    assert [row["frame"] for row in faces] == [0, 144, 216, 288, 360, 432]
    assert all(row["track"] == 1 for row in faces)
    assert isinstance(mien.DatasetResult.__doc__, str)
