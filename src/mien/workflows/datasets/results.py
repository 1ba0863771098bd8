"""What `recognize_dataset` returns, and what it tells meanwhile."""

from dataclasses import dataclass
from pathlib import Path

from mien.clock import clock
from mien.outputs.dataset.parts import Counts
from mien.reports.wording import counted
from mien.workflows.datasets.worker import ShardReport


@dataclass(frozen=True, slots=True)
class DatasetResult:
    """What a data set holds."""

    path: Path
    """Its folder; ``faces`` and ``pictures`` in it are the tables."""
    counts: Counts
    """Sums over its pictures and parts of videos."""
    n_shards: int
    """Shards of the job."""
    n_done: int
    """Shards that are done."""
    seconds: float
    """How long this call took."""
    problems: tuple[str, ...] = ()
    """A line for every source that could not be read at all, and every shard that was not done."""

    @property
    def is_complete(self) -> bool:
        """Whether all shards are done."""
        return self.n_done == self.n_shards

    @property
    def n_quarantined(self) -> int:
        """Pictures and parts of videos that are not ok."""
        return self.counts.n_quarantined

    def __repr__(self) -> str:
        """One line."""
        return (
            f"DatasetResult({str(self.path)!r}, {self.n_done} of "
            f"{counted(self.n_shards, 'shard')} done, {counted(self.counts.n_faces, 'face')}, "
            f"{self.n_quarantined} quarantined)"
        )


@dataclass(frozen=True, slots=True)
class DatasetProgress:
    """How far a job is, at the beginning and after each shard."""

    report: ShardReport | None
    """The shard that ended just now; None at the beginning."""
    counts: Counts
    """Sums over everything that is done, by earlier calls, too."""
    n_done: int
    """Shards that are done."""
    n_shards: int
    """Shards of the job."""
    frames_per_s: float
    """Pictures and frames a second, since the first shard of this call was given."""
    remaining_s: float | None
    """Time that the other shards will take at this rate; None where nothing is known of it yet."""

    @property
    def words(self) -> str:
        """Rate, time left and rows by status; what matters most comes first, as narrow windows cut
        the end."""
        words = []
        if self.frames_per_s:
            words.append(f"{self.frames_per_s:.0f}/s")
        if self.remaining_s is not None:
            words.append(f"{clock(self.remaining_s)} left")
        counts = sorted(self.counts.statuses.items(), key=lambda one: (one[0] == "ok", one[0]))
        return ", ".join([*words, *(f"{n:,} {status}" for status, n in counts)])
