"""Video files: times, turned pictures, colours, sizes, and files that are broken or none."""

import gc
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest

from mien.errors import SourceError, VideoError
from mien.sources.avi import count_pictures
from mien.sources.files import VideoFile
from mien.sources.timestamps import Timeline
from video_factory import make_clip, make_sound, number_of, numbered_images, without_pictures

FASTSTART = {"movflags": "faststart"}


def busy_images(n_frames: int, seed: int = 0) -> list[np.ndarray]:
    """Pictures that do not compress well, so that frames are large in a file."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (n_frames, 30, 40, 3), dtype=np.uint8)
    return list(np.repeat(np.repeat(small, 4, axis=1), 4, axis=2))


def flat(value: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), value, np.uint8)


def read(path: Path, **options) -> list:
    with VideoFile(path, **options) as source:
        return list(source)


def times_of(path: Path) -> list[float]:
    return [frame.time_s for frame in read(path)]


# --- times


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_variable_frame_rate(tmp_path, suffix):
    times_s = [0, 0.04, 0.5, 0.51, 2.0]
    path = make_clip(tmp_path / f"a{suffix}", 5, times_s=times_s)
    assert times_of(path) == pytest.approx(times_s, abs=5e-4)


def test_times_are_those_of_the_container(shared_folder):
    path = shared_folder / "media" / "WolfgangLanger_Pexels.mp4"
    with av.open(str(path)) as container:
        expected = [frame.time for frame in container.decode(video=0)]
    with VideoFile(path) as source:
        info = source.info
        assert [frame.time_s for frame in source] == expected
    assert (info.width_px, info.height_px, info.n_frames) == (640, 360, 472)
    assert info.frame_rate_hz == pytest.approx(24000 / 1001)
    assert info.duration_s == pytest.approx(19.685)
    assert info.has_audio
    assert not info.is_live


def test_a_file_with_fewer_frames_than_it_announces_is_whole(shared_folder):
    """Its edit list hides three of 98 frames."""
    warnings: list[str] = []
    frames = read(shared_folder / "media" / "no_face.mp4", on_warning=warnings.append)
    assert len(frames) == 95
    assert warnings == []


def test_time_begins_where_the_container_begins(tmp_path):
    """An MPEG programme stream begins at about half a second of its own clock."""
    path = make_clip(tmp_path / "a.mpg", 20, codec="mpeg2video")
    with VideoFile(path) as source:
        assert source.info.origin_s > 0.1
        assert [frame.time_s for frame in source] == pytest.approx(np.arange(20) / 25, abs=1e-3)


def test_video_that_begins_after_the_sound(tmp_path):
    times_s = [0.5, 0.54, 0.58]
    path = make_clip(tmp_path / "a.mkv", 3, times_s=times_s, audio=True)
    with VideoFile(path) as source:
        assert source.info.has_audio
        assert [frame.time_s for frame in source] == pytest.approx(times_s, abs=2e-3)


def seconds(*stamps):
    return [None if stamp is None else Fraction(stamp).limit_denominator(1000) for stamp in stamps]


def placed(stamps, origin=0, interval=Fraction(1, 25)):
    timeline = Timeline(interval, origin if origin is None else Fraction(origin))
    return [timeline.time_of(stamp) for stamp in seconds(*stamps)]


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ((0, 0.04, 0.08), (0, 0.04, 0.08)),
        ((None, None, None), (0, 0.04, 0.08)),
        ((0, None, 0.08), (0, 0.04, 0.08)),
        # A repeated time moves one frame, not all that follow.
        ((0, 0.04, 0.04, 0.08), (0, 0.04, 0.06, 0.08)),
        ((0, 0.08, 0.04, 0.12), (0, 0.08, 0.1, 0.12)),
        ((-0.02, 0.02), (0, 0.02)),
        # Another clock: a second recording behind the first.
        ((0, 5, 0, 0.04), (0, 5, 5.04, 5.08)),
        ((0, 0.04, 100), (0, 0.04, 100)),
    ],
)
def test_times_that_do_not_increase(stamps, times):
    assert placed(stamps) == pytest.approx(times)
    assert placed([s if s is None else s + 7 for s in stamps], origin=7) == pytest.approx(times)


def test_slow_frames_out_of_order_are_no_other_clock():
    assert placed((0, 4, 2, 6), interval=Fraction(2)) == pytest.approx((0, 4, 5, 6))
    assert placed((0, 6, 0, 2), interval=Fraction(2)) == pytest.approx((0, 6, 8, 10))


def test_a_clock_without_a_known_beginning_begins_with_the_first_frame():
    assert placed((9, 9.04), origin=None) == pytest.approx((0, 0.04))


def test_a_clock_that_goes_on_after_a_break():
    timeline = Timeline(Fraction(1, 25))
    assert [timeline.time_of(stamp) for stamp in seconds(3, 3.04)] == pytest.approx([0, 0.04])
    timeline.resume(2.5)
    assert [timeline.time_of(stamp) for stamp in seconds(0.1, 0.14)] == pytest.approx([2.5, 2.54])
    timeline.resume(0)
    assert timeline.time_of(Fraction(70)) == pytest.approx(2.58)
    assert timeline.end_s == pytest.approx(2.62)


# --- turned pictures


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_turned_and_mirrored(tmp_path, rotation, mirrored):
    """A player shows the stored picture turned counter-clockwise, then mirrored left to right."""
    stored = next(iter(numbered_images(1)))
    path = make_clip(tmp_path / "a.mp4", [stored], rotation=rotation, mirrored=mirrored)
    expected = np.rot90(stored, rotation // 90)
    if mirrored:
        expected = expected[:, ::-1]
    with VideoFile(path) as source:
        (frame,) = source
        size = (source.info.height_px, source.info.width_px)
    assert frame.image_rgb.shape[:2] == expected.shape[:2] == size
    difference = np.abs(frame.image_rgb.astype(int) - expected)
    assert np.median(difference) < 3
    assert np.percentile(difference, 80) < 20


# --- colours


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [
        ("libx264", "yuv420p"),
        ("libx264", "yuv422p"),
        ("libx264", "yuv444p"),
        ("libx264", "yuvj420p"),
        ("libx264", "yuv420p10le"),
        ("libx264", "nv12"),
        ("ffv1", "yuv422p12le"),
        ("ffv1", "yuva420p"),
        ("ffv1", "bgra"),
        ("ffv1", "gbrp10le"),
        ("ffv1", "rgb48le"),
        ("mjpeg", "yuvj422p"),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (62, 50)])
def test_pixel_formats(tmp_path, codec, pixel_format, size):
    colours = [(200, 60, 90), (10, 240, 128), (255, 255, 255), (0, 0, 0), (127, 127, 127)]
    path = make_clip(
        tmp_path / "a.mkv",
        [flat(colour, size) for colour in colours],
        codec=codec,
        pixel_format=pixel_format,
    )
    frames = read(path)
    assert len(frames) == len(colours)
    for frame, colour in zip(frames, colours, strict=True):
        assert np.abs(frame.image_rgb.astype(int) - colour).max() <= 5


@pytest.mark.parametrize("pixel_format", ["gray", "gray10le", "gray16le"])
def test_grey(tmp_path, pixel_format):
    path = make_clip(
        tmp_path / "a.mkv", [flat((v, v, v)) for v in (0, 128, 255)],
        codec="ffv1", pixel_format=pixel_format,
    )  # fmt: skip
    for frame, value in zip(read(path), (0, 128, 255), strict=True):
        assert np.abs(frame.image_rgb.astype(int) - value).max() <= 1


def raw_clip(path: Path, luma_blue_red: tuple[int, int, int], size, **tags) -> Path:
    """One frame with these stored values, and tags that say how they are meant."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        frame = av.VideoFrame(*size, "yuv420p")
        for plane, value in zip(frame.planes, luma_blue_red, strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        for name, value in tags.items():
            setattr(frame, name, value)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


BT709, BT601, UNSPECIFIED = 1, 6, 2
LIMITED, FULL = 1, 2


def formula(stored, red_weight, blue_weight, *, full):
    """R'G'B' of Y'CbCr. Source: ITU-R BT.601-7, BT.709-6 and H.273."""
    luma, blue, red = (float(value) for value in stored)
    if full:
        luma, blue, red = luma, blue - 128, red - 128
    else:
        luma, blue, red = (luma - 16) * 255 / 219, (blue - 128) * 255 / 224, (red - 128) * 255 / 224
    r = luma + 2 * (1 - red_weight) * red
    b = luma + 2 * (1 - blue_weight) * blue
    return r, (luma - red_weight * r - blue_weight * b) / (1 - red_weight - blue_weight), b


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("tag", "size", "weights"),
    [
        (BT601, (64, 48), (0.299, 0.114)),
        (BT709, (64, 48), (0.2126, 0.0722)),
        (UNSPECIFIED, (64, 48), (0.299, 0.114)),
        (UNSPECIFIED, (64, 720), (0.2126, 0.0722)),
        (BT601, (64, 720), (0.299, 0.114)),
    ],
)
def test_colour_matrix_and_range(tmp_path, tag, size, weights, full):
    stored = (120, 90, 170)
    path = raw_clip(
        tmp_path / "a.mkv", stored, size, colorspace=tag, color_range=FULL if full else LIMITED
    )
    (frame,) = read(path)
    expected = formula(stored, *weights, full=full)
    assert np.abs(frame.image_rgb[size[1] // 2, 32] - np.array(expected)).max() <= 3


def test_transparency_is_laid_on_white(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgra"
        for alpha in (0, 128, 255):
            bgra = np.full((48, 64, 4), (0, 0, 200, alpha), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bgra, format="bgra")))
        container.mux(stream.encode(None))
    colours = [frame.image_rgb[20, 20].tolist() for frame in read(tmp_path / "a.mkv")]
    assert colours == [[255, 255, 255], [227, 127, 127], [200, 0, 0]]


# --- sizes


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        (Fraction(16, 11), (93, 48)),
        (Fraction(8, 9), (64, 54)),
        (Fraction(1), (64, 48)),
        (Fraction(1, 90), (64, 48)),
    ],
)
def test_pixels_become_square(tmp_path, shape, shown):
    path = make_clip(tmp_path / "a.mkv", 2, stream={"sample_aspect_ratio": shape})
    with VideoFile(path) as source:
        assert (source.info.width_px, source.info.height_px) == shown
        assert [frame.image_rgb.shape for frame in source] == 2 * [(shown[1], shown[0], 3)]


