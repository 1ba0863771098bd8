"""Processes of this machine: the standard library, nothing to install.

Each worker is a process of its own on a pair of sockets. `concurrent.futures` was rejected: where
one of its processes dies, it ends all others, too, and nobody can tell which picture did it; and
it loads the program of who calls it once more. Threads are no way: Python's lock lets
one of them decode and compute between two calls into libraries.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from heapq import heappop, heappush
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

from mien.errors import EngineError
from mien.workflows.engines.engine import MakeWorker, Report, Shard, processors

_QUEUED = 2
"""Shards that a worker has at a time: the next one lies there as it ends the first."""
_AHEAD = 2
"""Where reports come in order: how many times the workers' shards wait for a slow one."""
_FRUITLESS_STARTS = 3
"""Workers that end before they are ready, one after the other, until the engine gives up."""
_CHILD = "import sys; from mien.workflows.engines.child import main; main(int(sys.argv[1]))"


class Processes:
    """Worker processes of this machine; an `Engine`.

    Args:
        workers: how many; one for each processor that this process may use where None.
        in_order: give the reports in the order of the shards. The memory stays bounded: workers
            wait where one shard takes much longer than the others.

    Raises:
        ValueError: fewer than one worker.
        EngineError: the system has no such processes (Windows).
    """

    def __init__(self, workers: int | None = None, *, in_order: bool = False) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"expected at least one worker, got {workers}")
        if os.name != "posix":
            raise EngineError("worker processes need Linux or macOS; use one process: --workers 1")
        self._n_workers = workers or processors()
        self._in_order = in_order
        self._workers: list[_Worker] = []
        self._made: Any = None
        self._fruitless = 0

    @property
    def n_workers(self) -> int:
        """How many shards are done at a time."""
        return self._n_workers

    def run(
        self, shards: Iterable[Shard], make_worker: MakeWorker[Shard, Report]
    ) -> Iterator[Report]:
        """Do shards; see `Engine.run`. Workers that are there already go on with the same
        ``make_worker``."""
        if make_worker is not self._made:
            self._end_all()
            self._made = make_worker
        waiting = enumerate(shards)
        # The first one first: where reports come in order, all wait for it.
        again: list[tuple[int, Any]] = []
        done: dict[int, Any] = {}
        n_given, is_over = 0, False
        window = self._n_workers * _QUEUED * _AHEAD
        try:
            while True:
                while not is_over and self._has_room():
                    number, shard = heappop(again) if again else next(waiting, (-1, None))
                    if number < 0:
                        is_over = True
                    elif self._in_order and number >= n_given + window:
                        heappush(again, (number, shard))
                        break
                    else:
                        self._give(number, shard, again)
                if any(worker.shards for worker in self._workers):
                    for number, report in self._reports(again):
                        done[number] = report
                is_over = is_over and not again
                while done and (not self._in_order or n_given in done):
                    yield done.pop(n_given if self._in_order else next(iter(done)))
                    n_given += 1
                if is_over and not any(worker.shards for worker in self._workers):
                    return
        except BaseException:
            self._end_all()  # they are in the middle of something that nobody waits for
            raise

    def _has_room(self) -> bool:
        return len(self._workers) < self._n_workers or any(
            len(worker.shards) < _QUEUED for worker in self._workers
        )

    def _give(self, number: int, shard: Any, again: list[tuple[int, Any]]) -> None:
        """Give a shard to the worker with the fewest; shards of one that turns out to be dead are
        to be done again."""
        least = min(self._workers, key=lambda worker: len(worker.shards), default=None)
        if least is None or (least.shards and len(self._workers) < self._n_workers):
            least = _Worker(self._made)
            self._workers.append(least)
        least.shards[number] = shard
        try:
            least.connection.send(("shard", number, shard))
        except OSError:
            self._bury(least, again)

    def _reports(self, again: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        """What the workers reported; shards of those that died are to be done again."""
        found: list[tuple[int, Any]] = []
        for ready in wait([worker.connection for worker in self._workers]):
            worker = next(one for one in self._workers if one.connection is ready)
            try:
                kind, number, content = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker, again)
                continue
            if kind == "failed":
                raise content
            if kind == "ready":
                worker.is_ready = True
                self._fruitless = 0
            else:
                del worker.shards[number]
                found.append((number, content))
        return found

    def _bury(self, worker: "_Worker", again: list[tuple[int, Any]]) -> None:
        """Take a dead worker away; its shards are to be done again.

        Raises:
            EngineError: one after the other dies before it begins.
        """
        self._workers.remove(worker)
        code = worker.end()
        if not worker.is_ready:
            self._fruitless += 1
            if self._fruitless >= _FRUITLESS_STARTS:
                raise EngineError(
                    f"worker processes end before they begin ({_how(code)}); is there memory "
                    "for them? use fewer: --workers 1"
                )
        for number, shard in worker.shards.items():
            heappush(again, (number, shard))

    def _end_all(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []

    def __enter__(self) -> Self:
        """The engine itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all workers."""
        self._end_all()


class _Worker:
    """A process and what it has to do."""

    def __init__(self, make_worker: Any) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            os.set_inheritable(theirs.fileno(), True)
            self.process = subprocess.Popen(  # noqa: S603  (Python itself)
                [sys.executable, "-c", _CHILD, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_search_path())},
                # Ctrl-C at the terminal is for us; we end them.
                start_new_session=True,
            )
        self.connection = Connection(ours.detach())
        self.shards: dict[int, Any] = {}
        self.is_ready = False
        with suppress(OSError):  # it died; whoever waits for it hears of that
            self.connection.send(make_worker)

    def end(self) -> int:
        """End the process; returns its exit code."""
        self.connection.close()
        with suppress(OSError):
            self.process.kill()
        return self.process.wait()


def _search_path() -> list[str]:
    return [entry or os.getcwd() for entry in sys.path]


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
