"""More than there is room for: who waits, who is refused, and how it all ends."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mien.recognition.detectors.whole import Whole
from mien.results import Detection
from mien.serving import protocol
from mien.serving.settings import Limits
from mien.serving.shell import HEALTH_ROUTES
from serving_factory import (
    PATIENCE_S,
    Client,
    Running,
    head,
    is_closed,
    photo,
    read_answer,
    running,
    serving_process,
    wait_until,
)


class Held(Whole):
    """A detector that waits until a test lets it go on."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.n_inside = 0
        self._lock = threading.Lock()

    def searching(self, search_side_px: int) -> "Held":
        return self

    def detect(self, image_rgb: np.ndarray) -> tuple[Detection, ...]:
        with self._lock:
            self.n_inside += 1
        assert self.released.wait(PATIENCE_S)
        return super().detect(image_rgb)


@contextmanager
def held(folder: Path, **settings: object) -> Iterator[tuple[Running, Held]]:
    detector = Held()
    with running(folder, detector=detector, **settings) as service:
        try:
            yield service, detector
        finally:
            detector.released.set()


def send_photo(client: Client) -> socket.socket:
    """A request whose answer is read later."""
    connection = client.socket()
    connection.sendall(head("/v1/recognize", len(photo())) + photo())
    return connection


def test_a_full_queue_refuses_before_the_body(tmp_path: Path):
    with held(tmp_path, queue=3) as (service, detector), ExitStack() as stack:
        client = service.client
        inside = [stack.enter_context(send_photo(client)) for _ in range(3)]
        wait_until(lambda: client.metric("mien_queue_depth") == 3)
        with client.socket() as refused:
            refused.sendall(head("/v1/recognize", 10_000_000))  # and no body at all
            answer = read_answer(refused)
            answer.problem(503, "busy")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert client.get("/healthz").status == 200
        assert client.metric('mien_refusals_total{what="picture"}') == 1
        detector.released.set()
        assert [read_answer(one).status for one in inside] == [200] * 3
        wait_until(lambda: client.metric("mien_queue_depth") == 0)
        assert client.post("/v1/recognize", photo()).status == 200


def test_a_refused_connection_goes_on(tmp_path: Path):
    with held(tmp_path, queue=1) as (service, detector), send_photo(service.client) as first:
        wait_until(lambda: detector.n_inside == 1)
        with service.client.socket() as second:
            for _ in range(3):
                second.sendall(head("/v1/recognize", len(photo())) + photo())
                read_answer(second).problem(503, "busy")
            detector.released.set()
            assert read_answer(first).status == 200
            second.sendall(head("/v1/recognize", len(photo())) + photo())
            assert read_answer(second).status == 200


def test_bodies_held_in_memory_are_bounded(tmp_path: Path):
    limits = Limits(waiting_bytes=3 * len(photo()))
    with held(tmp_path, limits=limits) as (service, detector), ExitStack() as stack:
        inside = [stack.enter_context(send_photo(service.client)) for _ in range(3)]
        wait_until(lambda: service.client.metric("mien_queue_depth") == 3)
        service.client.post("/v1/recognize", photo()).problem(503, "busy")
        detector.released.set()
        assert [read_answer(one).status for one in inside] == [200] * 3


def test_who_sends_slowly_gives_way(tmp_path: Path):
    with running(tmp_path, queue=2) as service, ExitStack() as stack:
        client = service.client
        slow = [stack.enter_context(client.socket()) for _ in range(2)]
        for one in slow:
            one.sendall(head("/v1/recognize", 1000) + b"x")
        wait_until(lambda: client.metric("mien_queue_depth") == 2)
        time.sleep(0.2)  # longer than the moment that everybody gets
        assert client.post("/v1/recognize", photo()).status == 200
        read_answer(slow[0]).problem(503, "busy")


def test_a_client_that_hung_up_is_not_worked_for(tmp_path: Path):
    with held(tmp_path, threads=1) as (service, detector):
        with send_photo(service.client):
            wait_until(lambda: detector.n_inside == 1)
            for _ in range(3):
                send_photo(service.client).close()
            with send_photo(service.client) as last:
                wait_until(lambda: service.client.metric("mien_queue_depth") == 5)
                wait_until(lambda: service.service.doorkeeper.n_connections == 2)
                detector.released.set()
                assert read_answer(last).status == 200
        assert detector.n_inside == 2