def test_a_size_that_changes_is_fitted_into_the_first(tmp_path):
    first = make_clip(tmp_path / "a.ts", 5, size=(64, 48)).read_bytes()
    second = make_clip(tmp_path / "b.ts", [flat((200, 200, 200), (48, 96))] * 5).read_bytes()
    (tmp_path / "c.ts").write_bytes(first + second)
    frames = read(tmp_path / "c.ts")
    assert len(frames) == 10
    assert {frame.image_rgb.shape for frame in frames} == {(48, 64, 3)}
    row = frames[-1].image_rgb[24, :, 1].astype(int)
    # 48 x 96 at half its size, in the middle of black.
    assert (row[:19] < 8).all()
    assert (row[45:] < 8).all()
    assert (np.abs(row[21:43] - 200) < 8).all()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_frames_above_the_limit_are_refused_by_the_header(tmp_path, suffix):
    path = make_clip(
        tmp_path / f"a{suffix}",
        3,
        size=(160, 120),
        codec="mpeg4" if suffix == ".avi" else "libx264",
    )
    with pytest.raises(
        SourceError, match="160 x 120 pixels, more than the limit of 19,199"
    ) as error:
        VideoFile(path, max_pixels=160 * 120 - 1)
    assert "--max-pixels 19200" in str(error.value)
    assert len(read(path, max_pixels=160 * 120)) == 3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_absurd_sizes_are_refused_before_decoding(tmp_path, suffix):
    path = make_clip(
        tmp_path / f"a{suffix}",
        3,
        size=(640, 480),
        codec="mpeg4" if suffix == ".avi" else "libx264",
    )
    with pytest.raises(SourceError, match="more than the limit of 64") as error:
        VideoFile(path, max_pixels=64)
    assert "--max-pixels" in str(error.value)


