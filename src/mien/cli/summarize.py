"""``mien summarize``: what people showed, over the tables of any number of videos and photos."""

from pathlib import Path
from typing import Annotated

import typer


def summarize(
    tables: Annotated[
        list[Path],
        typer.Argument(
            metavar="TABLE",
            help="Tables of `mien recognize --table`: .csv, .jsonl, .json or .parquet.",
        ),
    ],
    conditions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A csv with a row for each file: source, then any columns, as person or "
            "condition; with track, from_s and to_s for parts of files.",
        ),
    ] = None,
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="A column of --conditions whose values are summarized apart, or source. May be "
            "repeated.",
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column of --conditions that says who is seen; source: each file is one "
            "person; track: each track is. [default: person, else track]",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="FROM-TO|FILE",
            help="When people look as they usually do: seconds of each file, as 0-10, or a csv of "
            "source, from_s, to_s. Deviations stand beside the values.",
        ),
    ] = None,
    min_seen: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=86_400.0,
            metavar="S",
            help="Leave out tracks that are seen for fewer seconds.",
        ),
    ] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write groups.csv, persons.csv, differences.csv and summary.html into a folder.",
        ),
    ] = None,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the tables as Parquet, too.")
    ] = False,
) -> None:
    """Sum up tables: shares of time, mean probabilities, onsets, latencies; with intervals.

    The unit is a person, never a frame. Prints a table; --out writes a page and csv files.

    For example:

    mien summarize faces.csv --conditions files.csv --group-by condition --out summary/
    """
    from mien.cli.console import output, print_written, warn
    from mien.cli.tables import plain
    from mien.workflows import summarizing

    if parquet and out is None:
        raise typer.BadParameter("needs --out DIR", param_hint="--parquet")
    summary = summarizing.summarize(
        tables,
        conditions=conditions,
        group_by=group_by or (),
        person=person,
        baseline=baseline,
        min_seen_s=min_seen,
        out=out,
        parquet=parquet,
        on_notice=warn,
    )
    output.print(summarizing.headline(summary), markup=False)
    output.print(plain(summarizing.summary_table(summary)))
    output.print()
    for line in summarizing.how_to_read(summary):
        output.print(line, markup=False, soft_wrap=False)
    if out is not None:
        print_written(out / summarizing.PAGE)