def test_half_a_header_is_closed_in_time(tmp_path: Path):
    with running(tmp_path, limits=Limits(header_s=2.0)) as service, ExitStack() as stack:
        half, dripping, silent = (stack.enter_context(service.client.socket()) for _ in range(3))
        half.sendall(b"POST /v1/recognize HTTP/1.1\r\nHost: local")
        for letter in b"GET /":
            dripping.sendall(bytes([letter]))
            time.sleep(0.02)
        read_answer(half).problem(408, "header-too-slow")
        assert all(is_closed(one, PATIENCE_S) for one in (half, dripping, silent))
        # The second header of a connection has the same deadline.
        with service.client.socket() as again:
            again.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_answer(again).status == 200
            again.sendall(b"GET /heal")
            read_answer(again).problem(408, "header-too-slow")


def test_more_connections_than_there_may_be(tmp_path: Path):
    limits = Limits(connections=4)
    with held(tmp_path, limits=limits) as (service, detector), ExitStack() as stack:
        client = service.client
        inside = [stack.enter_context(send_photo(client)) for _ in range(4)]
        wait_until(lambda: service.service.admission.n_inside == 4)
        with send_photo(client) as fifth:
            answer = read_answer(fifth)
            answer.problem(503, "busy")
            assert answer.headers["retry-after"] == "1"
            assert is_closed(fifth, PATIENCE_S)
        # Who looks after the service is answered all the same.
        assert [client.get(path).status for path in HEALTH_ROUTES] == [200] * 3
        assert client.metric('mien_refusals_total{what="connection"}') == 1
        with pytest.raises(InvalidStatus) as refused, connect(live_address(client)):
            pass
        assert refused.value.response.status_code == 503
        # One that came too early has a place as soon as there is one.
        with client.socket() as early:
            early.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_answer(early).status == 200
            detector.released.set()
            assert [read_answer(one).status for one in inside] == [200] * 4
            inside.pop().close()
            wait_until(lambda: service.service.doorkeeper.n_connections == 4)
            early.sendall(head("/v1/recognize", len(photo())) + photo())
            assert read_answer(early).status == 200


def live_address(client: Client) -> str:
    return f"ws://127.0.0.1:{client.port}/v1/live"


def test_connections_beyond_the_limit_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "_PATIENCE_S", 3600.0)  # idle ones do not give way
    limits = Limits(connections=2)
    with held(tmp_path, limits=limits) as (service, detector), ExitStack() as stack:
        inside = [stack.enter_context(send_photo(service.client)) for _ in range(2)]
        wait_until(lambda: service.service.admission.n_inside == 2)
        for _ in range(protocol._SPARE):
            asking = stack.enter_context(service.client.socket())
            asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_answer(asking).status == 200
        with service.client.socket() as further:
            read_answer(further).problem(503, "busy")  # before a word of it
            assert is_closed(further, PATIENCE_S)
        detector.released.set()
        assert [read_answer(one).status for one in inside] == [200] * 2


def test_connections_that_send_nothing_give_way(tmp_path: Path):
    with running(tmp_path, limits=Limits(connections=4)) as service, ExitStack() as stack:
        silent = [stack.enter_context(service.client.socket()) for _ in range(4)]
        time.sleep(0.3)
        for _ in range(3):
            assert service.client.post("/v1/recognize", photo()).status == 200
        assert is_closed(silent[0], PATIENCE_S)


def test_health_is_told_while_all_threads_work(tmp_path: Path):
    with held(tmp_path, threads=2) as (service, detector), ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(send_photo(service.client))
        wait_until(lambda: detector.n_inside == 2)
        assert service.client.get("/healthz").status == 200
        assert service.client.get("/readyz").status == 200


def test_the_end_answers_all_that_was_accepted(tmp_path: Path):
    with ExitStack() as stack:
        service, detector = stack.enter_context(held(tmp_path))
        inside = [stack.enter_context(send_photo(service.client)) for _ in range(6)]
        idle = stack.enter_context(service.client.socket())
        wait_until(lambda: service.service.admission.n_inside == 6)
        service.server.should_exit = True
        wait_until(lambda: service.service.is_ending)
        assert is_closed(idle, PATIENCE_S)
        with pytest.raises(OSError):
            service.client.get("/healthz")
        detector.released.set()
        assert [read_answer(one).status for one in inside] == [200] * 6
        assert service.server.exit_code == 0


def test_sigterm_with_requests_in_flight(tmp_path: Path):
    with serving_process(tmp_path, "--threads", 1) as started, ExitStack() as stack:
        inside = [stack.enter_context(send_photo(started.client)) for _ in range(24)]
        with ThreadPoolExecutor(24) as readers:
            answers = readers.map(read_answer, inside)
            code, said = started.end()
            assert [answer.status for answer in answers] == [200] * 24
        assert code == 0, said
    assert not list((tmp_path / "folder").iterdir())


def test_sigterm_while_nothing_happens(tmp_path: Path):
    with serving_process(tmp_path) as started:
        assert started.client.get("/readyz").status == 200
        assert started.end()[0] == 0
