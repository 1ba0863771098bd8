"""The interface of engines."""

import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar, get_args

Shard = TypeVar("Shard")
Report = TypeVar("Report")

EngineName = Literal["processes", "ray"]
"""Engines by name."""
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)
"""The values of `EngineName`."""

MakeWorker = Callable[[], Callable[[Shard], Report]]
"""Makes what does shards, once in each process: it loads the model. Like shards and reports, it
travels between processes: a function of a module, or `functools.partial` of one."""


class Engine(Protocol):
    """Does shards, many at a time. A context manager, which lets go of what it started."""

    @property
    def n_workers(self) -> int:
        """How many shards are done at a time."""
        ...

    def run(
        self, shards: Iterable[Shard], make_worker: MakeWorker[Shard, Report]
    ) -> Iterator[Report]:
        """Do shards.

        Args:
            shards: gone through only as far as there are workers to do them, in the calling
                thread.
            make_worker: makes what does them.

        Yields:
            The report of every shard, as it is done; of a shard whose process or machine died,
            that of a later try: it is tried until there is one.

        Raises:
            EngineError: no worker can be started.
            Exception: what a worker raised.
        """
        ...

    def __enter__(self) -> Self:
        """The engine itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all workers."""
        ...


def processors() -> int:
    """Processors that this process may use: fewer than there are, if it was confined."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
