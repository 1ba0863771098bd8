"""The parts of a service that need no connection: room, threads, memory, folders."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien.recognition.detectors import store
from mien.recognition.detectors.whole import Whole
from mien.serving import memory
from mien.serving.admission import Admission
from mien.serving.bodies import Allowance, ClientGoneError, plain_name, receive_body
from mien.serving.engine import load_engine
from mien.serving.memory import LARGE_PICTURE_PIXELS, rest_now_and_then
from mien.serving.metrics import Metrics
from mien.serving.pool import AbandonedError, Pool
from mien.serving.problems import Problem
from picture_factory import encode
from serving_factory import photo, running, wait_until


def test_a_place_is_given_back_once():
    async def check() -> None:
        admission = Admission(2, 100, 1)
        with admission.enter(60) as first:
            assert admission.n_inside == 1
            with pytest.raises(Problem, match="full"):
                admission.enter(41)
            with admission.enter(40):
                assert admission.n_inside == 2
            admission.leave(first)
        admission.leave(first)
        assert admission.n_inside == 0
        assert admission.n_refused == 1
        with admission.enter(100):
            pass

    asyncio.run(check())


def test_a_body_larger_than_all_room_is_taken_alone():
    async def check() -> None:
        admission = Admission(4, 10, 1)
        with admission.enter(None) as ticket:
            ticket.took(50)
            with pytest.raises(Problem):
                admission.enter(1)

    asyncio.run(check())


def test_bodies_without_a_length_count_as_they_come():
    async def check() -> None:
        admission = Admission(4, 100, 1)
        with admission.enter(None) as one, admission.enter(None) as other:
            one.took(90)
            with pytest.raises(Problem) as refused:
                other.took(20)
            assert refused.value.status == 503

    asyncio.run(check())


def test_retry_after_grows_with_the_work():
    async def check() -> None:
        admission = Admission(100, 10**9, 2)
        assert admission.retry_after_s() == 1
        for _ in range(100):
            admission.worked(1.0)
        tickets = [admission.enter(1) for _ in range(20)]
        assert admission.retry_after_s() == 10
        for _ in range(100):
            admission.worked(1000.0)
        assert admission.retry_after_s() == 60
        assert len(tickets) == admission.n_inside

    asyncio.run(check())


def test_lanes_take_turns():
    order: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert go_on.wait(60)

    async def check() -> None:
        pool = Pool(1, ("a", "b"))
        first = asyncio.create_task(pool.run("a", hold))
        await asyncio.to_thread(begun.wait)
        names = ["a1", "a2", "a3", "a4", "b1", "b2"]
        tasks = [
            asyncio.create_task(pool.run(name[0], lambda name=name: order.append(name)))
            for name in names
        ]
        await asyncio.sleep(0)
        assert pool.n_waiting == 6
        go_on.set()
        await asyncio.gather(first, *tasks)
        pool.close()

    asyncio.run(check())
    assert order == ["b1", "a1", "b2", "a2", "a3", "a4"]


def test_what_a_call_raises_is_raised():
    def fail() -> None:
        raise KeyError("x")

    async def check() -> None:
        pool = Pool(1, ("a",))
        with pytest.raises(KeyError):
            await pool.run("a", fail)
        with pytest.raises(AbandonedError):
            await pool.run("a", fail, lambda: False)
        assert await pool.run("a", lambda: 7) == 7
        pool.close()
        with pytest.raises(AbandonedError):
            await pool.run("a", fail)

    asyncio.run(check())


def test_closing_gives_up_what_waits():
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> str:
        begun.set()
        assert go_on.wait(60)
        return "done"

    async def check() -> None:
        pool = Pool(1, ("a",))
        held = asyncio.create_task(pool.run("a", hold))
        await asyncio.to_thread(begun.wait)
        waiting = asyncio.create_task(pool.run("a", hold))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(pool.close))
        with pytest.raises(AbandonedError):
            await waiting
        go_on.set()
        assert await held == "done"
        await closing

    asyncio.run(check())


def body(*pieces: bytes | None) -> Callable[[], Awaitable[dict[str, Any]]]:
    """What a request's receive gives; None: the client hangs up."""
    rest = list(pieces)

    async def receive() -> dict[str, Any]:
        piece = rest.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(rest)}

    return receive