def test_frames_that_grow_above_the_limit_are_passed_over(tmp_path):
    # FFmpeg looks at five seconds before it gives the first frame.
    first = make_clip(tmp_path / "a.ts", 150, size=(64, 48)).read_bytes()
    second = make_clip(tmp_path / "b.ts", 5, size=(640, 480)).read_bytes()
    (tmp_path / "c.ts").write_bytes(first + second)
    warnings: list[str] = []
    frames = read(tmp_path / "c.ts", max_pixels=64 * 48, on_warning=warnings.append)
    assert len(frames) == 150
    assert "damaged places were passed over" in warnings[0]


# --- broken files


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        (".mp4", "libx264", FASTSTART),
        (".mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
        (".mov", "libx264", FASTSTART),
        (".mkv", "libx264", {}),
        (".avi", "mpeg4", {}),
        (".flv", "libx264", {}),
    ],
)
@pytest.mark.parametrize("part", [0.5, 0.93])
def test_truncated(tmp_path, suffix, codec, options, part):
    path = make_clip(
        tmp_path / f"a{suffix}", busy_images(100), codec=codec, container_options=options,
        stream={"gop_size": 25},
    )  # fmt: skip
    whole = path.read_bytes()
    assert len(read(path)) == 100
    path.write_bytes(whole[: int(len(whole) * part)])
    frames = []
    with VideoFile(path) as source, pytest.raises(VideoError, match="breaks off at ") as error:
        for frame in source:
            frames.append(frame)
    assert abs(len(frames) - 100 * part) < 8
    assert f"at {frames[-1].time_s + 0.04:.2f} s" in str(error.value)
    if "frag" not in str(options):
        missing_s = float(str(error.value).split("at least ")[1].split(" s ")[0])
        assert missing_s == pytest.approx(4 - frames[-1].time_s - 0.04, abs=0.1)
    assert str(error.value).endswith("are missing; get a complete copy") or "frag" in str(options)


