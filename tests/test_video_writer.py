import os
import signal
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mien.errors import OutputError
from mien.labels import FER2013
from mien.outputs.annotated_video import AnnotatedVideo
from mien.outputs.growing_file import GrowingFile
from mien.outputs.video_writer import VideoWriter
from mien.results import Expression, Face, FrameResult
from mien.sources.source import Frame, SourceInfo
from video_factory import make_clip, make_sound, number_of, numbered_images

PALETTE = [label.color_rgb for label in FER2013] + [(255, 255, 255), (0, 0, 0)]
VARIABLE_S = [0.0, 0.0334, 0.0667, 0.25, 0.3, 1.05, 1.0667, 2.4]


def write(path, images, times_s, **options):
    height, width = images[0].shape[:2]
    writer = VideoWriter(path, width_px=width, height_px=height, **options)
    for image, time_s in zip(images, times_s, strict=True):
        writer.write(image, time_s)
    writer.close()
    return path


def clip_of(path, n_frames, frame_rate=25.0, begin_s=0.0, **options):
    times_s = [begin_s + n / frame_rate for n in range(n_frames)]
    images = list(numbered_images(n_frames))
    return write(path, images, times_s, frame_rate_hz=frame_rate, **options)


def decoded(path):
    """Time and RGB pixels of each frame, as a player shows them."""
    with av.open(str(path)) as container:
        return [
            (frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]


def packets(path, kind):
    with av.open(str(path)) as container:
        (stream,) = getattr(container.streams, kind)
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]


def loudness(path, step_s=0.1):
    """Root mean square of the sound in steps of its timeline."""
    times_s, values = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            values.append(frame.to_ndarray()[0].astype(float))
            times_s.append(frame.time + np.arange(frame.samples) / frame.sample_rate)
    steps = (np.concatenate(times_s) / step_s).astype(int)
    squares = np.square(np.concatenate(values))
    return {step: float(np.sqrt(squares[steps == step].mean())) for step in np.unique(steps)}


def boxes(path):
    """Names of the boxes at the top of an MP4."""
    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, at + 8)
        found.append(name.decode())
        at += size
    return found


def run_python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_file_is_what_browsers_and_phones_play(tmp_path, capfd):
    path = clip_of(tmp_path / "new/a.mp4", 30)
    with av.open(str(path)) as container:
        (stream,) = container.streams
        context = stream.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert "mp4" in container.format.name
        assert float(stream.duration * stream.time_base) == pytest.approx(30 / 25, abs=1e-4)
        assert stream.average_rate == 25
    # An index in one piece, as of any MP4; fragments are within what it calls the media.
    assert boxes(path).count("moov") == 1
    assert "moof" not in boxes(path)
    assert capfd.readouterr() == ("", "")


def test_frames_keep_their_order_and_pixels(tmp_path):
    found = decoded(clip_of(tmp_path / "a.mp4", 40))
    assert [number_of(image) for _, image in found] == [n % 28 for n in range(40)]


@pytest.mark.parametrize("frame_rate", [23.976023976, 29.97002997, 60.0, 7.5])
def test_times_are_exact(tmp_path, frame_rate):
    times_s = [time_s for time_s, _ in decoded(clip_of(tmp_path / "a.mp4", 50, frame_rate))]
    assert times_s == pytest.approx([n / frame_rate for n in range(50)], abs=1e-4)


@pytest.mark.parametrize("frame_rate_hz", [None, 3.0, 0.0, 1e9, float("nan")])
def test_variable_frame_rates_are_kept(tmp_path, frame_rate_hz):
    images = list(numbered_images(len(VARIABLE_S)))
    path = write(tmp_path / "a.mp4", images, VARIABLE_S, frame_rate_hz=frame_rate_hz)
    assert [time_s for time_s, _ in decoded(path)] == pytest.approx(VARIABLE_S, abs=1e-4)
    with av.open(str(path)) as container:
        (stream,) = container.streams
        # Without a rate that can be, the last frame is shown as long as the one before it.
        end_s = 2.4 + (1 / 3 if frame_rate_hz == 3.0 else 2.4 - 1.0667)
        assert float(stream.duration * stream.time_base) == pytest.approx(end_s, abs=1e-3)


def test_a_video_that_begins_late_begins_late(tmp_path):
    path = clip_of(tmp_path / "a.mp4", 20, begin_s=0.48)
    assert decoded(path)[0][0] == pytest.approx(0.48, abs=1e-4)
    assert decoded(path)[-1][0] == pytest.approx(0.48 + 19 / 25, abs=1e-4)


