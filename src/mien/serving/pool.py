"""Threads that work on pictures, one picture each, and the lanes in which work waits for them.

Each thread takes from the lanes in turn, so that none keeps another waiting: photos and live
frames get half of the threads each while both have work. Batches of pictures over several
requests were measured and rejected: they cost more than they save.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)


class AbandonedError(Exception):
    """Nobody waits for the work any more; it was not begun."""


@dataclass(slots=True, eq=False)
class _Work:
    call: Callable[[], Any]
    is_wanted: Callable[[], bool]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    submitted_s: float


class Pool:
    """A fixed number of threads.

    Args:
        n_threads: how many.
        lanes: names of the lanes.
        on_wait: told how long each piece of work waited, in seconds; called by the threads.
    """

    def __init__(
        self,
        n_threads: int,
        lanes: Sequence[str],
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._lanes: dict[str, deque[_Work]] = {lane: deque() for lane in lanes}
        self._turns = deque(lanes)
        self._lock = threading.Lock()
        # Who fell idle last is woken first: what it worked with is still in its processor's cache.
        self._idle: list[threading.Lock] = []
        self._is_closed = False
        self._n_taken = 0
        self._on_wait = on_wait
        self._threads = [
            threading.Thread(target=self._run, name=f"mien-work-{number}", daemon=True)
            for number in range(n_threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def n_taken(self) -> int:
        """Pieces of work that threads have taken so far."""
        return self._n_taken

    @property
    def n_waiting(self) -> int:
        """Pieces of work that no thread has taken."""
        return sum(len(lane) for lane in self._lanes.values())

    async def run(
        self, lane: str, call: Callable[[], T], is_wanted: Callable[[], bool] = lambda: True
    ) -> T:
        """Have a thread call something, and wait for what comes of it.

        Args:
            lane: where the work waits.
            call: what is called.
            is_wanted: asked by the thread before it begins.

        Raises:
            AbandonedError: it was not wanted any more, or the pool is closed.
            Exception: what the call raised.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._is_closed:
                raise AbandonedError
            self._lanes[lane].append(_Work(call, is_wanted, future, loop, time.monotonic()))
            idle = self._idle.pop() if self._idle else None
        if idle is not None:
            idle.release()
        return await future

    def close(self, timeout_s: float = 5.0) -> None:
        """Finish what the threads have in hand, give up what waits, and wait for the threads."""
        with self._lock:
            self._is_closed = True
            left = [work for lane in self._lanes.values() for work in lane]
            for lane in self._lanes.values():
                lane.clear()
            while self._idle:
                self._idle.pop().release()
        for work in left:
            _tell(work, None, AbandonedError())
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self) -> None:
        woken = threading.Lock()
        woken.acquire()
        while (work := self._next(woken)) is not None:
            result, error = None, None
            try:
                if work.future.cancelled() or not work.is_wanted():
                    raise AbandonedError
                self._on_wait(time.monotonic() - work.submitted_s)
                result = work.call()
            except BaseException as raised:  # raised again where the work is waited for
                error = raised
            _tell(work, result, error)
            # What was worked on is not kept until the next piece comes.
            del work, result, error

    def _next(self, woken: threading.Lock) -> _Work | None:
        """The next piece of work; None at the end. The lock is released by who wants the thread."""
        while True:
            with self._lock:
                for _ in range(len(self._turns)):
                    lane = self._lanes[self._turns[0]]
                    self._turns.rotate(-1)
                    if lane:
                        self._n_taken += 1
                        return lane.popleft()
                if self._is_closed:
                    return None
                self._idle.append(woken)
            woken.acquire()


def _tell(work: _Work, result: Any, error: BaseException | None) -> None:
    with suppress(RuntimeError):  # the loop is closed; nobody waits
        work.loop.call_soon_threadsafe(_settle, work.future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
