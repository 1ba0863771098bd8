"""Streams at an address: time-outs that hold, drops and returns, and secrets that stay secret."""

import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from mien.errors import SourceError, VideoError
from mien.sources import network
from mien.sources.addresses import check_address, is_address, masked
from mien.sources.network import NetworkStream
from stream_factory import Answer, free_port, http, serving, silent, status
from video_factory import make_clip, number_of


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_FIRST_WAIT_S", 0.02)
    monkeypatch.delenv("http_proxy", raising=False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MPEG transport stream of 20 frames."""
    path = tmp_path_factory.mktemp("stream") / "a.ts"
    return make_clip(path, 20, stream={"gop_size": 5}).read_bytes()


def one_after_the_other(*answers: Answer) -> Answer:
    return lambda connection, number: answers[min(number, len(answers) - 1)](connection, number)


def refuse(connection, number):
    pass


def test_a_file_on_a_web_server_ends_and_is_not_opened_again(clip):
    events: list[str] = []
    with (
        serving(http(clip, announced=len(clip))) as port,
        NetworkStream(f"http://127.0.0.1:{port}/a.ts", on_event=events.append) as source,
    ):
        assert not source.info.is_live
        frames = list(source)
    assert [number_of(frame.image_rgb) for frame in frames] == list(range(20))
    assert [frame.number for frame in frames] == list(range(20))
    assert frames[1].time_s - frames[0].time_s == pytest.approx(0.04)
    assert events == []


def test_a_file_whose_header_tells_its_length_needs_no_other(tmp_path):
    options = {"movflags": "faststart"}
    body = make_clip(tmp_path / "a.mp4", 10, container_options=options).read_bytes()
    with (
        serving(http(body)) as port,
        NetworkStream(f"http://127.0.0.1:{port}/a.mp4") as source,
    ):
        assert not source.info.is_live
        assert source.info.duration_s == pytest.approx(0.4)
        assert len(list(source)) == 10


def test_a_file_that_the_server_does_not_finish_breaks_off(tmp_path):
    options = {"movflags": "faststart"}
    path = make_clip(tmp_path / "a.mp4", 50, size=(160, 120), container_options=options)
    body = path.read_bytes()
    answer = http(body[: len(body) * 3 // 4], announced=len(body))
    with (
        serving(answer) as port,
        NetworkStream(f"http://127.0.0.1:{port}/a.mp4") as source,
    ):
        frames = []
        with pytest.raises(VideoError, match=r"/a\.mp4 cannot be read on from 1\..* s: "):
            for frame in source:
                frames.append(frame)
    assert 20 < len(frames) < 45


def test_a_stream_that_drops_is_opened_again(clip):
    events: list[str] = []
    half = clip[: len(clip) // 2 // 188 * 188]
    answer = one_after_the_other(http(half), refuse, http(clip), refuse)
    with (
        serving(answer) as port,
        NetworkStream(
            f"http://user:hunter2@127.0.0.1:{port}/live.ts", retries=2, on_event=events.append
        ) as source,
    ):
        assert source.info.is_live
        frames = []
        with pytest.raises(VideoError, match=r"went away at .* did not come back in 2 attempts"):
            for frame in source:
                frames.append(frame)
    shown = [number_of(frame.image_rgb) for frame in frames]
    again = shown.index(0, 1)
    assert shown == list(range(again)) + list(range(20))
    assert 5 < again < 15
    times = [frame.time_s for frame in frames]
    assert times[0] == 0
    assert all(a < b for a, b in pairwise(times))
    assert [frame.number for frame in frames] == list(range(len(frames)))
    assert [event for event in events if "is back" in event] == [f"{source.info.name} is back"]
    assert sum("trying again" in event for event in events) == 4
    assert "attempt 2 of 2" in events[-1]
    assert not any("hunter2" in event or "user" in event for event in events)


@pytest.mark.parametrize("scheme", ["rtsp", "http", "rtmp", "tcp"])
def test_a_server_that_never_answers(scheme):
    with serving(silent) as port:
        began_s = time.monotonic()
        with pytest.raises(SourceError, match=r"no answer within 0\.3 s; check the address"):
            NetworkStream(f"{scheme}://user:hunter2@127.0.0.1:{port}/a", timeout_s=0.3)
        assert time.monotonic() - began_s < 5


def test_a_stream_that_falls_silent(tmp_path):
    # FFmpeg looks at up to five seconds of a stream before it gives the first frame.
    body = make_clip(tmp_path / "long.ts", 200).read_bytes()

    def answer(connection, number):
        http(body)(connection, number)
        silent(connection, number)

    with (
        serving(answer) as port,
        NetworkStream(f"http://127.0.0.1:{port}/live.ts", timeout_s=0.4, retries=0) as source,
    ):
        frames = []
        with pytest.raises(VideoError, match=r"went away .*no answer within 0\.4 s"):
            for frame in source:
                frames.append(frame)
    assert len(frames) >= 195


def test_a_name_that_takes_for_ever_to_be_found(monkeypatch):
    hangs = threading.Event()

    def connect(self, before):
        hangs.wait(10)
        raise SourceError("no such host")

    monkeypatch.setattr(NetworkStream, "_connect", connect)
    with pytest.raises(SourceError, match=r"no answer within 0\.1 s"):
        NetworkStream("rtsp://camera.example/1", timeout_s=0.1)
    hangs.set()


@pytest.mark.parametrize("scheme", ["rtsp", "http", "rtmp", "tcp"])
def test_nobody_there(scheme):
    port = free_port()
    with pytest.raises(SourceError, match=r"cannot open .*connection refused") as caught:
        NetworkStream(f"{scheme}://user:hunter2@127.0.0.1:{port}/a", timeout_s=3)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_packets(tmp_path):
    with pytest.raises(SourceError, match="cannot open udp://"):
        NetworkStream(f"udp://127.0.0.1:{free_port()}", timeout_s=0.3)


@pytest.mark.parametrize("line", ["404 Not Found", "401 Unauthorized", "500 Broken"])
def test_what_a_server_refuses(line):
    with (
        serving(status(line)) as port,
        pytest.raises(SourceError, match=rf"cannot open .*{line[:3]}|4XX|5XX"),
    ):
        NetworkStream(f"http://127.0.0.1:{port}/a.mp4", timeout_s=3)


def test_a_web_page_is_no_video():
    page = b"<!doctype html><html><body>Sign in</body></html>" * 20
    with (
        serving(http(page, announced=len(page), kind="text/html")) as port,
        pytest.raises(SourceError, match="what comes from there is no video"),
    ):
        NetworkStream(f"http://127.0.0.1:{port}/", timeout_s=3)


def test_a_playlist_from_afar_cannot_name_a_file_here(tmp_path):
    secret = make_clip(tmp_path / "secret.ts", 5)
    playlist = (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.2,\n"
        f"file://{secret}\n#EXT-X-ENDLIST\n"
    ).encode()
    answer = http(playlist, announced=len(playlist), kind="application/vnd.apple.mpegurl")
    with serving(answer) as port, pytest.raises(SourceError):
        list(NetworkStream(f"http://127.0.0.1:{port}/a.m3u8", timeout_s=3))


def test_frames_above_the_limit(clip):
    with (
        serving(http(clip, announced=len(clip))) as port,
        pytest.raises(SourceError, match=r"64 x 48 pixels, more than the limit of 1,000"),
    ):
        NetworkStream(f"http://127.0.0.1:{port}/a.ts", max_pixels=1000)


def test_closing_ends_the_wait_between_attempts(clip, monkeypatch):
    monkeypatch.setattr(network, "_FIRST_WAIT_S", 60)
    waits = threading.Event()
    with serving(one_after_the_other(http(clip), refuse)) as port:
        source = NetworkStream(
            f"http://127.0.0.1:{port}/live.ts", on_event=lambda message: waits.set()
        )
        thread = threading.Thread(target=lambda: list(source))
        thread.start()
        assert waits.wait(5)
        source.close()
        thread.join(5)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://10.0.0.1/1", "rtsp://10.0.0.1/1"),
        ("rtsp://admin:secret@10.0.0.1:554/1", "rtsp://***@10.0.0.1:554/1"),
        ("rtsp://admin:p@ss@10.0.0.1/1", "rtsp://***@10.0.0.1/1"),
        ("http://cam/v?user=me&password=x&q=1", "http://cam/v?user=me&password=***&q=1"),
        ("https://cdn/v.mp4?Signature=ab#t=1", "https://cdn/v.mp4?Signature=***#t=1"),
        ("cannot open rtsp://a:b@c/d: no", "cannot open rtsp://***@c/d: no"),
    ],
)
def test_secrets_are_not_shown(address, shown):
    assert masked(address) == shown


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://host/a.mp4", "concat:a|b", "a.mp4"]
)
def test_what_is_no_address_of_a_stream(address):
    with pytest.raises(SourceError, match="no address of a stream; use one of rtsp://"):
        NetworkStream(address)


def test_an_address_without_a_host():
    with pytest.raises(SourceError, match="names no host"):
        check_address("rtsp:///")
    assert check_address("RTSP://host/1") == "rtsp"


def test_paths_are_no_addresses():
    assert is_address("rtsp://host/1")
    for path in ("a.mp4", "/a/b.mp4", r"C:\videos\a.mp4", "a:b.mp4", "0"):
        assert not is_address(path)


@pytest.mark.parametrize(
    "options", [{"timeout_s": 0}, {"timeout_s": float("nan")}, {"retries": -1}]
)
def test_impossible_options(options):
    with pytest.raises(ValueError, match="expected a time above 0"):
        NetworkStream("rtsp://host/1", **options)


def test_nothing_of_a_stream_is_written_to_the_disk(clip, tmp_path, own_cache, monkeypatch):
    for name in ("work", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))

    def written() -> list[Path]:
        folders = [tmp_path / "work", tmp_path / "temporary", own_cache]
        return [path for folder in folders for path in folder.rglob("*")]

    with (
        serving(http(clip, announced=len(clip))) as port,
        NetworkStream(f"http://127.0.0.1:{port}/a.ts") as source,
    ):
        assert [written() for _ in source] == [[]] * 20
    assert written() == []
