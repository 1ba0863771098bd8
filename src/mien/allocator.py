"""The C library's memory between two pictures: kept for the next one.

glibc gives large blocks back to the system as soon as they are freed, and takes them anew for the
next picture, page by page. A process that does one picture after the other keeps them. Elsewhere
nothing is done, and nothing needs to be. What it saves is in LOG.md; a service, which rests
between requests, does the opposite (`mien.serving.memory`).
"""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Source: malloc.h of glibc."""
_MAPPED_BYTES = 32 << 20
"""Blocks from here on still go back at once: pictures of 11 megapixels and more. Source: glibc
takes no more (HEAP_MAX_SIZE / 2)."""
_KEPT_BYTES = 256 << 20


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, up to 256 MB; for processes that only recognise."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
