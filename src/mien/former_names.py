"""Names of fields in files that earlier versions wrote, and that their readers still look for.

Pixel-identical pictures are called duplicates since version 0.1. Files with the former names are
read, and reports carry both, for one version.
"""

from collections.abc import Mapping
from typing import Any

FORMER_NAMES = {
    "seen_twin": "seen_duplicate",
    "n_seen_twins": "n_seen_duplicates",
    "twin_groups": "duplicate_groups",
    "twin_rows": "duplicate_rows",
    "twin_groups_across_splits": "duplicate_groups_across_splits",
    "drop_twins": "drop_duplicates",
    "drop_validation_twins": "drop_validation_duplicates",
}
"""Former name -> name."""


def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields under their names of today; where both are there, today's counts."""
    found = {FORMER_NAMES.get(name, name): value for name, value in values.items()}
    return found | {name: value for name, value in values.items() if name not in FORMER_NAMES}


def with_former_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields under both names, the former one after today's."""
    former = {name: old for old, name in FORMER_NAMES.items()}
    both: dict[str, Any] = {}
    for name, value in values.items():
        both[name] = value
        if name in former:
            both[former[name]] = value
    return both
