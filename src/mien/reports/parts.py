"""Parts that a report may have beside its usual sections: groups, stress."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mien.reports.document import Faces, Plot, Section


@dataclass(frozen=True, slots=True, eq=False)
class ReportPart:
    """One part."""

    key: str
    """Its key in ``metrics.json``."""
    values: Mapping[str, Any]
    """What stands there, JSON-ready."""
    sections: tuple[Section, ...]
    """What stands in the pages; its plots become files."""
    tables: Mapping[str, str] = field(default_factory=dict)
    """Other files of text, by name."""

    def files(self) -> dict[str, bytes]:
        """Every file of the part, by name."""
        blocks = [block for section in self.sections for block in section.blocks]
        pictures = {
            block.file_name: block.png for block in blocks if isinstance(block, Plot | Faces)
        }
        texts = {
            name: text.encode("utf-8", errors="backslashreplace")
            for name, text in self.tables.items()
        }
        return pictures | texts
