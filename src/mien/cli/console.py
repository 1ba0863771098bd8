"""Where commands print: results on stdout, everything else on stderr."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

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


class MoveBar(Protocol):
    """Moves a bar: so many of all are done; words beside it."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Move it."""


@contextmanager
def progress_bar(what: str, *, shown: bool = True, with_note: bool = False) -> "Iterator[MoveBar]":
    """Yield a function that moves a bar on stderr; nothing off a terminal.

    Args:
        what: words before the bar.
        shown: False for no bar at all.
        with_note: whether there are words beside it, in place of the share and the time left.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.table import Column

    columns = Progress.get_default_columns()
    if with_note:
        # One line in every window: the note is cut where there is no room.
        note = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False, table_column=note),
        )
    disable = not (shown and errors.is_terminal)
    # Rich would send what is printed to stdout meanwhile to the bar's stderr.
    with Progress(
        *columns,
        console=errors,
        transient=True,
        disable=disable,
        redirect_stdout=False,
        expand=with_note,
    ) as bar:
        task = bar.add_task(what, total=None, note="")
        yield lambda done, total, note="": bar.update(task, completed=done, total=total, note=note)
