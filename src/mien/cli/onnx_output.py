"""The ``.onnx`` file that a command is to write, checked before the work and not after it."""

import os
from collections.abc import Iterable
from pathlib import Path


def check_onnx_output(out: Path, sources: Iterable[Path] = ()) -> None:
    """Check that a bundle can be called so.

    Args:
        out: the file; it need not be there.
        sources: files that it is made of, which it must not replace.

    Raises:
        OutputError: it cannot be written, or would replace what it is made of.
    """
    from mien.errors import OutputError

    if out.suffix.lower() != ".onnx":
        raise OutputError(f"cannot write {out}: the file must end in .onnx")
    if out.is_dir():
        raise OutputError(f"cannot write {out}: it is a folder; name a file")
    if any(out.exists() and out.samefile(source) for source in sources):
        raise OutputError(f"{out} is what the new file is made of; name another one with --out")
    there = next(parent for parent in out.absolute().parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise OutputError(f"cannot write {out}: name a place that you may write to")
