"""A file that grows while a video runs and can be read at any time.

What is appended is with the system at once, so a killed process loses none of it. What a writer
wants to change further up waits until the file is complete: FFmpeg changes one line of an MP4's
head at the end, and a full disk between that and the rest would make the whole file unreadable.
"""

import os
from pathlib import Path

from mien.files import write_error

_KEPT = "what was written before is kept"


class GrowingFile:
    """A new file at a path, unbuffered; folders above it are made.

    It has what FFmpeg asks of a file: ``write``, ``seek`` and ``tell``. These never raise an
    error of the system, which would be lost on its way through FFmpeg; once one occurred, all
    that follows is dropped, and `check` raises it.

    Args:
        path: where it is made; what stood there is replaced.

    Raises:
        OutputError: the file cannot be made; what stood there is still there.
    """

    def __init__(self, path: Path) -> None:
        self.path = self.content_path = path
        self.error: OSError | None = None
        self._size = 0
        self._position = 0
        self._patches: list[tuple[int, bytes]] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise write_error(path, error, "nothing was written") from error

    def write(self, content: bytes) -> int:
        """Take bytes at the present position; always returns their number."""
        if self.error is not None:
            pass
        elif self._position < self._size:
            self._patches.append((self._position, bytes(content)))
        else:
            self._append(content)
        self._position += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another position; returns it, from the beginning of the file."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """The present position, from the beginning of the file."""
        return self._position

    def append(self, content: bytes) -> None:
        """Add bytes at the end.

        Raises:
            OutputError: as `check`.
        """
        self.seek(0, os.SEEK_END)
        self.write(content)
        self.check()

    def check(self) -> None:
        """Raise what went wrong.

        Raises:
            OutputError: the file could not grow; it holds what was written before.
        """
        if self.error is not None:
            raise write_error(self.path, self.error, _KEPT) from self.error

    def finish(self) -> None:
        """Change what was to be changed further up, if nothing went wrong; may be called twice.

        Raises:
            OutputError: as `check`.
        """
        if not self._file.closed and self.error is None:
            try:
                for position, content in self._patches:
                    self._file.seek(position)
                    self._file.write(content)
            except OSError as error:
                self.error = error
        self._file.close()
        self.check()

    close = finish

    def discard(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def remove(self) -> None:
        """Close the file and take it away."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _append(self, content: bytes) -> None:
        try:
            self._file.seek(self._position)
            remaining = memoryview(content)
            while remaining:
                remaining = remaining[self._file.write(remaining) or 0 :]
            self._size = self._position + len(content)
        except OSError as error:
            self.error = error
            # A line cut in two would be read as one with other values.
            self._file.truncate(self._size)
