"""What is wrong with a data set, before anything is trained on it."""

from pathlib import Path

from mien.data import read_samples
from mien.data.audit import AuditReport
from mien.data.audit import audit as find
from mien.data.audit_findings import findings
from mien.reports.audit_page import write_audit
from mien.workflows.progress import Progress

__all__ = ["AuditReport", "audit", "findings"]


def audit(
    data: str | Path,
    *,
    ferplus: str | Path | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Look for leaks, conflicting labels and empty pictures in a data set; changes nothing.

    Args:
        data: ``fer2013.csv``, or a folder or zip of class folders.
        ferplus: ``fer2013new.csv``: compare with FER+'s annotators.
        out: folder for ``audit.json`` and ``audit.html``; None: nothing is written.
        progress: called with (pictures done, pictures in all).

    Raises:
        SourceError, DatasetError: the data cannot be read.
        OutputError: the folder cannot be written, or holds other files; it is as it was.
    """
    report = find(read_samples(data, ferplus=ferplus), progress=progress)
    if out is not None:
        write_audit(Path(out), report)
    return report
