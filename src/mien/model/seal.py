"""The seal of a model file: its own SHA-256, inside the file, over everything else in it.

Golden outputs notice a network that computes wrongly; the seal notices any changed byte, of the
weights or of the card. It guards against damage and careless edits, not against forgery: whoever
can write a file can seal it again.
"""

import hashlib

SEAL_KEY = "mien.sha256"
"""Key of the seal in the ONNX file's metadata properties."""

UNSEALED = "0" * 64
"""What stands in the seal's place while the hash is computed."""


def seal(content: bytes) -> bytes:
    """Put the hash of a file into it.

    Args:
        content: the file, with `UNSEALED` exactly once.

    Returns:
        The file, of the same length, with its hash in that place.

    Raises:
        ValueError: there is no such place, or more than one.
    """
    if content.count(UNSEALED.encode()) != 1:
        raise ValueError("expected one place for the seal")
    return content.replace(UNSEALED.encode(), hashlib.sha256(content).hexdigest().encode())


def is_intact(content: bytes, digest: str) -> bool:
    """Whether a file is as it was sealed.

    Args:
        content: the file.
        digest: the seal that it carries.
    """
    sealed = digest.encode()
    if len(sealed) != len(UNSEALED) or content.count(sealed) != 1:
        return False
    return hashlib.sha256(content.replace(sealed, UNSEALED.encode())).hexdigest() == digest
