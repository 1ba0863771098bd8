"""Who died at what: a file for every try of a shard says where it is.

A picture can end the process that reads it: a decoder that crashes, memory that runs out, a file
that never ends. Nobody is left to tell, so each try of a shard writes its position before every
picture. Where two tries ended at the same one, the third passes it over. Files are small, and gone
when the shard is done.
"""

import faulthandler
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from mien.files import write_error

Ending = Literal["crashed", "timeout"]
"""How a picture ended its process."""

TIMEOUT_S = 300.0
"""How long one picture may take; a machine may be very slow."""
DEATHS = 2
"""Tries that end at the same picture until it is passed over."""
MOST_FRUITLESS = 20
"""Tries of a shard that end, each somewhere else, until it is given up."""

_TIMEOUT_SIGN = b"Timeout"
"""What `faulthandler` writes before it ends the process."""
_POSITION_DIGITS = 12


class GivenUpError(Exception):
    """A shard was tried too often."""


@dataclass(slots=True)
class Attempt:
    """One try of a shard. Used as a context manager by `attempt`."""

    file: IO[bytes]
    timeout_s: float
    passed_over: dict[int, Ending] = field(default_factory=dict)
    """Positions that are not to be tried again, and why."""
    _armed_s: float = 0.0

    def at(self, position: int) -> None:
        """Say where the try is now; the clock of its timeout begins anew."""
        os.pwrite(self.file.fileno(), b"%*d\n" % (_POSITION_DIGITS, position), 0)
        now_s = time.monotonic()
        # Setting the alarm starts a thread: a tenth of the time early is no matter.
        if now_s - self._armed_s > self.timeout_s / 10:
            self._armed_s = now_s
            # Needs no turn of Python's lock, which a decoder that hangs may hold.
            faulthandler.dump_traceback_later(self.timeout_s, exit=True, file=self.file)


@contextmanager
def attempt(folder: Path, shard: int, *, timeout_s: float = TIMEOUT_S) -> Iterator[Attempt]:
    """Try a shard; at the end of the block its files are gone, unless something was raised.

    Args:
        folder: where the files of all shards lie.
        shard: its number.
        timeout_s: how long one position may take.

    Raises:
        GivenUpError: it was tried `MOST_FRUITLESS` times without getting on.
        OutputError: the folder cannot be written to.
    """
    earlier = sorted(folder.glob(f"{shard:08d}-*.txt"))
    passed_over, fruitless = _judge(earlier)
    if fruitless >= MOST_FRUITLESS:
        raise GivenUpError(f"shard {shard} was tried {len(earlier)} times")
    path = folder / f"{shard:08d}-{_next_number(earlier):04d}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("xb", buffering=0)
        file.write(b"%*d\n" % (_POSITION_DIGITS, -1))
    except OSError as error:
        raise write_error(path, error) from error
    with file:
        try:
            yield Attempt(file, timeout_s, passed_over)
        except BaseException:
            path.unlink(missing_ok=True)  # not the picture's fault
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
    for one in (*earlier, path):
        one.unlink(missing_ok=True)


def forget(folder: Path, shard: int) -> None:
    """Take the last try of a shard back, as it was ended by us."""
    for path in sorted(folder.glob(f"{shard:08d}-*.txt"))[-1:]:
        with suppress(OSError):
            path.unlink()


def forget_last_of_each(folder: Path) -> None:
    """Take the last try of every shard back, at the start of a job that goes on: it was ended with
    the job. One that a picture ended is tried once more than it had to be."""
    last: dict[str, Path] = {}
    for path in sorted(folder.glob("*-*.txt")):
        last[path.stem.split("-")[0]] = path
    for path in last.values():
        with suppress(OSError):
            path.unlink()


def _judge(earlier: list[Path]) -> tuple[dict[int, Ending], int]:
    """What is to be passed over, and how many tries taught nothing."""
    ends: Counter[int] = Counter()
    timeouts: Counter[int] = Counter()
    for path in earlier:
        try:
            content = path.read_bytes()
            position = int(content[:_POSITION_DIGITS])
        except (OSError, ValueError):
            position, content = -1, b""
        ends[position] += 1
        timeouts[position] += _TIMEOUT_SIGN in content
    passed_over: dict[int, Ending] = {
        position: "timeout" if timeouts[position] >= DEATHS else "crashed"
        for position, n in ends.items()
        if n >= DEATHS and position >= 0
    }
    return passed_over, ends.total() - sum(ends[position] for position in passed_over)


def _next_number(earlier: list[Path]) -> int:
    return int(earlier[-1].stem.split("-")[1]) + 1 if earlier else 0
