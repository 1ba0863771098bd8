"""Addresses of streams and videos: what can be opened, and what of them may be printed."""

import re

from mien.errors import SourceError

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "tcp", "rtp")
"""What an address may begin with."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)
_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_SECRET = re.compile(r"([?&;][^=&;#]*(?:pass|pwd|token|key|secret|auth|sig)[^=&;#]*=)[^&;#]*", re.I)


def is_address(text: str) -> bool:
    """Whether a source is an address and not a path."""
    return _ADDRESS.match(text) is not None


def masked(text: str) -> str:
    """An address, or a message with one, without user, password and keys in its query."""
    return _SECRET.sub(r"\1***", _USER.sub("***@", text))


def check_address(address: str) -> str:
    """The scheme of an address, lower case.

    Raises:
        SourceError: it is no address of a stream, or has no host.
    """
    found = _ADDRESS.match(address)
    if found is None or found[1].lower() not in SCHEMES:
        raise SourceError(
            f"{masked(address)} is no address of a stream; use one of "
            f"{', '.join(f'{scheme}://' for scheme in SCHEMES)}"
        )
    if not found[2].strip("/"):
        raise SourceError(f"{masked(address)} names no host; give the whole address")
    return found[1].lower()