@pytest.mark.parametrize(("size", "matrix"), [((360, 640), 6), ((720, 1280), 1)])
def test_colours_come_back_right(tmp_path, size, matrix):
    image = np.zeros((*size, 3), np.uint8)
    edges = np.linspace(0, size[1], len(PALETTE) + 1).astype(int)
    for left, right, color in zip(edges, edges[1:], PALETTE, strict=False):
        image[:, left:right] = color
    path = write(tmp_path / "a.mp4", [image] * 2, [0.0, 0.04])
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (matrix, 1)
        luma = np.array(frame.planes[0]).reshape(size[0], -1)
        rgb = frame.to_ndarray(format="rgb24")
    middles = (edges[:-1] + edges[1:]) // 2
    weights = {6: (0.299, 0.587, 0.114), 1: (0.2126, 0.7152, 0.0722)}[matrix]
    expected = [16 + 219 / 255 * float(np.dot(weights, color)) for color in PALETTE]
    assert [int(luma[9, x]) for x in middles] == pytest.approx(expected, abs=2)
    for x, color in zip(middles, PALETTE, strict=True):
        assert rgb[9, x].tolist() == pytest.approx(color, abs=6)


@pytest.mark.parametrize("size", [(47, 63), (1, 1), (2, 130), (241, 64)])
def test_odd_sizes_are_padded_with_their_edges(tmp_path, size):
    image = np.full((*size, 3), 200, np.uint8)
    ((_, found),) = decoded(write(tmp_path / "a.mp4", [image], [0.0]))
    assert found.shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    assert found.min() > 190


def test_frames_of_another_size_are_scaled(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", width_px=64, height_px=48)
    writer.write(np.full((48, 64, 3), 90, np.uint8), 0.0)
    writer.write(np.full((120, 161, 3), 90, np.uint8)[:, ::-1], 0.04)
    writer.close()
    assert [image.shape for _, image in decoded(tmp_path / "a.mp4")] == [(48, 64, 3)] * 2


def test_without_a_frame_there_is_no_file(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", width_px=64, height_px=48)
    writer.close()
    writer.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="closed"):
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)


def test_places_and_endings_that_cannot_be(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write a video as .*a\.avi; use one of \.mp4"):
        VideoWriter(tmp_path / "a.avi", width_px=64, height_px=48)
    (tmp_path / "b.mp4").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*b\.mp4: Is a directory"):
        VideoWriter(tmp_path / "b.mp4", width_px=64, height_px=48)
    assert [path.name for path in tmp_path.iterdir()] == ["b.mp4"]


def test_absurd_sizes_are_one_line(tmp_path, capfd):
    writer = VideoWriter(tmp_path / "a.mp4", width_px=100_000, height_px=2)
    with pytest.raises(OutputError, match="the encoder gave up") as caught:
        writer.write(np.zeros((2, 100_000, 3), np.uint8), 0.0)
    writer.close()
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_build_without_the_encoder_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"h264"})
    with pytest.raises(OutputError, match=r"no libx264; .*pip install .*av"):
        VideoWriter(tmp_path / "a.mp4", width_px=64, height_px=48)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_sound_is_copied(tmp_path, suffix):
    source = make_clip(tmp_path / f"in{suffix}", 50, audio=True)
    path = clip_of(tmp_path / "a.mp4", 50, audio_from=source)
    before, after = packets(source, "audio"), packets(path, "audio")
    assert [content for _, content in after] == [content for _, content in before]
    # Matroska rounds to milliseconds.
    assert [t for t, _ in after] == pytest.approx([t for t, _ in before], abs=1e-3)
    assert [t for t, _ in decoded(path)] == pytest.approx([n / 25 for n in range(50)], abs=1e-4)


def test_sound_is_interleaved_and_ends_with_the_video(tmp_path):
    source = make_clip(tmp_path / "in.mp4", 200, audio=True)
    path = clip_of(tmp_path / "a.mp4", 60, audio_from=source)
    times_s = [time_s for time_s, _ in packets(path, "audio")]
    assert 2.4 - 0.03 < times_s[-1] < 2.4
    with av.open(str(path)) as container:
        places = [(float(p.dts * p.time_base), p.pos) for p in container.demux() if p.size]
    # Fragments of half a second: a packet never lies before one that is much older.
    latest_s = 0.0
    for time_s, _ in sorted(places, key=lambda place: place[1]):
        latest_s = max(latest_s, time_s)
        assert time_s > latest_s - 0.7


