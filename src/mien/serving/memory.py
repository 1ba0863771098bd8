"""Memory goes back to the system after large pictures.

glibc keeps what was freed in one arena per thread, 174 MB after a dozen pictures of 24
megapixels. Elsewhere nothing is done, and nothing needs to be.
"""

import asyncio
import ctypes
import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

LARGE_PICTURE_PIXELS = 8_000_000
"""From here on a picture is worth a call of `trim`."""

_MEGABYTE = 1 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Source: malloc.h of glibc."""
_ARENAS = 2
_MAPPED_BYTES = 8 * _MEGABYTE
"""Blocks of this size and more go back as soon as they are freed. Smaller ones, as pictures of
less than 3 megapixels need them again and again, stay: fetching them anew costs 0.5 ms a photo."""
_KEPT_BYTES = 32 * _MEGABYTE
"""What an arena keeps at its end."""
_EVERY_S = 5.0

_log = logging.getLogger(__name__)


@cache
def _libc() -> Any | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
        return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
    except OSError:
        return None


def keep_little() -> None:
    """Let all threads share two arenas, and these keep little; before there are threads."""
    libc = _libc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def trim() -> None:
    """Give what is free back to the system; takes a millisecond or two."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


async def rest_now_and_then(n_done: Callable[[], float], rest: Callable[[], None]) -> None:
    """After work give memory back, for ever; a service that has nothing to do keeps none.

    Args:
        n_done: a number that grows with the work.
        rest: gives it back; called in a thread.
    """
    before = n_done()
    while True:
        await asyncio.sleep(_EVERY_S)
        now = n_done()
        if now != before:
            before = now
            try:
                await asyncio.to_thread(rest)
            except Exception:  # the next time may do
                _log.exception("giving memory back failed")
