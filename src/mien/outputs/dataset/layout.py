"""Where the files of a data set lie. Names depend on the number of a shard alone, so a shard that
is done twice overwrites itself.

    OUT/_mien/job.json                       what the job is
    OUT/_mien/manifest/part-000000.parquet   what it is made of, a row group per shard
    OUT/_mien/attempts/                      tries that have not ended; see `mien.workflows`
    OUT/_mien/sightings/                     parts of videos that wait for the others
    OUT/faces/bucket=000/part-00000000.parquet
    OUT/pictures/bucket=000/part-00000000.parquet

The file of ``pictures`` is written last: a shard with one is done. Temporary files lie in
``_mien``, where nobody looks for rows.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mien.files import write_error

N_BUCKETS = 100
"""Folders that the shards are spread over."""

_PART = re.compile(r"part-(\d{8})\.parquet")


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of a data set."""

    root: Path

    @property
    def inside(self) -> Path:
        """What is not for readers."""
        return self.root / "_mien"

    @property
    def job(self) -> Path:
        """What the job is."""
        return self.inside / "job.json"

    @property
    def lock(self) -> Path:
        """Held by the one process that works on the data set."""
        return self.inside / "lock"

    @property
    def manifest(self) -> Path:
        """Folder of what the job is made of."""
        return self.inside / "manifest"

    @property
    def attempts(self) -> Path:
        """Folder of tries that have not ended."""
        return self.inside / "attempts"

    @property
    def temporary(self) -> Path:
        """Folder of files that are being written."""
        return self.inside / "temporary"

    def sightings(self, shard: int) -> Path:
        """What was seen in a part of a video."""
        return self.inside / "sightings" / f"part-{shard:08d}.npz"

    def faces(self, shard: int) -> Path:
        """The faces of a shard."""
        return self._part("faces", shard)

    def pictures(self, shard: int) -> Path:
        """The pictures of a shard; there when the shard is done."""
        return self._part("pictures", shard)

    def done(self) -> set[int]:
        """Numbers of the shards that are done."""
        found = set()
        for folder, _, names in os.walk(self.root / "pictures"):
            if os.path.basename(folder).startswith("bucket="):
                found |= {int(match[1]) for name in names if (match := _PART.fullmatch(name))}
        return found

    @contextmanager
    def writing(self, path: Path) -> Iterator[Path]:
        """Yield a temporary path; what is written there becomes ``path`` when the block ends.

        Raises:
            OutputError: the file cannot be written; ``path`` is as it was.
        """
        temporary: Path | None = None
        try:
            self.temporary.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(suffix=path.suffix, dir=self.temporary)
            temporary = Path(name)
            os.close(handle)
            yield temporary
            os.chmod(temporary, 0o644)
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, path)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise write_error(path, error) from error
        finally:
            if temporary is not None:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a process left that was killed while it wrote."""
        with suppress(OSError):
            for path in self.temporary.iterdir():
                path.unlink(missing_ok=True)

    def _part(self, table: str, shard: int) -> Path:
        bucket = f"bucket={shard % N_BUCKETS:03d}"
        return self.root / table / bucket / f"part-{shard:08d}.parquet"
