"""``mien card``: what a model says of itself, for people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.model_argument import MODEL_HELP

if TYPE_CHECKING:
    from mien.workflows.cards import CardResult


def card(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)] = "default",
    evidence: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Further evidence, to be shown with the card: stress.json, groups.json or "
            "metrics.json of a report about this file, or JSON of your own; may be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the card: .html, .md or .json.")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a copy of the model with the evidence in its card: .onnx."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as one line of JSON.")
    ] = False,
) -> None:
    """Say what a model is, for whom it was measured, what it gets wrong, and what it is for.

    Prints the card, or writes it with --out. The sections are those of "Model cards for model
    reporting" (Mitchell et al., 2019). What nobody has measured is named, too.

    For example:

    mien card mien-tiny --out card.html
    """
    import json

    from mien.cli.console import print_line, print_written
    from mien.workflows.cards import card as describe

    found = describe(model, evidence=evidence or [], into=into)
    if out is not None:
        found.save(out)
    if as_json:
        print_line(json.dumps(found.to_dict()))
    elif out is None:
        _print(found)
    for path in (out, into):
        if path is not None:
            print_written(path)


def _print(found: "CardResult") -> None:
    from dataclasses import replace

    from mien.cli.console import output
    from mien.cli.tables import plain
    from mien.workflows.cards import Code, Table, Text

    output.print(_clean(found.title), style="bold", markup=False)
    for section in found.sections:
        output.print(f"\n{section.title}", style="bold", markup=False)
        for block in section.blocks:
            output.print()
            if isinstance(block, Table):
                rows = tuple(tuple(map(_clean, row)) for row in block.rows)
                output.print(
                    plain(replace(block, header=tuple(map(_clean, block.header)), rows=rows))
                )
            elif isinstance(block, Text):
                output.print(_clean(block.text), markup=False, soft_wrap=False)
            elif isinstance(block, Code):
                output.print(f"  {_clean(block.text)}", markup=False)


def _clean(text: str) -> str:
    """A text of a file without what would steer the terminal."""
    from mien.errors import one_line

    return one_line(text, 4_000)