def test_an_index_that_is_missing(tmp_path):
    path = make_clip(tmp_path / "a.mp4", busy_images(20))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SourceError, match=r"a\.mp4 breaks off before its index"):
        VideoFile(path)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mkv", "libx264"), (".ts", "libx264"), (".avi", "mpeg4")],
)
def test_damage_in_the_middle_does_not_end_a_video(tmp_path, suffix, codec):
    path = make_clip(
        tmp_path / f"a{suffix}", busy_images(60), codec=codec, stream={"gop_size": 10},
        container_options=FASTSTART if suffix == ".mp4" else {},
    )  # fmt: skip
    content = bytearray(path.read_bytes())
    for at in (0.4, 0.6):
        start = int(len(content) * at)
        content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    warnings: list[str] = []
    frames = read(path, on_warning=warnings.append)
    assert 52 <= len(frames) <= 60
    assert frames[-1].time_s == pytest.approx(59 / 25, abs=0.1)
    assert len(warnings) == 1
    assert f"{path}: " in warnings[0]
    assert "passed over" in warnings[0]


@pytest.mark.parametrize("audio", [False, True])
@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "libx264"),
        (".mov", "libx264"),
        (".mkv", "libx264"),
        (".avi", "mpeg4"),
        (".ts", "libx264"),
        (".flv", "libx264"),
    ],
)
def test_whole_files_raise_no_alarm(tmp_path, suffix, codec, audio):
    path = make_clip(tmp_path / f"a{suffix}", 30, codec=codec, audio=audio)
    warnings: list[str] = []
    assert len(read(path, on_warning=warnings.append)) == 30
    assert warnings == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("audio_s", [0.3, 4.0])
