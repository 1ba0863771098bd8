"""``mien fetch``: put a model file into the cache."""

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="What to fetch: yunet; or page, what browsers run networks with (by npm).",
        ),
    ],
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Take a local copy instead of the network; of page, a .tgz.",
        ),
    ] = None,
) -> None:
    """Fetch a model file into the cache and print its path.

    Needed once; the file is checked against its pinned hash. Afterwards everything works without
    a network. Models that come with the package are there already.
    """
    from mien.workflows.models import fetch_model

    print(fetch_model(name, from_file=from_file))
