"""Live connections: frames in, what they show out, and the newest frame wins.

One task takes every message as it comes and keeps the last frame only; another one has it worked
on and answers. So a client that sends faster than can be worked on loses frames and never waits
for old ones, and how many it lost is in every answer. Tracks and smoothing belong to a connection.
"""

import asyncio
import json
import logging
import time
from contextlib import suppress
from typing import Any

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

import mien
from mien.recognition.video_recognizer import VideoRecognizer
from mien.results import FrameResult
from mien.serving.access import Gate
from mien.serving.engine import Engine
from mien.serving.metrics import Metrics
from mien.serving.photos import decode
from mien.serving.pool import AbandonedError, Pool
from mien.serving.problems import Problem, busy, internal
from mien.serving.protocol import CONNECTION_KEY, Connection
from mien.serving.schemas import LiveOptions
from mien.serving.settings import Limits

LANE = "live"
"""Where live frames wait for a thread."""

POLICY, TOO_SLOW, AGAIN_LATER = 1008, 4408, 1013
"""Codes with which connections are closed. Source: RFC 6455, section 7.4, and IANA's register."""

_SEND_S = 10.0
_SLOTS_RETRY_S = 5

_log = logging.getLogger(__name__)


class LiveFrames:
    """All live connections of a service.

    Args:
        engine: what recognises.
        pool: whose threads do it.
        gate: knows the token.
        limits: how many there may be, and how long they may be silent.
        metrics: told of frames.
    """

    def __init__(
        self, engine: Engine, pool: Pool, gate: Gate, limits: Limits, metrics: Metrics
    ) -> None:
        self._engine = engine
        self._pool = pool
        self._gate = gate
        self._limits = limits
        self._metrics = metrics
        self._n_connections = 0

    @property
    def n_connections(self) -> int:
        """Connections whose first message was accepted."""
        return self._n_connections

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection to its end.

        Raises:
            Problem: before it is accepted: there is no room.
        """
        if self._n_connections >= self._limits.live:
            self._metrics.refused("live")
            raise busy("as many live connections are open as may be", _SLOTS_RETRY_S)
        is_known = "authorization" in websocket.headers  # and was checked at the gate
        connection: Connection | None = websocket.scope.get(CONNECTION_KEY)
        await websocket.accept()
        with suppress(WebSocketDisconnect, AbandonedError):
            options = await self._greet(websocket, is_known)
            if options is None:
                return
            if connection is not None:
                connection.client_is_ready()
            self._n_connections += 1
            try:
                recognizer = self._engine.live(
                    options.min_confidence, options.tta, options.half_life_s
                )
                await _Exchange(self, websocket, recognizer).run()
            finally:
                self._n_connections -= 1

    async def _greet(self, websocket: WebSocket, is_known: bool) -> LiveOptions | None:
        """Take the first message; None where it was not accepted, which the client is told."""
        try:
            async with asyncio.timeout(self._limits.header_s):
                text = await _text(websocket)
            options = LiveOptions.model_validate_json(text)
        except TimeoutError:
            await _close(websocket, TOO_SLOW, "no first message came in time")
            return None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"])) or "the message"
            await _close(websocket, POLICY, f"bad first message: {where}: {first['msg']}")
            return None
        except _NotText:
            await _close(websocket, POLICY, "the first message must be JSON with the options")
            return None
        if not is_known and not self._gate.knows(options.token):
            await _close(websocket, POLICY, "the token is missing or another")
            return None
        if self._n_connections >= self._limits.live:
            self._metrics.refused("live")
            await _close(websocket, AGAIN_LATER, "as many live connections are open as may be")
            return None
        card = self._engine.classifier.card
        await websocket.send_json(
            {
                "ready": True,
                "model": card.name,
                "labels": list(card.labels),
                "mien": mien.__version__,
            }
        )
        return options

    def work(
        self, recognizer: VideoRecognizer, content: bytes, number: int, time_s: float
    ) -> FrameResult:
        """Recognise one frame; by a thread of the pool.

        Raises:
            Problem: it is no picture.
        """
        if not _is_jpeg(content) and not _is_webp(content):
            raise Problem(415, "not-a-frame", "live frames are JPEG or WebP")
        image_rgb = decode(content, self._limits.picture_pixels, self._metrics)
        n_pixels = image_rgb.shape[0] * image_rgb.shape[1]
        result = recognizer.recognize(image_rgb, frame=number, time_s=time_s)
        del image_rgb
        self._engine.rest_after(n_pixels)
        self._metrics.faces.inc(len(result.faces))
        return result


class _Exchange:
    """The frames and answers of one connection."""

    def __init__(
        self, service: LiveFrames, websocket: WebSocket, recognizer: VideoRecognizer
    ) -> None:
        self._service = service
        self._websocket = websocket
        self._recognizer = recognizer
        self._newest: tuple[int, float, bytes] | None = None
        self._changed = asyncio.Event()
        self._n_frames = self._n_dropped = 0
        self._is_over = False

    async def run(self) -> None:
        """Go on until the client leaves or falls silent."""
        answering = asyncio.create_task(self._answer_all(), name="mien-live")
        try:
            await self._take_all()
        finally:
            self._is_over = True
            self._changed.set()
            answering.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await answering

    async def _take_all(self) -> None:
        begin_s = time.monotonic()
        limit_s = self._service._limits.body_s
        while True:
            try:
                async with asyncio.timeout(limit_s):
                    message = await self._websocket.receive()
            except TimeoutError:
                await _close(self._websocket, TOO_SLOW, f"no frame came for {limit_s:g} s")
                return
            if message["type"] != "websocket.receive":
                return
            content = message.get("bytes")
            if content is None:
                await _close(self._websocket, POLICY, "frames are binary messages")
                return
            if self._newest is not None:
                self._n_dropped += 1
                self._service._metrics.live_dropped.inc()
            self._newest = (self._n_frames, time.monotonic() - begin_s, content)
            self._n_frames += 1
            self._changed.set()

    async def _answer_all(self) -> None:
        last_s = -1.0
        while not self._is_over:
            await self._changed.wait()
            self._changed.clear()
            if self._newest is None:
                continue
            (number, time_s, content), self._newest = self._newest, None
            # Two frames of one packet have one time; a video's times grow.
            time_s = last_s = max(time_s, last_s + 1e-6)
            answer = await self._work(number, time_s, content)
            try:
                async with asyncio.timeout(_SEND_S):
                    await self._websocket.send_text(json.dumps(answer, ensure_ascii=False))
            except TimeoutError:
                connection: Connection | None = self._websocket.scope.get(CONNECTION_KEY)
                if connection is not None:
                    connection.abort()
                return
            self._service._metrics.live_frames.inc()

    async def _work(self, number: int, time_s: float, content: bytes) -> dict[str, Any]:
        try:
            result = await self._service._pool.run(
                LANE,
                lambda: self._service.work(self._recognizer, content, number, time_s),
                lambda: not self._is_over,
            )
            return {**result.as_dict(), "dropped": self._n_dropped}
        except Problem as problem:
            return {"frame": number, "dropped": self._n_dropped, **problem.as_dict()}
        except AbandonedError:
            raise
        except Exception:
            _log.exception("recognising a live frame failed")
            return {"frame": number, "dropped": self._n_dropped, **internal().as_dict()}


class _NotText(Exception):
    """The first message is binary."""


async def _text(websocket: WebSocket) -> str:
    message = await websocket.receive()
    if message["type"] != "websocket.receive":
        raise WebSocketDisconnect(message.get("code", 1006))
    text = message.get("text")
    if text is None:
        raise _NotText
    return str(text)


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    # A reason has 123 bytes at most.
    if websocket.application_state is WebSocketState.CONNECTED:
        with suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close(code, reason.encode()[:120].decode("utf-8", "ignore"))


def _is_jpeg(content: bytes) -> bool:
    return content[:3] == b"\xff\xd8\xff"


def _is_webp(content: bytes) -> bool:
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"
