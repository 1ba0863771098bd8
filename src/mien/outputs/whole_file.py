"""A file that appears at its place when it is complete."""

from contextlib import ExitStack, suppress
from pathlib import Path

from mien.errors import OutputError
from mien.files import atomic_file, write_error


class WholeFile:
    """Bytes under a temporary name beside a path, renamed at the end. For outputs whose parts
    come from outside a ``with`` block; inside one, take `mien.files.atomic_file`.

    Args:
        path: what it replaces at the end.

    Raises:
        OutputError: no file can be made there; the path is as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: OSError | None = None
        self._stack = ExitStack()
        self.content_path = self._stack.enter_context(atomic_file(path))
        self._file = self._stack.enter_context(self.content_path.open("wb"))

    def append(self, content: bytes) -> None:
        """Add bytes.

        Raises:
            OutputError: they cannot be written; the path is as it was.
        """
        try:
            self._file.write(content)
        except OSError as error:
            self.error = error
            raise write_error(self.path, error) from error

    def finish(self) -> None:
        """Bring all bytes to `content_path`, and leave the path as it is.

        Raises:
            OutputError: they cannot be written.
        """
        try:
            self._file.flush()
        except OSError as error:
            self.error = error
            self.discard()
            raise write_error(self.path, error) from error

    def close(self) -> None:
        """Put the file at its place.

        Raises:
            OutputError: it cannot be written; the path is as it was.
        """
        self._stack.close()

    def discard(self) -> None:
        """Leave the path as it was."""
        with suppress(OutputError):  # bytes that were still to be written
            self._stack.__exit__(_DiscardedError, _DiscardedError(), None)

    remove = discard


class _DiscardedError(Exception):
    """Ends the block of `atomic_file` without a file."""
