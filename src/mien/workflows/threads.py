"""Two threads for a chain of three steps: one that reads ahead, one that works behind.

Both hold a bounded number of items, so a fast step waits for a slow one and the memory stays
bounded. What goes wrong in a thread is raised where its items are taken or given.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")

_IDLE_S = 0.1
"""How long to wait before whoever waits may do something else."""


class _Queue(Generic[Item]):
    """A bounded queue that either end can close."""

    def __init__(self, size: int) -> None:
        self._items: deque[Item] = deque()
        self._size = size
        self._changed = threading.Condition()
        self._is_closed = False

    def put(self, item: Item, idle: Callable[[], None] = lambda: None) -> bool:
        """Add an item, waiting for room; False where the queue was closed.

        Args:
            item: what to add.
            idle: called now and then while it waits, with no lock held.
        """
        while True:
            with self._changed:
                if self._changed.wait_for(
                    lambda: self._is_closed or len(self._items) < self._size, _IDLE_S
                ):
                    if not self._is_closed:
                        self._items.append(item)
                        self._changed.notify_all()
                    return not self._is_closed
            idle()

    def get(self, idle: Callable[[], None] = lambda: None) -> Item | None:
        """Take the oldest item, waiting for one; None where the queue is closed and empty.

        Args:
            idle: called now and then while it waits, with no lock held.
        """
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._is_closed or bool(self._items), _IDLE_S):
                    item = self._items.popleft() if self._items else None
                    self._changed.notify_all()
                    return item
            idle()

    def close(self, *, drop: bool = False) -> None:
        """Take no more items; those that are there can still be taken unless dropped."""
        with self._changed:
            self._is_closed = True
            if drop:
                self._items.clear()
            self._changed.notify_all()


class Ahead(Generic[Item]):
    """Goes through an iterable in a thread, a few items ahead of who takes them.

    Args:
        items: what to go through; only the thread touches it. Items are never None.
        size: items held at most, but for the one that waits for room.
        stop: called at the end, so that an iterable that waits for its next item lets go.
        idle: called now and then by who waits for an item, with no lock held; may raise.
    """

    def __init__(
        self,
        items: Iterable[Item],
        size: int,
        *,
        stop: Callable[[], None] = lambda: None,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._items = items
        self._stop = stop
        self._idle = idle
        self._queue: _Queue[Item] = _Queue(size)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="mien-ahead", daemon=True)

    def _read(self) -> None:
        try:
            for item in self._items:
                if not self._queue.put(item):
                    break
        except BaseException as error:  # raised again where the items are taken
            self._error = error
        finally:
            self._queue.close()

    def __iter__(self) -> Iterator[Item]:
        """Yield the items, then raise what ended them, if anything did."""
        while (item := self._queue.get(self._idle)) is not None:
            yield item
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drop what is left and wait for the thread, which ends after the item in its hands."""
        self._queue.close(drop=True)
        self._stop()
        self._thread.join()


class Behind(Generic[Item]):
    """Calls a function on items in a thread, in their order.

    Args:
        work: what is called; only the thread calls it. Items are never None.
        size: items held at most, but for the one in work.
        idle: called now and then by who waits for room, with no lock held; may raise.
    """

    def __init__(
        self,
        work: Callable[[Item], None],
        size: int,
        *,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._idle = idle
        self._queue: _Queue[Item] = _Queue(size)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mien-behind", daemon=True)

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                self._work(item)
        except BaseException as error:  # raised again where the items are given
            self._error = error
        finally:
            self._queue.close(drop=True)

    def put(self, item: Item) -> None:
        """Give an item, waiting for room.

        Raises:
            Exception: what the function raised for an earlier item; this one is dropped.
        """
        if not self._queue.put(item, self._idle) and self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait until the items that were given are worked on.

        Raises:
            Exception: what the function raised, unless the block raised something itself.
        """
        self._queue.close()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error
