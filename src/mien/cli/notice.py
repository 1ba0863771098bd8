"""``mien notice``: the sign that must hang where a camera runs."""

from pathlib import Path
from typing import Annotated

import typer


def notice(
    operator: Annotated[
        str, typer.Option(metavar="TEXT", help="Who is responsible, with an address.")
    ] = "",
    purpose: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    kept: Annotated[str, typer.Option(metavar="TEXT", help="What is kept, and for how long.")] = "",
    contact: Annotated[str, typer.Option(metavar="TEXT", help="Whom to ask.")] = "",
    texts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The texts in another language; see --template."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the sign: .html, to be printed, or .txt."),
    ] = None,
    template: Annotated[
        bool, typer.Option("--template", help="Print the English texts, to be translated.")
    ] = False,
) -> None:
    """Print the sign that must hang where a camera runs, or write it with --out.

    People who are exposed to the recognition of expressions must be told (AI Act, Article 50(3)).
    What is not given is left as a line to be filled in by hand.

    For example:

    mien notice --operator "Museum of Play" --out sign.html
    """
    from mien.cli import console
    from mien.workflows import cards

    if template:
        console.output.print(cards.template(), markup=False, end="")
        return
    try:
        made = cards.notice(
            operator=operator, purpose=purpose, kept=kept, contact=contact, texts=texts, out=out
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if out is None:
        console.output.print(made.to_text(), markup=False, end="")
        console.errors.print()  # what follows is not on the sign
    else:
        console.print_written(out)
    if made.open_places:
        open_places = ", ".join(made.open_places)
        console.errors.print(f"to be filled in: {open_places}", markup=False, soft_wrap=True)
    forbidden = f"a sign does not allow everything: {cards.forbidden()}"
    console.errors.print(forbidden, markup=False, soft_wrap=True)
