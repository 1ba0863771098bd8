"""Where commands print: results on stdout, everything else on stderr."""

import atexit
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from mien.errors import one_line

if TYPE_CHECKING:
    from rich.console import Group

    from mien.samples import Samples, Split

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


def load_keras_quietly() -> None:
    """Import Keras and its backend without TensorFlow's notes about kernels.

    TensorFlow writes them to the file descriptor before its log level counts, so that is turned
    away during the import; Python's own errors are raised as ever.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    from mien.errors import needs_extra

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A failed training leaves iterators in cycles; freed after Python, they complain on stderr.
    atexit.register(gc.collect)
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with needs_extra("train"):
            import keras  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def split_table(parts: "Mapping[Split, Samples]", samples: "Samples") -> "Group":
    """What was found and how it was split: a line, a table of rows by class, and cautions.

    Args:
        parts: the rows of each split that is shown.
        samples: all rows, as they were read; those in no part are counted as set aside.
    """
    import numpy as np
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from mien.data.splits import cautions

    classes = len(samples.label_set)
    counts = {split.value: part.counts()[split] for split, part in parts.items()}
    rest = np.bincount(samples.labels, minlength=classes) - sum(counts.values())
    if rest.any():
        counts["set aside"] = rest
    table = Table(title="rows by class", title_justify="left")
    table.add_column("class")
    for what in counts:
        table.add_column(what, justify="right")
    for index, label in enumerate(samples.label_set):
        table.add_row(label.key, *(f"{count[index]:,}" for count in counts.values()))
    table.add_section()
    table.add_row("all", *(f"{int(count.sum()):,}" for count in counts.values()))
    layout = next(iter(parts.values()), samples).layout
    notes = [Text(f"caution: {line}") for line in cautions(parts)]
    return Group(Text(f"{samples.source}: {layout}"), table, *notes)
