"""What damage costs a model: its accuracy on blurred, noisy, turned and covered faces."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import mien
from mien.data import read_samples
from mien.evaluation.stress import Stress
from mien.files import atomic_folder
from mien.formats.reading import Reading
from mien.paths import check_folder
from mien.provenance import commit
from mien.reports.cautions import faces_cautions
from mien.reports.document import Code, Section, Table, Text, to_html, to_markdown
from mien.reports.stress import STRESS_FILES, stress_lines, stress_part, stress_table
from mien.reports.wording import code_words
from mien.samples import Split
from mien.workflows.evaluating import Measurement, measure, stress_of
from mien.workflows.models import open_model
from mien.workflows.progress import Progress

_FILES = ("stress.json", "stress.md", "stress.html", *STRESS_FILES)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StressResult:
    """What damage costs a model; `mien stress` prints it."""

    stress: Stress
    """The numbers."""
    measurement: Measurement
    """The faces unharmed; all of them, where some were drawn."""
    command: str = ""
    """The command that measures this again."""

    @property
    def title(self) -> str:
        """Model, split, source and number of faces in one line."""
        predictions = self.measurement.predictions
        all_of_them = "" if len(predictions) == self.stress.n else f" of {len(predictions):,}"
        return (
            f"{self.measurement.card.name} on {predictions.split} of {predictions.source}, "
            f"{self.stress.n:,}{all_of_them} faces"
        )

    @property
    def lines(self) -> list[str]:
        """What was found, in words."""
        return [*stress_lines(self.stress), *self._cautions]

    @property
    def table(self) -> Table:
        """A line per kind of damage, the costliest first."""
        return stress_table(self.stress)

    @property
    def measured(self) -> dict[str, float]:
        """The mean accuracy over the strengths of each kind, and over all kinds: what a model's
        card has room for."""
        kinds = {f"stress: {curve.name}": curve.accuracy for curve in self.stress.curves}
        return {"stress: none": self.stress.clean.accuracy, "stress": self.stress.accuracy, **kinds}

    @property
    def _cautions(self) -> list[str]:
        """What could make the accuracies look better than they are."""
        measurement = self.measurement
        return faces_cautions(measurement.predictions.split, measurement.provenance(self.command))

    def __repr__(self) -> str:
        """One line with the accuracy before and after."""
        return (
            f"StressResult({self.title}: accuracy {100 * self.stress.clean.accuracy:.1f} % -> "
            f"{100 * self.stress.accuracy:.1f} %)"
        )

    def save(self, folder: str | Path) -> None:
        """Write ``stress.html``, ``.md``, ``.json``, ``.csv``, ``.png`` and ``stress_faces.png``.

        Args:
            folder: where; it may hold an older one, which is replaced, and nothing else.

        Raises:
            OutputError: the folder cannot be written, or holds other files; it is as it was.
            MissingExtraError: matplotlib is not installed.
        """
        measurement = self.measurement
        part = stress_part(self.stress, measurement.example)
        facts = (
            ("model", measurement.card.name),
            ("SHA-256 of the model file", measurement.model_sha256),
            ("source", measurement.predictions.source),
            ("SHA-256 of the rows", measurement.data_sha256),
            ("mien", code_words(mien.__version__, commit())),
        )
        blocks = (
            *((Code(self.command),) if self.command else ()),
            Table(("fact", "value"), facts, 2),
        )
        found = part.sections[0]
        first = Section(found.title, (*map(Text, self._cautions), *found.blocks))
        sections = (first, *part.sections[1:], Section("Measured how", blocks))
        values = {
            "model": measurement.card.name,
            "model_sha256": measurement.model_sha256,
            "source": measurement.predictions.source,
            "split": measurement.predictions.split,
            "data_sha256": measurement.data_sha256,
            "note": measurement.note or None,
            **part.values,
            "command": self.command,
            "mien_version": mien.__version__,
            "commit": commit(),
        }
        texts = {
            "stress.json": json.dumps(values, indent=1, allow_nan=False) + "\n",
            "stress.md": to_markdown("Stress", self.title, sections),
            "stress.html": to_html("Stress", self.title, sections),
        }
        with atomic_folder(Path(folder), _FILES) as temporary:
            for name, text in texts.items():
                content = text.encode("utf-8", errors="backslashreplace")
                (temporary / name).write_bytes(content)
            for name, content in part.files().items():
                (temporary / name).write_bytes(content)


def stress(
    model: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    split: str | Split = Split.VALIDATION,
    ferplus: str | Path | None = None,
    recipe_split: bool = False,
    sample: int | None = None,
    reading: Reading | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> StressResult:
    """Measure what twelve kinds of damage cost, each in five strengths.

    Args:
        model: as in `evaluate`.
        data: labelled faces.
        out: folder of the report; None: none is written.
        split: the faces that are measured.
        ferplus: ``fer2013new.csv``: measure against the majority of FER+'s annotators.
        recipe_split: divide the faces as the model's training did.
        sample: measure so many faces alone, drawn at random (seed 0).
        reading: what is said of a Keras file without a card.
        command: the command that measures this again, for the report.
        progress: called after each batch.

    Raises:
        OutputError: the folder cannot be written, or holds other files; it is as it was.
        ModelError, WeightsError, SourceError, DatasetError, MissingExtraError: as `evaluate`.
        ValueError: there is no such split.
    """
    measured = Split(split)
    if out is not None:
        check_folder(Path(out), _FILES)
    opened = open_model(model, reading)
    samples = read_samples(data, ferplus=ferplus)
    measurement = measure(opened, samples, measured, recipe_split=recipe_split)
    drawn = measurement if sample is None else _drawn(measurement, sample)
    result = StressResult(stress_of(opened, drawn, progress), measurement, command)
    if out is not None:
        result.save(out)
    return result


def _drawn(measurement: Measurement, n: int) -> Measurement:
    """At most ``n`` faces of a measurement, drawn at random."""
    predictions = measurement.predictions
    if len(predictions) <= n:
        return measurement
    rows = np.sort(np.random.default_rng(0).choice(len(predictions), n, replace=False))
    seen = predictions.seen_duplicate
    return replace(
        measurement,
        predictions=replace(
            predictions,
            names=tuple(predictions.names[row] for row in rows),
            labels=predictions.labels[rows],
            probabilities=predictions.probabilities[rows],
            seen_duplicate=None if seen is None else seen[rows],
        ),
        rows=measurement.rows.take(rows),
    )
