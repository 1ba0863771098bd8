"""Maps of what answers depend on, once they are made: in words, as pages and as files."""

import json
from dataclasses import dataclass
from pathlib import Path

import mien
from mien.explanation.faces import ExplainedFace, MeanMap
from mien.files import atomic_folder
from mien.provenance import commit
from mien.reports.document import Code, Section, Table, to_html, to_markdown
from mien.reports.explanation import (
    IN_CROP,
    explanation_json,
    explanation_sections,
    place_words,
)
from mien.reports.wording import code_words, counted, percent


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExplainResult:
    """Maps of what speaks for the answers; `mien explain` prints where they point."""

    faces: tuple[ExplainedFace, ...]
    """Every explained face."""
    means: tuple[MeanMap, ...]
    """The mean maps of each class, for a data set; empty for photos."""
    model: str
    """Name in the model's card."""
    model_sha256: str
    """Hash of its file."""
    source: str
    """Where the faces come from."""
    notes: tuple[str, ...] = ()
    """What else a reader must know."""
    command: str = ""
    """The command that makes this again."""
    problems: tuple[str, ...] = ()
    """A line for each photo, and each folder in a folder, that could not be read."""

    @property
    def title(self) -> str:
        """Model, source and number of faces in one line."""
        return f"{self.model} on {self.source}, {counted(len(self.faces), 'face')}"

    @property
    def lines(self) -> list[str]:
        """Where the strongest place of each map lies, in words."""
        if self.means:
            parts = [(f"{mean.key} ({counted(mean.n, 'face')})", mean.maps) for mean in self.means]
        else:
            parts = [
                (
                    f"{face.name}: {face.answer} {percent(max(face.probabilities))}, "
                    f"for {face.key}",
                    face.maps,
                )
                for face in self.faces
            ]
        found = [
            f"{name}: {method} strongest {place_words(values, IN_CROP)}"
            for name, maps in parts
            for method, values in maps.items()
        ]
        return [*found, *self.notes]

    def __repr__(self) -> str:
        """One line."""
        return f"ExplainResult({self.title})"

    def save(self, folder: str | Path) -> None:
        """Write ``explanation.html``, ``.md``, ``.json`` (with every map) and ``.png``.

        Args:
            folder: where; it may hold an older one, which is replaced, and nothing else.

        Raises:
            OutputError: the folder cannot be written, or holds other files; it is as it was.
            MissingExtraError: matplotlib is not installed.
        """
        faces, means = list(self.faces), list(self.means)
        sections = explanation_sections(faces, means)
        facts = (
            ("model", self.model),
            ("SHA-256 of the model file", self.model_sha256),
            *(("note", note) for note in self.notes),
            ("mien", code_words(mien.__version__, commit())),
        )
        code = (Code(self.command),) if self.command else ()
        sections.append(Section("Made how", (*code, Table(("fact", "value"), facts, 2))))
        values = {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "source": self.source,
            **explanation_json(faces, means),
            "notes": self.notes,
            "command": self.command,
            "mien_version": mien.__version__,
            "commit": commit(),
        }
        plot = next(b for s in sections for b in s.blocks if hasattr(b, "png"))
        texts = {
            "explanation.json": json.dumps(values, allow_nan=False) + "\n",
            "explanation.md": to_markdown("Explanation", self.title, sections),
            "explanation.html": to_html("Explanation", self.title, sections),
        }
        with atomic_folder(Path(folder)) as temporary:
            for name, text in texts.items():
                content = text.encode("utf-8", errors="backslashreplace")
                (temporary / name).write_bytes(content)
            (temporary / "explanation.png").write_bytes(plot.png)
