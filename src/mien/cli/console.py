"""Where commands print: results on stdout, everything else on stderr."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.table import Table

    from mien.samples import Samples, Split

output = Console(highlight=False, soft_wrap=True)
"""Results, on stdout."""
errors = Console(stderr=True, highlight=False)
"""Progress, warnings and errors, on stderr."""


def load_keras_quietly() -> None:
    """Import Keras and its backend without TensorFlow's notes about kernels.

    TensorFlow writes them to the file descriptor before its log level counts, so that is turned
    away during the import; Python's own errors are raised as ever.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    from mien.errors import needs_extra

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with needs_extra("train"):
            import keras  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def split_table(parts: "Mapping[Split, Samples]", samples: "Samples") -> "Table":
    """Rows per class and split, as a table."""
    from rich.table import Table

    table = Table(title=f"{samples.source}: rows by class", title_justify="left")
    table.add_column("class")
    for split in parts:
        table.add_column(split.value, justify="right")
    counts = {split: part.counts()[split] for split, part in parts.items()}
    for index, label in enumerate(samples.label_set):
        table.add_row(label.key, *(f"{count[index]:,}" for count in counts.values()))
    table.add_section()
    table.add_row("all", *(f"{int(count.sum()):,}" for count in counts.values()))
    return table