def test_bodies_within_and_beyond_their_limit():
    allowance = Allowance(limit_bytes=4, within_s=5)
    got = bytearray()
    asyncio.run(receive_body(body(b"ab", b"", b"cd"), got.extend, allowance))
    assert got == b"abcd"
    with pytest.raises(Problem) as refused:
        asyncio.run(receive_body(body(b"ab", b"cde"), got.extend, allowance))
    assert refused.value.status == 413
    with pytest.raises(ClientGoneError):
        asyncio.run(receive_body(body(b"ab", None), got.extend, allowance))


def test_what_comes_fast_enough_may_take_longer():
    async def check(pause_s: float) -> None:
        async def receive() -> dict[str, Any]:
            nonlocal n
            n += 1
            await asyncio.sleep(pause_s)
            return {"type": "http.request", "body": bytes(1000), "more_body": n < 10}

        n = 0
        allowance = Allowance(limit_bytes=10**6, within_s=0.2, rate_bytes_s=1000 / 0.5)
        await receive_body(receive, lambda piece: None, allowance)

    asyncio.run(check(0.1))
    with pytest.raises(Problem, match="not complete"):
        asyncio.run(check(30.0))


@pytest.mark.parametrize(
    ("name", "plain"), [("a/b", "b"), ("a\\b", "b"), ("\x00x\n", "x"), ("", ""), ("a/", "")]
)
def test_plain_names(name: str, plain: str):
    assert plain_name(name) == plain


def test_metrics_know_their_stages():
    metrics = Metrics()
    metrics.took("decoding", 0.01)
    assert b'mien_stage_seconds_count{stage="decoding"} 1.0' in metrics.text()
    with pytest.raises(KeyError):
        metrics.took("dreaming", 0.01)


def test_the_engine_has_one_thread_for_a_picture(
    shared_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    path = shared_folder / "models" / "face_detection_yunet_2023mar.onnx"
    find = store.find
    monkeypatch.setattr(store, "find", lambda name: path if name == "yunet" else find(name))
    before = cv2.getNumThreads()
    try:
        engine = load_engine(
            "default", "yunet", offline=True, metrics=Metrics(), on_fallback=pytest.fail
        )
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)
    for part in (engine.detector._network, engine.classifier.network):  # type: ignore[attr-defined]
        assert part._session.get_session_options().intra_op_num_threads == 1
    assert engine.live(0.0, "none", 0.1)


class Resting(Whole):
    """A detector that counts how often it is asked to give memory back."""

    n_rests = 0

    def rest(self) -> None:
        self.n_rests += 1


def test_memory_goes_back_after_a_large_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "_EVERY_S", 3600.0)
    detector = Resting()
    height = LARGE_PICTURE_PIXELS // 4000
    with running(tmp_path, detector=detector) as service:
        for n_rows, n_rests in ((height, 0), (height + 1, 1)):
            content = encode(np.zeros((n_rows, 4000, 3), np.uint8), "JPEG")
            assert service.client.post("/v1/recognize", content).status == 200
            assert detector.n_rests == n_rests


def test_memory_goes_back_after_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "_EVERY_S", 0.05)
    detector = Resting()
    with running(tmp_path, detector=detector) as service:
        assert service.client.post("/v1/recognize", photo()).status == 200
        wait_until(lambda: detector.n_rests == 1)


def test_resting_goes_on_after_a_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(memory, "_EVERY_S", 0.01)
    calls: list[int] = []

    def fail() -> None:
        calls.append(len(calls))
        raise MemoryError

    async def check() -> None:
        numbers = iter(range(10_000))
        resting = asyncio.create_task(rest_now_and_then(lambda: next(numbers), fail))
        async with asyncio.timeout(60):
            while len(calls) < 2:
                await asyncio.sleep(0.01)
        resting.cancel()

    asyncio.run(check())
    assert "giving memory back failed" in caplog.text
