"""Where commands print: results on stdout, everything else on stderr."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from mien.errors import one_line

for _name in ("stdout", "stderr"):
    if getattr(sys, _name) is None:  # closed by whoever started us
        setattr(sys, _name, open(os.devnull, "w"))  # noqa: SIM115  (for as long as we run)

_WIDE = 160
_is_wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ

output = Console(highlight=False, soft_wrap=True, width=_WIDE if _is_wide else None)
"""Results, on stdout; wide in files and pipes, where nobody's window is too narrow."""
errors = Console(stderr=True, highlight=False)
"""Progress, warnings and errors, on stderr."""


def warn(message: str) -> None:
    """Print a warning or error, as one line on stderr."""
    print("mien:", one_line(message), file=sys.stderr)


def print_written(path: object) -> None:
    """Say on stderr where a result lies; the same words for all commands, the path unbroken."""
    errors.print(f"written: {path}", markup=False, soft_wrap=True)


class Terminated(KeyboardInterrupt):
    """Somebody asked the process to end, by SIGTERM; what runs is completed as after Ctrl-C."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, which `timeout`, containers and services send, raise `Terminated`."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return

    def end(number: int, frame: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def print_line(text: str) -> None:
    """Print a line of results.

    Raises:
        OutputError: stdout cannot be written.
        BrokenPipeError: nobody reads it any more.
    """
    from mien.errors import OutputError

    try:
        print(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write to stdout: {error.strerror}") from error


@contextmanager
def progress_bar(what: str, *, shown: bool = True) -> "Iterator[Callable[[int, int], None]]":
    """Yield a function that moves a bar on stderr: (done, total); nothing off a terminal.

    Args:
        what: words before the bar.
        shown: False for no bar at all.
    """
    from rich.progress import Progress

    disable = not (shown and errors.is_terminal)
    # Rich would send what is printed to stdout meanwhile to the bar's stderr.
    with Progress(console=errors, transient=True, disable=disable, redirect_stdout=False) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
