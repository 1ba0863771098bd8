"""Videos over HTTP: a process works on them, and whatever becomes of it, nothing else fails."""

import asyncio
import errno
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien.errors import ServeError
from mien.serving import jobs
from mien.serving.folders import PREFIX, ServiceFolder, remove_orphans
from mien.serving.job_process import VIDEO_NAME
from mien.serving.settings import Limits
from mien.workflows.videos import recognize_video
from serving_factory import (
    PATIENCE_S,
    Answer,
    Client,
    Running,
    head,
    photo,
    read_answer,
    running,
    serving_process,
    wait_until,
)
from video_factory import make_clip

FILES = {
    "faces.jsonl": "application/jsonl",
    "faces.csv": "text/csv; charset=utf-8",
    "segments.vtt": "text/vtt; charset=utf-8",
    "annotated.mp4": "video/mp4",
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 12).read_bytes()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One that takes a while."""
    return make_clip(tmp_path_factory.mktemp("clip") / "long.mp4", 3000).read_bytes()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as started:
        yield started


def upload(client: Client, content: bytes, query: str = "") -> str:
    answer = client.post(f"/v1/videos{query}", content, "video/mp4")
    assert answer.status == 202, answer.body
    location = answer.headers["location"]
    assert answer.json["id"] == location.rpartition("/")[2]
    return location


def ended(client: Client, location: str) -> dict[str, object]:
    wait_until(lambda: client.get(location).json["state"] in ("done", "failed"))
    return client.get(location).json


def folder_of(service: Running, location: str) -> Path:
    return service.service.folder.path / location.rpartition("/")[2]


def stopped_process(service: Running, location: str) -> int:
    """The process that works on a video, held so that it cannot end before the test goes on."""
    wait_until(lambda: service.client.get(location).json["state"] == "running")
    (process,) = (job.process for job in service.service.jobs._jobs.values() if job.process)
    os.kill(process.pid, signal.SIGSTOP)
    return process.pid


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_video_from_upload_to_files(service: Running, clip: bytes, tmp_path: Path):
    client = service.client
    location = upload(client, clip)
    about = ended(client, location)
    assert about["state"] == "done", about
    assert about["frames_done"] == about["frames_total"] == 12
    assert about["files"] == list(FILES)
    got: dict[str, Answer] = {}
    for name, kind in FILES.items():
        got[name] = client.get(f"{location}/{name}")
        assert got[name].status == 200
        assert got[name].headers["content-type"] == kind
        assert name in got[name].headers["content-disposition"]
    # The same as here.
    path = tmp_path / "video"
    path.write_bytes(clip)
    table, vtt = tmp_path / "t.jsonl", tmp_path / "s.vtt"
    recognize_video(path, detector="whole", table=table, segments=vtt)
    mine = table.read_text(encoding="utf-8").replace(f'"{path}"', '"video"')
    assert got["faces.jsonl"].body.decode() == mine
    assert got["segments.vtt"].body == vtt.read_bytes()
    for extra in (path, table, vtt):
        extra.unlink()
    part = client.get(f"{location}/annotated.mp4", Range="bytes=0-9")
    assert (part.status, part.body) == (206, got["annotated.mp4"].body[:10])
    # The upload is gone, the results are nobody else's.
    folder = folder_of(service, location)
    assert sorted(item.name for item in folder.iterdir()) == sorted(FILES)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(item.stat().st_mode) == 0o600 for item in folder.iterdir())
    assert client.metric('mien_jobs{state="done"}') == 1
    assert client.request("DELETE", location).status == 204
    assert not folder.exists()
    client.get(location).problem(404, "no-such-video")


def test_a_video_as_a_form_with_options(service: Running, clip: bytes):
    answer = service.client.form(
        "/v1/videos?min_confidence=1&tta=flip", ("video", "../my clip.mp4", clip)
    )
    assert answer.status == 202
    location = answer.headers["location"]
    assert ended(service.client, location)["source"] == "my clip.mp4"
    line = service.client.get(f"{location}/faces.jsonl").body.splitlines()[0]
    assert b'"tta": "flip"' in line
    assert b'"source": "my clip.mp4"' in line
    rows = service.client.get(f"{location}/faces.csv").body.decode().splitlines()
    assert {row.split(",")[0] for row in rows[1:]} == {"my clip.mp4"}
    assert b'"expression": "uncertain"' in line


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no video", "not a video"), (photo(), "video"), (bytes(100_000), "not a video")],
)
def test_what_is_no_video_fails_with_a_reason(service: Running, content: bytes, words: str):
    location = upload(service.client, content)
    about = ended(service.client, location)
    assert about["state"] == "failed"
    assert words in str(about["reason"])
    assert str(about["reason"]).startswith(VIDEO_NAME)
    assert str(service.service.folder.path) not in str(about)
    service.client.get(f"{location}/faces.csv").problem(409, "not-done")
    assert not folder_of(service, location).exists()


def test_a_video_that_breaks_off_fails(service: Running, long_clip: bytes):
    about = ended(service.client, upload(service.client, long_clip[: len(long_clip) // 2]))
    assert about["state"] == "failed"
    assert str(about["reason"]).startswith("the file breaks off ")


def test_bad_uploads(service: Running, clip: bytes):
    client = service.client
    client.post("/v1/videos", clip, "image/jpeg").problem(415, "media-type")
    client.post("/v1/videos", b"", "video/mp4").problem(422, "no-video")
    client.post("/v1/videos?tta=no", clip, "video/mp4").problem(422, "bad-value")
    client.form("/v1/videos", ("image", "", clip)).problem(422, "unknown-field")
    client.form("/v1/videos").problem(422, "no-video")
    twice = client.form("/v1/videos", ("video", "", clip), ("video", "", clip))
    twice.problem(422, "too-many-videos")
    assert [item.name for item in service.service.folder.path.iterdir() if item.is_dir()] == []
    assert client.metric('mien_jobs{state="waiting"}') == 0


def test_one_at_a_time_and_few_wait(tmp_path: Path, long_clip: bytes):
    with running(tmp_path, limits=Limits(waiting_videos=1)) as service:
        client = service.client
        first = upload(client, long_clip)
        pid = stopped_process(service, first)
        assert stat.S_IMODE((folder_of(service, first) / VIDEO_NAME).stat().st_mode) == 0o600
        second = upload(client, long_clip)
        with client.socket() as third:
            third.sendall(head("/v1/videos", 400_000_000, "video/mp4"))  # and no body
            answer = read_answer(third)
            answer.problem(503, "busy")
            assert int(answer.headers["retry-after"]) > 0
        assert client.get(second).json["state"] == "waiting"
        client.get(f"{first}/faces.csv").problem(409, "not-done")
        # Photos go on meanwhile.
        assert client.post("/v1/recognize", photo()).status == 200
        # Deleting ends the work and starts the next.
        assert client.request("DELETE", first).status == 204
        wait_until(lambda: not is_there(pid))
        wait_until(lambda: client.get(second).json["state"] in ("running", "done"))
        assert client.request("DELETE", second).status == 204


def test_a_process_that_is_killed_is_a_failed_job(service: Running, long_clip: bytes):
    location = upload(service.client, long_clip)
    os.kill(stopped_process(service, location), signal.SIGKILL)
    about = ended(service.client, location)
    assert about["state"] == "failed"
    assert "SIGKILL" in str(about["reason"])
    assert not folder_of(service, location).exists()
    assert service.client.post("/v1/recognize", photo()).status == 200


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(video_frames=5), "5 frames"),
        (Limits(video_s=0.05), "longer than"),
        (Limits(picture_pixels=100), "pixels"),
        (Limits(video_memory_bytes=1), "memory"),
    ],
)
def test_limits_of_a_job(tmp_path: Path, long_clip: bytes, limits: Limits, words: str):
    with running(tmp_path, limits=limits) as service:
        about = ended(service.client, upload(service.client, long_clip))
        assert about["state"] == "failed"
        assert words in str(about["reason"])


def test_processor_time_of_a_job(tmp_path: Path, long_clip: bytes):
    # Less than starting takes.
    with running(tmp_path, limits=Limits(video_cpu_s=1.0)) as service:
        about = ended(service.client, upload(service.client, long_clip))
        assert about["state"] == "failed"
        assert "SIGXCPU" in str(about["reason"])


def test_results_go_after_a_while(tmp_path: Path, clip: bytes):
    with running(tmp_path, limits=Limits(kept_s=0.2, kept_videos=1)) as service:
        location = upload(service.client, clip)
        wait_until(lambda: service.client.get(location).status == 404)
        assert not folder_of(service, location).exists()


def test_the_oldest_results_make_room(tmp_path: Path, clip: bytes):
    with running(tmp_path, limits=Limits(kept_videos=1)) as service:
        first = upload(service.client, clip)
        ended(service.client, first)
        second = upload(service.client, clip)
        assert ended(service.client, second)["state"] == "done"
        service.client.get(first).problem(404, "no-such-video")


def test_a_video_that_comes_slowly(tmp_path: Path, clip: bytes):
    limits = Limits(body_s=0.3, video_rate_bytes_s=1e6)
    with running(tmp_path, limits=limits) as service, service.client.socket() as slow:
        slow.sendall(head("/v1/videos", len(clip), "video/mp4") + clip[:10])
        read_answer(slow).problem(408, "body-too-slow")
        assert ended(service.client, upload(service.client, clip))["state"] == "done"


def test_a_folder_that_is_named_from_here(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with running(Path(".")) as service:
        assert ended(service.client, upload(service.client, clip))["state"] == "done"


def test_a_full_disk_is_a_problem(
    service: Running, clip: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    make = Path.mkdir

    def fail(path: Path, *arguments: object, **options: object) -> None:
        if path.parent == service.service.folder.path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        make(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", fail)
        service.client.post("/v1/videos", clip, "video/mp4").problem(507, "disk-full")
    assert ended(service.client, upload(service.client, clip))["state"] == "done"


def test_results_that_have_no_room(service: Running, clip: bytes, monkeypatch: pytest.MonkeyPatch):
    # The limit of a file's size has the error of a full disk.
    monkeypatch.setattr(jobs, "_LEAST_OUTPUT_BYTES", 0)
    monkeypatch.setattr(jobs, "_OUTPUT_FACTOR", 0.05)
    about = ended(service.client, upload(service.client, clip))
    assert about["state"] == "failed"
    assert "disk of the service is full, or the results are too large" in str(about["reason"])


def test_a_start_without_room_for_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(handle: int, mode: str) -> None:
        os.close(handle)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mien.serving.service.open", fail, raising=False)
    with (
        pytest.raises(ServeError, match="No space left on device; name another --folder"),
        running(tmp_path),
    ):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("limits", [Limits(body_s=0.5), Limits(connections=2)])
def test_who_does_not_read_a_result_is_closed(tmp_path: Path, clip: bytes, limits: Limits):
    with running(tmp_path, limits=limits) as service:
        location = upload(service.client, clip)
        assert ended(service.client, location)["state"] == "done"
        # More than the system holds for a connection.
        os.truncate(folder_of(service, location) / "annotated.mp4", 100_000_000)
        with service.client.socket() as idle, service.client.socket() as other:
            for one in (idle, other):
                one.sendall(
                    f"GET {location}/annotated.mp4 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                )
            wait_until(lambda: service.client.get("/readyz").status == 200)
            if limits.connections == 2:
                # They give way to others after a moment.
                wait_until(lambda: service.client.get("/v1/models").status == 200)
            else:
                wait_until(lambda: service.service.doorkeeper.n_connections == 0)


@pytest.mark.parametrize("words", [b"no json\n", b"[1]\n", b"x" * 100_000 + b"\n", b'{"frames"'])
def test_a_process_that_says_what_nobody_expected(
    service: Running, clip: bytes, monkeypatch: pytest.MonkeyPatch, words: bytes
):
    start = asyncio.create_subprocess_exec

    async def start_another(*_: object, **options: object) -> asyncio.subprocess.Process:
        code = f"import sys; sys.stdin.readline(); sys.stdout.write({words.decode()!r})"
        return await start(sys.executable, "-c", code, **options)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "create_subprocess_exec", start_another)
        about = ended(service.client, upload(service.client, clip))
    assert about["state"] == "failed"
    assert "failed" in str(about["reason"]) or "ended with code 0" in str(about["reason"])
    assert ended(service.client, upload(service.client, clip))["state"] == "done"


def test_a_client_that_hangs_up_leaves_nothing(service: Running, clip: bytes):
    with service.client.socket() as gone:
        gone.sendall(head("/v1/videos", len(clip), "video/mp4") + clip[:10])
        wait_until(lambda: service.service.jobs._in("receiving") == 1)
    wait_until(lambda: service.service.jobs._in("receiving") == 0)
    assert [item for item in service.service.folder.path.iterdir() if item.is_dir()] == []


def test_a_job_ends_with_the_service(tmp_path: Path, long_clip: bytes):
    with running(tmp_path) as service:
        pid = stopped_process(service, upload(service.client, long_clip))
    assert not is_there(pid)


def test_a_job_whose_process_is_being_started_ends_with_the_service(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
):
    start, pids = asyncio.create_subprocess_exec, []

    async def start_slowly(*arguments: object, **options: object) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)
        os.kill(process.pid, signal.SIGSTOP)
        pids.append(process.pid)
        await asyncio.sleep(2)  # the service is stopped meanwhile
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_slowly)
    with running(tmp_path) as service:
        upload(service.client, clip)
        wait_until(lambda: bool(pids))
    assert not is_there(pids[0])


def test_a_job_that_is_deleted_while_its_process_starts(
    service: Running, clip: bytes, monkeypatch: pytest.MonkeyPatch
):
    start, deleted, pids = asyncio.create_subprocess_exec, threading.Event(), []

    async def start_slowly(*arguments: object, **options: object) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)
        pids.append(process.pid)
        if len(pids) == 1:
            os.kill(process.pid, signal.SIGSTOP)
            assert await asyncio.to_thread(deleted.wait, PATIENCE_S)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_slowly)
    first = upload(service.client, clip)
    wait_until(lambda: bool(pids))
    assert service.client.get(first).json["state"] == "waiting"
    assert service.client.request("DELETE", first).status == 204
    deleted.set()
    wait_until(lambda: not is_there(pids[0]))
    assert ended(service.client, upload(service.client, clip))["state"] == "done"
    assert [job.state for job in service.service.jobs._jobs.values()] == ["done"]


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(number) for number in text.split()]


def test_what_a_killed_service_left_goes_at_the_next_start(tmp_path: Path, long_clip: bytes):
    with serving_process(tmp_path) as started:
        location = upload(started.client, long_clip)
        wait_until(lambda: started.client.get(location).json["frames_done"] > 0)
        (child,) = children_of(started.process.pid)
        started.end(signal.SIGKILL)
    wait_until(lambda: not is_there(child))
    (left,) = (tmp_path / "folder").iterdir()
    with serving_process(tmp_path) as again:
        assert not left.exists()
        assert len(list((tmp_path / "folder").iterdir())) == 1
        assert again.end()[0] == 0
    assert not list((tmp_path / "folder").iterdir())


def test_folders_of_others_stay(tmp_path: Path):
    with ServiceFolder(tmp_path) as mine:
        young = tmp_path / f"{PREFIX}young"
        young.mkdir()
        old = tmp_path / f"{PREFIX}old"
        old.mkdir()
        os.utime(old, (time.time() - 3600,) * 2)
        (tmp_path / f"{PREFIX}link").symlink_to(tmp_path)
        (tmp_path / "else").mkdir()
        assert remove_orphans(tmp_path) == [old]
        assert mine.path.exists()
        assert young.exists()
        assert (tmp_path / f"{PREFIX}link").is_symlink()
        assert stat.S_IMODE(mine.path.stat().st_mode) == 0o700
