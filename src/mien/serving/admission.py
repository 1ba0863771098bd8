"""Whether there is room for one more request with pictures, before its body is read.

A place is held from the header to the answer. Where all are taken, a newcomer gets the place of
who has been sending the longest, if that was for more than a moment: so slow clients cannot keep
quick ones out. Everything here runs in the event loop.
"""

import asyncio
import math
from typing import Self

from mien.serving.problems import Problem, busy

GRACE_S, SILENCE_S = 1.0, 0.1
"""A body that has been coming for so long, or of which nothing came for so long, gives way."""

_LONGEST_RETRY_S = 60
_WEIGHT = 0.1


class Ticket:
    """One request's place; a context manager that gives it back.

    Args:
        admission: what it is a place of.
        bytes_: bytes of the body, as announced; 0 where they are not.
    """

    def __init__(self, admission: "Admission", bytes_: int) -> None:
        self._admission = admission
        self._begin_s = self._heard_s = asyncio.get_running_loop().time()
        self._announced = bytes_
        self._received = 0
        self.bytes = bytes_
        """What the place counts for."""
        self.is_displaced = False
        """Whether it was given to another one."""
        self.timeout: asyncio.Timeout | None = None
        """What bounds the receiving; rescheduled to now where the place is given away."""

    def is_slow(self, now_s: float) -> bool:
        """Whether the body has been coming for so long that the place may be given away."""
        if self.timeout is None:
            return False
        return now_s - self._begin_s > GRACE_S or now_s - self._heard_s > SILENCE_S

    def took(self, n_bytes: int) -> None:
        """So many more bytes came.

        Raises:
            Problem: others hold so much that these have no room; only where their number was not
                announced.
        """
        self._received += n_bytes
        self._heard_s = asyncio.get_running_loop().time()
        if self._received > self.bytes:
            self._admission.grow(self, self._received - self.bytes)

    def __enter__(self) -> Self:
        """The ticket itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the place back."""
        self._admission.leave(self)


class Admission:
    """Places for requests.

    Args:
        places: requests at a time.
        bytes_at_most: bytes of their bodies, all together.
        workers: how many are worked on at a time; for the estimate of when there is room.
    """

    def __init__(self, places: int, bytes_at_most: int, workers: int) -> None:
        self._places = places
        self._bytes_at_most = bytes_at_most
        self._workers = workers
        self._tickets: dict[Ticket, None] = {}
        self._bytes = 0
        self._work_s = 0.1
        self._n_refused = 0

    @property
    def n_inside(self) -> int:
        """Requests that hold a place."""
        return len(self._tickets)

    @property
    def n_refused(self) -> int:
        """Requests so far that got none."""
        return self._n_refused

    def enter(self, announced_bytes: int | None) -> Ticket:
        """Take a place.

        Args:
            announced_bytes: length of the body, where it is told.

        Raises:
            Problem: 503, there is none.
        """
        ticket = Ticket(self, announced_bytes or 0)
        if len(self._tickets) >= self._places and not self._displace():
            raise self._full()
        while self._bytes + ticket.bytes > self._bytes_at_most and self._tickets:
            if not self._displace():
                raise self._full()
        self._tickets[ticket] = None
        self._bytes += ticket.bytes
        return ticket

    def grow(self, ticket: Ticket, n_bytes: int) -> None:
        """A place counts for more; see `Ticket.took`."""
        if ticket not in self._tickets:
            return
        if self._bytes + n_bytes > self._bytes_at_most and len(self._tickets) > 1:
            raise self._full()
        ticket.bytes += n_bytes
        self._bytes += n_bytes

    def leave(self, ticket: Ticket) -> None:
        """Give a place back; a second time nothing happens."""
        if ticket in self._tickets:
            del self._tickets[ticket]
            self._bytes -= ticket.bytes

    def worked(self, taken_s: float) -> None:
        """A request took so much of a worker's time."""
        self._work_s += _WEIGHT * (taken_s - self._work_s)

    def retry_after_s(self) -> int:
        """Whole seconds until there should be room."""
        wait_s = len(self._tickets) * self._work_s / self._workers
        return min(max(1, math.ceil(wait_s)), _LONGEST_RETRY_S)

    def _full(self) -> Problem:
        self._n_refused += 1
        return busy(
            "the queue is full; come back after the seconds in Retry-After", self.retry_after_s()
        )

    def _displace(self) -> bool:
        """Take the place of who has been sending the longest; False where nobody is slow."""
        now_s = asyncio.get_running_loop().time()
        for ticket in self._tickets:  # in the order in which they came
            if ticket.is_slow(now_s) and ticket.timeout is not None:
                ticket.is_displaced = True
                self.leave(ticket)
                ticket.timeout.reschedule(now_s)
                return True
        return False