@pytest.mark.parametrize("suffix", [".ts", ".mpg", ".avi"])
def test_sound_that_cannot_be_copied_is_encoded_in_sync(tmp_path, suffix):
    source = tmp_path / f"in{suffix}"
    codec = "mp2" if suffix != ".ts" else "aac"
    with av.open(str(source), "w") as container:
        video = container.add_stream("mpeg4" if suffix == ".avi" else "mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(codec, rate=44_100, layout="mono")
        for image in numbered_images(50):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        wave = np.zeros((1, 2 * 44_100), np.int16)
        wave[:, 44_100:] = 8000 * np.sin(np.arange(44_100) / 10)  # silent for a second, then loud
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 44_100, 0, Fraction(1, 44_100)
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    with av.open(str(source)) as container:
        origin_s = container.start_time / 1e6
    path = clip_of(tmp_path / "a.mp4", 50, audio_from=source, audio_origin_s=origin_s)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        assert container.streams.audio[0].codec_context.layout.nb_channels == 1
    levels = loudness(path)
    assert max(levels[step] for step in range(9)) < 0.02
    assert min(levels[step] for step in range(11, 19)) > 0.1


def test_sound_that_begins_late_has_silence_before_it(tmp_path):
    source = make_sound(tmp_path / "in.mp4", 2.0)
    # As if the frames' clock began 3 s before the sound's.
    path = clip_of(tmp_path / "a.mp4", 100, audio_from=source, audio_origin_s=-3.0)
    levels = loudness(path)
    assert packets(path, "audio")[0][0] == pytest.approx(0.0, abs=0.03)
    assert max(levels[step] for step in range(1, 29)) < 0.01
    assert min(levels[step] for step in range(31, 39)) > 0.05


@pytest.mark.parametrize("origin_s", [0.25, -0.5])
def test_sound_is_in_sync_where_starts_differ(tmp_path, origin_s):
    source = make_sound(tmp_path / "in.mp4", 2.0)
    path = clip_of(tmp_path / "a.mp4", 40, audio_from=source, audio_origin_s=origin_s)
    before = {content: time_s for time_s, content in packets(source, "audio")[5:]}
    after = {content: time_s for time_s, content in packets(path, "audio")}
    shared = before.keys() & after.keys()
    assert len(shared) > 30
    for content in shared:
        assert after[content] == pytest.approx(before[content] - origin_s, abs=1e-3)


def test_sources_without_sound_give_silent_videos(tmp_path):
    (tmp_path / "in.txt").write_text("no video")
    silent = make_clip(tmp_path / "silent.mp4", 5)
    for source in (tmp_path / "in.txt", tmp_path / "none.mp4", silent):
        path = clip_of(tmp_path / "a.mp4", 5, audio_from=source)
        with av.open(str(path)) as container:
            assert [stream.type for stream in container.streams] == ["video"]


def test_sound_that_breaks_off_does_not_end_the_video(tmp_path):
    source = make_clip(tmp_path / "in.ts", 100, audio=True, codec="mpeg2video")
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    path = clip_of(tmp_path / "a.mp4", 100, audio_from=source, audio_origin_s=1.4)
    assert len(decoded(path)) == 100


KILLED = """
import os, signal, sys
from test_video_writer import Path, VideoWriter, numbered_images
path, source, n_frames = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
audio = Path(source) if source else None
writer = VideoWriter(path, width_px=64, height_px=48, frame_rate_hz=25, audio_from=audio)
for number, image in enumerate(numbered_images(n_frames)):
    writer.write(image, number / 25)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
@pytest.mark.parametrize("with_sound", [False, True])
def test_a_killed_process_leaves_a_video_up_to_a_second_before(tmp_path, with_sound):
    source = make_clip(tmp_path / "in.mp4", 130, audio=True) if with_sound else ""
    path = tmp_path / "a.mp4"
    assert run_python(KILLED, path, source, 120).returncode == -signal.SIGKILL
    found = decoded(path)
    assert [t for t, _ in found] == pytest.approx([n / 25 for n in range(len(found))], abs=1e-4)
    assert found[-1][0] > 119 / 25 - 1.0
    if with_sound:
        assert packets(path, "audio")[-1][0] > 119 / 25 - 1.0


FULL = """
import resource, signal, sys
from test_video_writer import OutputError, Path, VideoWriter, numbered_images
import numpy as np
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
writer = VideoWriter(Path(sys.argv[1]), width_px=64, height_px=48, frame_rate_hz=25)
noise = np.random.default_rng(0)
try:
    for number in range(100):
        writer.write(noise.integers(0, 255, (48, 64, 3), dtype=np.uint8), number / 25)
    print(number, "complete")
    writer.close()
except OutputError as error:
    print(number, error)
writer.close()
"""


def kinds_of_boxes(path):
    """Kinds of the boxes that an MP4 is a row of, which has to end with the file."""
    content, kinds, offset = path.read_bytes(), [], 0
    while offset < len(content):
        length = int.from_bytes(content[offset : offset + 4], "big")
        kinds.append(content[offset + 4 : offset + 8].decode("ascii"))
        if length == 1:
            length = int.from_bytes(content[offset + 8 : offset + 16], "big")
        offset += length
    assert offset == len(content)
    return kinds


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources on this system")
def test_a_full_disk_is_one_line_and_leaves_a_video(tmp_path):
    path = tmp_path / "a.mp4"
    done = run_python(FULL, path, 100_000)
    assert (done.returncode, done.stderr) == (0, "")
    number, _, message = done.stdout.partition(" ")
    assert message.startswith(f"cannot write {path}: File too large; what was written before")
    assert message.count("\n") == 1
    assert kinds_of_boxes(path)[-2:] == ["moof", "mdat"]
    found = decoded(path)
    assert int(number) - 40 < len(found) <= int(number) + 1
    assert found[-1][0] == pytest.approx((len(found) - 1) / 25, abs=1e-4)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources on this system")
def test_a_disk_that_is_full_at_the_very_end_leaves_all_frames(tmp_path):
    whole, path = tmp_path / "whole.mp4", tmp_path / "a.mp4"
    assert "complete" in run_python(FULL, whole, 10**9).stdout
    # All frames fit, but not the index.
    done = run_python(FULL, path, whole.stat().st_size - 20)
    assert "99 complete\n99 cannot write" in done.stdout
    assert kinds_of_boxes(path)[-1] == "mdat"
    assert len(decoded(path)) == len(decoded(whole)) == 100


def test_a_growing_file_changes_its_head_last(tmp_path):
    file = GrowingFile(tmp_path / "new/a")
    file.write(b"head, body")
    file.seek(0)
    file.write(b"HEAD")
    assert file.tell() == 4
    assert file.path.read_bytes() == b"head, body"
    file.append(b", tail")
    assert file.path.read_bytes() == b"head, body, tail"
    file.close()
    file.close()
    assert file.path.read_bytes() == b"HEAD, body, tail"


def test_an_annotated_video_has_the_frames_with_what_was_found(tmp_path):
    source = make_clip(tmp_path / "in.mp4", 20, size=(320, 240), audio=True)
    expression = Expression(FER2013, (0, 0, 0, 1.0, 0, 0, 0))
    info = SourceInfo(str(source), 320, 240, 25.0, has_audio=True)
    output = AnnotatedVideo(tmp_path / "a.mp4", info, audio_from=source)
    assert not output.path.exists()
    image = np.full((240, 320, 3), 60, np.uint8)
    for number in range(20):
        faces = (Face((100.0, 80.0, 90.0, 100.0), 0.9, (), expression, 1),) * (number >= 10)
        result = FrameResult(320, 240, "fixed", faces, str(source), number, number / 25)
        output.write(Frame(image, number, number / 25), result)
    output.close()
    output.close()
    found = decoded(output.path)
    assert len(found) == 20
    near = np.abs(np.array([f for _, f in found], int) - FER2013[3].color_rgb).max(axis=3) < 30
    drawn = near.sum(axis=(1, 2))
    assert drawn[:10].max() == 0
    assert drawn[10:].min() > 300
    assert len(packets(output.path, "audio")) > 30


def test_an_annotated_video_without_frames_leaves_what_was_there(tmp_path):
    (tmp_path / "a.mp4").write_text("old")
    AnnotatedVideo(tmp_path / "a.mp4", SourceInfo("x", 64, 48)).close()
    assert (tmp_path / "a.mp4").read_text() == "old"
    with pytest.raises(OutputError, match=r"use one of \.mp4"):
        AnnotatedVideo(tmp_path / "a.mov", SourceInfo("x", 64, 48))


def test_the_real_clip_keeps_times_duration_and_sound(tmp_path, shared_folder):
    source = shared_folder / "media/WolfgangLanger_Pexels.mp4"
    with av.open(str(source)) as container:
        video = container.streams.video[0]
        duration_s = float(video.duration * video.time_base)
        frames = [frame for frame, _ in zip(container.decode(video), range(60), strict=False)]
    times_s = [frame.time for frame in frames]
    images = [frame.to_ndarray(format="rgb24") for frame in frames]
    rate = 24000 / 1001
    path = write(tmp_path / "a.mp4", images, times_s, frame_rate_hz=rate, audio_from=source)
    found = decoded(path)
    assert [time_s for time_s, _ in found] == pytest.approx(times_s, abs=1e-3)
    assert duration_s == pytest.approx(472 / rate, abs=1 / rate)
    error = np.abs(np.array([f for _, f in found], int) - np.array(images, int))
    assert error.mean() < 3.0
    expected = packets(source, "audio")
    copied = packets(path, "audio")
    assert [content for _, content in copied] == [c for _, c in expected[: len(copied)]]
    assert os.path.getsize(path) < 500_000
