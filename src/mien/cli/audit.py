"""``mien audit``: what is wrong with a data set, before anything is trained on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from mien.workflows.auditing import AuditReport


def audit(
    data: Annotated[
        str, typer.Option(metavar="SRC", help="fer2013.csv, or a folder or zip of class folders.")
    ],
    ferplus: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="fer2013new.csv: compare with FER+'s annotators."),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for audit.json and audit.html.")
    ] = Path("audit"),
) -> None:
    """Look for leaks, conflicting labels and empty pictures in a data set.

    Finds rows that are pixel-identical, or the same photograph in another version, within and
    across the splits; audit.html shows them, audit.json lists them all. Changes nothing.

    For example:

    mien audit --data fer2013.csv --ferplus fer2013new.csv
    """
    from mien.cli.console import output, print_written, progress_bar
    from mien.cli.tables import split_table
    from mien.workflows.auditing import audit as look

    with progress_bar("pictures") as progress:
        report = look(data, ferplus=ferplus, out=out, progress=progress)
    samples = report.samples
    output.print(split_table({split: samples.of(split) for split in samples.counts()}, samples))
    output.print()
    output.print(_findings_table(report))
    print_written(out / "audit.html")


def _findings_table(report: "AuditReport") -> "Table":
    from rich.table import Table

    from mien.workflows.auditing import findings

    table = Table(title="Findings", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("which means")
    for what, count, note in findings(report):
        table.add_row(what, f"{count:,}", note)
    return table
