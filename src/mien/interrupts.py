"""Ctrl-C and SIGTERM at a moment of our choosing.

Python raises `KeyboardInterrupt` between any two instructions of the main thread, also between
taking a lock and the block that gives it back, or within a callback that swallows it. Where threads
work together, that can leave one waiting for ever.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C and SIGTERM back within the block; yields a function that lets them in.

    The function is to be called often, at moments when anything may end. What came in the meantime
    is then done as it would have been, which for Ctrl-C raises `KeyboardInterrupt`. Whatever is
    left is done at the end of the block. A second signal is not held back. Signals that the
    process ignores, or that end it at once, stay as they are; so does everything in other threads
    than the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    waiting: list[int] = []
    before: dict[int, Callable[[int, FrameType | None], object]] = {}

    def let_in() -> None:
        if waiting:
            number = waiting.pop()
            before[number](number, None)

    def hold(number: int, frame: FrameType | None) -> None:
        if waiting:
            waiting.clear()
            before[number](number, frame)
        else:
            waiting.append(number)

    for number in map(int, _SIGNALS):
        handler = signal.getsignal(number)
        if callable(handler):
            before[number] = handler
            signal.signal(number, hold)
    try:
        yield let_in
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    let_in()
