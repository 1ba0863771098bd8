"""Files at addresses that fsspec knows, as ``s3://bucket/photo.jpg``; only where a person names
one."""

import re
from typing import IO, Any

from mien.errors import MissingExtraError, SourceError, needs_extra
from mien.sources.addresses import masked

_BLOCK_BYTES = 8 << 20
"""What is read ahead of a file that is read from its beginning to its end."""
_STREAMS = frozenset(("rtsp", "rtsps", "rtmp", "rtmps", "udp", "tcp", "rtp"))
_REFUSED = frozenset(("reference", "cached", "blockcache", "filecache", "simplecache", "python"))
"""They read what a file at the address tells them to, or are no places."""


def open_address(address: str) -> IO[bytes]:
    """Open a file at an address.

    Raises:
        SourceError: it is none that fsspec knows.
        OSError: it cannot be opened.
        MissingExtraError: a library for it is not installed.
    """
    system, path = _system_of(address)
    opened: IO[bytes] = system.open(path, "rb", block_size=_BLOCK_BYTES, cache_type="readahead")
    return opened


def find_at(address: str) -> list[str]:
    """The files at an address: itself, those below it, or those that fit its pattern, in order.

    Raises:
        SourceError: there is none, or it cannot be asked.
        MissingExtraError: a library for it is not installed.
    """
    system, path = _system_of(address)
    try:
        found = system.glob(path) if re.search(r"[*?\[]", path) else system.find(path)
        return sorted(str(system.unstrip_protocol(one)) for one in found)
    except Exception as error:  # each system has its own errors
        reason = str(error).split("\n")[0] or type(error).__name__
        raise SourceError(f"cannot list {masked(address)}: {masked(reason)}") from error


def _system_of(address: str) -> tuple[Any, str]:
    scheme = address.split("://")[0].lower()
    if scheme in _STREAMS:
        raise SourceError(f"{masked(address)} is a stream; recognise it without --dataset")
    if "::" in address or scheme in _REFUSED:
        raise SourceError(f"{masked(address)} is an address within another; name a plain one")
    with needs_extra("remote"):
        import fsspec
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise MissingExtraError(f"{scheme}:// needs a library: {error}") from error
    except Exception as error:
        raise SourceError(f"cannot open {masked(address)}: {error}") from error
    return system, path