def test_sound_that_is_shorter_or_longer_is_no_break(tmp_path, suffix, audio_s):
    path = make_clip(tmp_path / f"a{suffix}", 30, audio=True, audio_s=audio_s)
    assert len(read(path)) == 30


def test_video_that_begins_late_is_no_break(tmp_path):
    times_s = [1.5 + number / 25 for number in range(30)]
    for name in ("a.mkv", "a.mp4", "a.flv"):
        assert len(read(make_clip(tmp_path / name, 30, times_s=times_s, audio=True))) == 30


def test_an_old_length_in_a_tag_is_not_believed(tmp_path):
    path = make_clip(tmp_path / "a.mkv", 30)
    with av.open(str(path)) as container:
        tag = container.streams.video[0].metadata["DURATION"].encode()
    content = path.read_bytes()
    assert tag == b"00:00:01.200000000"
    path.write_bytes(content.replace(tag, b"01:00:01.200000000"))
    assert len(read(path)) == 30


def test_a_last_frame_that_stands_long_is_no_break(tmp_path):
    path = make_clip(tmp_path / "a.mkv", 4, times_s=[0, 0.04, 3, 3.04])
    assert len(read(path)) == 4


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg"])
@pytest.mark.parametrize("empty", [{3, 7}, {1, *range(8, 40)}, set(range(1, 40))])
def test_frames_that_repeat_the_one_before_are_no_break(tmp_path, codec, empty):
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = make_clip(tmp_path / "a.avi", 40, codec=codec, pixel_format=pixel_format)
    path.write_bytes(without_pictures(path.read_bytes(), empty))
    warnings: list[str] = []
    frames = read(path, on_warning=warnings.append)
    assert [round(25 * frame.time_s) for frame in frames] == sorted(set(range(40)) - empty)
    assert warnings == []


@pytest.mark.parametrize("part", [0.5, 0.93])
def test_a_cut_file_with_frames_that_repeat_the_one_before(tmp_path, part):
    path = make_clip(tmp_path / "a.avi", busy_images(100), codec="mpeg4")
    content = without_pictures(path.read_bytes(), range(4, 100, 3))
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(VideoError, match="breaks off at ") as error:
        read(path)
    missing_s = float(str(error.value).split("at least ")[1].split(" s ")[0])
    assert missing_s == pytest.approx(4 * (1 - part), abs=0.45)


def test_counting_the_pictures_of_an_avi_file(tmp_path):
    path = make_clip(tmp_path / "a.avi", 12, codec="mpeg4")
    assert count_pictures(path, 0, 100) == 12
    assert count_pictures(path, 0, 5) == 5
    assert count_pictures(path, 1, 100) == 0
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"00dc", 0, content.index(b"idx1")) + 12])
    assert count_pictures(path, 0, 100) == 11
    # A recording that was not ended has no sizes yet.
    movie = content.index(b"movi")
    path.write_bytes(content[:4] + bytes(4) + content[8 : movie - 4] + bytes(4) + content[movie:])
    assert count_pictures(path, 0, 100) == 12
    path.write_bytes(b"RIFF" + bytes(200))
    assert count_pictures(path, 0, 100) == 0


# --- what is no video


def test_sound_alone(tmp_path):
    with pytest.raises(SourceError, match=r"a\.m4a holds sound but no video"):
        VideoFile(make_sound(tmp_path / "a.m4a"))


