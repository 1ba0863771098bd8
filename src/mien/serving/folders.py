"""Temporary folders that go away: at the end, and after a crash at the next start.

Each running service has one folder with a lock file in it that it holds for as long as it runs.
The system lets go of the lock of a process that died, however it died.
"""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from mien.errors import ServeError

PREFIX = "mien-serve-"
"""Beginning of the names of these folders."""
LOCK_NAME = "lock"
"""The file in each that its process holds a lock on."""

_YOUNG_S = 60.0


class ServiceFolder:
    """A folder, mode 0700, that this process owns; removed with everything in it at the end.

    Args:
        parent: where it is made; the system's temporary folder where None.

    Raises:
        ServeError: it cannot be made.
    """

    def __init__(self, parent: Path | None = None) -> None:
        # Absolute, as processes that work elsewhere are told of it.
        where = Path(parent or tempfile.gettempdir()).absolute()
        try:
            where.mkdir(parents=True, exist_ok=True)
            remove_orphans(where)
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where))
            """The folder."""
            self._lock = os.open(self.path / LOCK_NAME, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ServeError(
                f"cannot make a folder in {where}: {error.strerror or error}; name another with "
                "--folder"
            ) from error

    def close(self) -> None:
        """Remove it; may be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            os.close(self._lock)

    def __enter__(self) -> Self:
        """The folder itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove it."""
        self.close()


def remove_orphans(where: Path) -> list[Path]:
    """Remove the folders of services that do not run any more.

    Returns:
        Those that were removed. Folders of other users and of running services stay.
    """
    removed = []
    for folder in sorted(where.glob(f"{PREFIX}*")):
        with suppress(OSError):
            about = folder.lstat()
            if folder.is_symlink() or not folder.is_dir() or about.st_uid != os.getuid():
                continue
            if _is_orphan(folder, about.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
    return removed


def _is_orphan(folder: Path, modified_s: float) -> bool:
    try:
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        # One that starts at this moment has no lock yet.
        return time.time() - modified_s > _YOUNG_S
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
