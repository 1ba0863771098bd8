"""Memory goes back to the system after large pictures.

glibc keeps what was freed in one arena per thread, 174 MB after a dozen pictures of 24
megapixels. Elsewhere nothing is done, and nothing needs to be.
"""

import ctypes
import sys
from functools import cache
from typing import Any

LARGE_PICTURE_PIXELS = 8_000_000
"""From here on a picture is worth a call of `trim`."""

_M_ARENA_MAX = -8
"""Source: malloc.h of glibc."""


@cache
def _libc() -> Any | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
        return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
    except OSError:
        return None


def use_few_arenas(n_arenas: int = 2) -> None:
    """Let all threads share so many arenas; to be called before there are threads."""
    libc = _libc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, n_arenas)


def trim() -> None:
    """Give what is free back to the system; takes a millisecond or two."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)