def test_no_frames(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", options={"movflags": "empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = 64, 48
        container.start_encoding()
    with pytest.raises(SourceError, match=r"a\.mp4 holds no frame that can be decoded"):
        VideoFile(path)


@pytest.mark.parametrize(
    "content",
    [
        b"To whom it may concern\n" * 400,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/hostname'\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        bytes(5000),
        np.random.default_rng(0).bytes(50_000),
    ],
    ids=["text", "playlist", "concat", "sdp", "zeros", "noise"],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.m3u8", "a.sdp", "a.avi"])
def test_no_video(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match="is not a video that can be read") as error:
        VideoFile(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_picture_is_no_video(tmp_path):
    import PIL.Image

    for name in ("a.jpg", "a.png", "a.mp4"):
        PIL.Image.fromarray(flat((9, 9, 9))).save(tmp_path / name, "PNG" if "p" in name else None)
        with pytest.raises(SourceError, match="is not a video"):
            VideoFile(tmp_path / name)


def test_what_is_not_there(tmp_path):
    with pytest.raises(SourceError, match=r"no such file: .*a\.mp4"):
        VideoFile(tmp_path / "a.mp4")
    with pytest.raises(SourceError, match="is a folder; name a video file"):
        VideoFile(tmp_path)
    (tmp_path / "b.mp4").touch()
    with pytest.raises(SourceError, match=r"b\.mp4 is empty \(0 bytes\)"):
        VideoFile(tmp_path / "b.mp4")
    with pytest.raises(SourceError, match="cannot read"):
        VideoFile("a\0b.mp4")


def test_names_that_ffmpeg_would_take_for_something_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:a.mp4", "concat:a.mp4", "frame%03d.mp4", "-i.mp4", "å 顔.mp4"):
        make_clip(tmp_path / "plain.mp4", 3).rename(tmp_path / name)
        assert [number_of(frame.image_rgb) for frame in read(Path(name))] == [0, 1, 2]


def test_broken_files_print_nothing(tmp_path, capfd):
    path = make_clip(tmp_path / "a.mp4", busy_images(40), container_options=FASTSTART)
    content = bytearray(path.read_bytes()[:-3000])
    content[20_000:20_500] = bytes(500)
    path.write_bytes(content)
    with pytest.raises(VideoError):
        read(path)
    assert capfd.readouterr() == ("", "")


def test_titles_in_another_encoding(tmp_path):
    path = make_clip(tmp_path / "a.mp4", 3)
    content = path.read_bytes()
    assert content.count(b"VideoHandler") == 1
    path.write_bytes(content.replace(b"VideoHandler", "Vidéo-Handlr".encode("latin-1")))
    assert len(read(path)) == 3


def test_decoded_frames_do_not_wait_for_the_garbage_collector(tmp_path):
    """A frame of 4K takes 12 MB; hundreds of them fit between two collections."""
    path = make_clip(tmp_path / "a.mp4", 50, rotation=90)
    gc.collect()
    gc.disable()
    try:
        with VideoFile(path) as source:
            for _ in source:
                pass
        kept = [each for each in gc.get_objects() if isinstance(each, av.VideoFrame)]
    finally:
        gc.enable()
    assert len(kept) <= 2


def test_a_file_is_let_go_of(tmp_path):
    import psutil

    path = make_clip(tmp_path / "a.mp4", 5)
    with VideoFile(path) as source:
        next(iter(source))
    with pytest.raises(SourceError):
        VideoFile(make_sound(tmp_path / "a.m4a"))
    opened = [file.path for file in psutil.Process().open_files()]
    assert not [name for name in opened if str(tmp_path) in name]


def motion_jpeg(path, n_frames=5, orientation=None):
    """A clip as cameras write it: JPEG pictures in AVI, each with EXIF of its own."""
    exif = PIL.Image.Exif()
    exif[0x010F] = "maker"
    if orientation is not None:
        exif[0x0112] = orientation
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number, image in enumerate(numbered_images(n_frames)):
            content = io.BytesIO()
            PIL.Image.fromarray(image).save(content, "JPEG", quality=95, exif=exif)
            packet = av.Packet(content.getvalue())
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            container.mux(packet)
    return path


@pytest.mark.parametrize(("orientation", "turns"), [(None, 0), (1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_beside_every_picture(tmp_path, orientation, turns):
    """PyAV has no name for it, and to ask for what else is there raised ValueError."""
    path = motion_jpeg(tmp_path / "a.avi", orientation=orientation)
    with VideoFile(path) as source:
        images = [frame.image_rgb for frame in source]
    assert [number_of(image) for image in images] == [0, 1, 2, 3, 4]
    expected = np.rot90(next(iter(numbered_images(1))), turns)
    assert images[0].shape == expected.shape
    assert np.abs(images[0].astype(int) - expected).mean() < 12
