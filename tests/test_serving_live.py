"""Live frames over a WebSocket: the newest wins, and every answer says what it is about."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from mien.recognition.detectors.whole import Whole
from mien.results import Detection
from mien.serving import protocol
from mien.serving.settings import Limits
from picture_factory import encode, gradient
from serving_factory import PATIENCE_S, Client, Running, photo, running, wait_until

TOKEN = "a-token-of-some-length-0123456789"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("serving"), token=TOKEN) as started:
        yield started


@contextmanager
def opened(client: Client, greeting: object = None, **options: Any) -> Iterator[ClientConnection]:
    """A connection after its first message; `greeting` is sent as it is where it is text."""
    hello = {"token": client.token} if greeting is None else greeting
    with connect(f"ws://127.0.0.1:{client.port}/v1/live", **options) as connection:
        connection.send(hello if isinstance(hello, str | bytes) else json.dumps(hello))
        yield connection


def received(connection: ClientConnection) -> Any:
    return json.loads(connection.recv(PATIENCE_S))


def test_frames_and_answers(service: Running):
    with opened(service.client) as connection:
        ready = received(connection)
        assert ready["ready"] is True
        assert len(ready["labels"]) == 7
        for number in range(5):
            connection.send(photo() if number % 2 else encode(gradient(48, 64), "WEBP"))
            answer = received(connection)
            assert (answer["frame"], answer["dropped"]) == (number, 0)
            (face,) = answer["faces"]
            assert face["track"] == 1
            assert set(face) >= {"box", "expression", "probabilities", "raw_probabilities"}
        assert answer["time_s"] > 0


def test_tracks_and_options_belong_to_a_connection(service: Running):
    greeting = {"token": TOKEN, "min_confidence": 1.0, "tta": "flip", "half_life_s": 0}
    with opened(service.client) as first, opened(service.client, greeting) as second:
        for connection in (first, second):
            received(connection)
            connection.send(photo())
        plain, strict = received(first), received(second)
        assert plain["faces"][0]["track"] == strict["faces"][0]["track"] == 1
        assert plain["faces"][0]["expression"] != "uncertain"
        assert strict["faces"][0]["expression"] == "uncertain"
        assert strict["tta"] == "flip"
        assert service.client.metric("mien_live_connections") == 2
    wait_until(lambda: service.client.metric("mien_live_connections") == 0)


def test_a_connection_outlives_the_deadlines_of_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(protocol, "_DRAIN_S", 0.05)
    limits = Limits(header_s=0.3)
    with running(tmp_path, limits=limits) as service, opened(service.client) as connection:
        received(connection)
        for number in range(5):
            time.sleep(0.1)
            connection.send(photo())
            assert received(connection)["frame"] == number


def test_a_bad_frame_is_a_problem_of_its_own(service: Running):
    with opened(service.client) as connection:
        received(connection)
        for content, status in (
            (b"", 415),
            (encode(gradient(), "PNG"), 415),
            (photo()[:100], 422),
        ):
            connection.send(content)
            problem = received(connection)
            assert problem["status"] == status
            assert problem["type"].startswith("urn:mien:problem:")
        connection.send(photo())
        assert received(connection)["frame"] == 3


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        ("no json", "JSON"),
        (b"\xff\xd8\xff", "JSON"),
        ({"token": TOKEN, "tta": "ten"}, "tta"),
        ({"token": TOKEN, "colour": 1}, "colour"),
        ({"token": TOKEN, "min_confidence": 2}, "min_confidence"),
        ({"token": "another"}, "token"),
        ({}, "token"),
    ],
)
def test_first_messages_that_are_refused(service: Running, greeting: object, words: str):
    with opened(service.client, greeting) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(PATIENCE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert words in closed.value.rcvd.reason


def test_a_token_in_the_header_is_enough(service: Running):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with opened(service.client, {}, additional_headers=headers) as connection:
        assert received(connection)["ready"] is True


def test_text_after_the_first_message_ends_it(service: Running):
    with opened(service.client) as connection:
        received(connection)
        connection.send("no frame")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(PATIENCE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


class Slow(Whole):
    """A detector that takes a while, and remembers how many pictures it saw."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.n_seen = 0

    def searching(self, search_side_px: int) -> "Slow":
        return self

    def detect(self, image_rgb: np.ndarray) -> tuple[Detection, ...]:
        self.n_seen += 1
        time.sleep(self.takes_s)
        return super().detect(image_rgb)


def test_the_newest_frame_wins(tmp_path: Path):
    detector = Slow(0.15)
    with running(tmp_path, detector=detector) as service, opened(service.client) as connection:
        received(connection)
        answers = []
        for _ in range(4):
            for _ in range(10):
                connection.send(photo())
                time.sleep(0.01)
            answers.append(received(connection))
        numbers = [answer["frame"] for answer in answers]
        assert numbers == sorted(set(numbers))
        # What was skipped was dropped, and nothing waits but the newest.
        last = answers[-1]
        assert last["dropped"] >= last["frame"] + 1 - detector.n_seen > 20
        assert detector.n_seen <= 8
        dropped = service.client.metric("mien_live_dropped_frames_total")
        assert dropped >= last["dropped"]


def test_no_more_than_there_may_be(tmp_path: Path):
    with running(tmp_path, limits=Limits(live=1)) as service:
        with opened(service.client) as first:
            received(first)
            with pytest.raises(InvalidStatus) as refused, opened(service.client):
                pass
            response = refused.value.response
            assert response.status_code == 503
            assert response.headers["Retry-After"]
            assert response.headers["Content-Type"] == "application/problem+json"
        wait_until(lambda: service.service.live.n_connections == 0)
        with opened(service.client) as again:
            assert received(again)["ready"] is True


def test_who_never_speaks_is_closed_and_holds_no_place(tmp_path: Path):
    limits = Limits(live=1, header_s=0.5, body_s=0.5)
    with running(tmp_path, limits=limits) as service:
        address = f"ws://127.0.0.1:{service.client.port}/v1/live"
        with connect(address) as silent, opened(service.client) as speaking:
            assert received(speaking)["ready"] is True
            for connection in (silent, speaking):
                with pytest.raises(ConnectionClosed) as closed:
                    connection.recv(PATIENCE_S)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4408


def test_photos_and_live_frames_take_turns(tmp_path: Path):
    stop = threading.Event()
    with (
        running(tmp_path, detector=Slow(0.02), threads=1) as service,
        opened(service.client) as connection,
    ):

        def hammer() -> None:
            while not stop.is_set():
                service.client.post("/v1/recognize", photo())

        received(connection)
        photos = [threading.Thread(target=hammer) for _ in range(8)]
        for thread in photos:
            thread.start()
        wait_until(lambda: service.service.admission.n_inside >= 7)
        before = service.client.metric("mien_faces_total")
        for number in range(20):
            connection.send(photo())
            assert received(connection)["frame"] == number
        after = service.client.metric("mien_faces_total")
        stop.set()
        for thread in photos:
            thread.join()
    # Of two lanes each got about half: 20 live frames, and as many photos.
    assert 15 <= after - before - 20 <= 40


def test_the_end_closes_live_connections(tmp_path: Path):
    with running(tmp_path) as service, opened(service.client) as connection:
        received(connection)
        service.server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(PATIENCE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
