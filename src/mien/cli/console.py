"""Where commands print: results on stdout, everything else on stderr."""

import os
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


def quiet_tensorflow() -> None:
    """Keep TensorFlow's notes about kernels off the terminal; before its first import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


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
