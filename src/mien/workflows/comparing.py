"""Several models on the same faces: which one is better, and whether chance explains it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from mien import pages
from mien.data import read_samples
from mien.errors import ModelError
from mien.evaluation import metrics
from mien.evaluation.compare import Candidate, Comparison
from mien.evaluation.compare import compare as compare_candidates
from mien.evaluation.stored import HISTORY, is_report, read_curve, read_report
from mien.paths import check_folder
from mien.reports.cautions import cautions
from mien.reports.comparison_report import (
    COMPARISON_FILES,
    comparison_json,
    models_table,
    notes,
    pairs_table,
    write_comparison,
)
from mien.reports.document import Table
from mien.results import Tta
from mien.samples import Split
from mien.workflows.evaluating import known_parameters, measure
from mien.workflows.models import open_model
from mien.workflows.progress import Progress
from mien.workflows.trained_split import with_validation

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress bar of some words."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ComparisonResult:
    """What tells the models apart; notebooks show it."""

    comparison: Comparison
    """The numbers."""
    command: str = ""
    """The command that compares this again."""

    @property
    def title(self) -> str:
        """Split, source and number of faces in one line."""
        table = self.comparison.table
        return f"{table.split} of {table.source}, {len(table):,} faces"

    @property
    def tables(self) -> tuple[Table, Table]:
        """A line per model, the most accurate first; and a line per pair."""
        return models_table(self.comparison), pairs_table(self.comparison)

    @property
    def notes(self) -> list[str]:
        """What a reader must know beside the numbers."""
        return notes(self.comparison)

    def __repr__(self) -> str:
        """One line with the models' names."""
        names = ", ".join(entry.candidate.name for entry in self.comparison.entries)
        return f"ComparisonResult({names} on {self.title})"

    def _repr_html_(self) -> str:
        tables = (
            pages.table(table.header, table.rows, numeric_from=table.numeric_from)
            for table in self.tables
        )
        return (
            pages.paragraph(self.title)
            + "".join(tables)
            + "".join(map(pages.paragraph, self.notes))
        )

    def to_json(self) -> str:
        """Every number, as in ``comparison.json``."""
        return comparison_json(self.comparison, self.command)

    def save(self, folder: str | Path) -> None:
        """Write ``comparison.html``, ``.md``, ``.json`` and ``.png``, the plot.

        Args:
            folder: where; it may hold an older comparison, which is replaced, and nothing else.

        Raises:
            OutputError: the folder cannot be written, or holds other files; it is as it was.
            MissingExtraError: matplotlib is not installed.
        """
        write_comparison(Path(folder), self.comparison, self.command)


def compare(
    runs: Sequence[str | Path],
    data: str | Path | None = None,
    *,
    out: str | Path | None = None,
    split: str | Split | None = None,
    tta: Tta = "none",
    command: str = "",
    bar: Bar = lambda words: nullcontext(lambda done, total: None),
) -> ComparisonResult:
    """Compare models on the same faces.

    Args:
        runs: two or more: the report folder of an evaluation or, with ``data``, the folder of a
            training or any other model.
        data: labelled faces on which every run that is no report is measured now.
        out: folder of the comparison; None: none is written.
        split: which faces are measured; validation where None.
        tta: ``"flip"`` averages each measured face with its mirror image.
        command: the command that compares this again.
        bar: makes a progress bar for each model that is measured.

    Raises:
        ValueError: fewer than two runs, one is named twice, or the reports are of another split.
        ModelError: a run is a model, and no faces were named; or as `open_model`.
        SourceError, DatasetError: a report or the data cannot be read, or they are of other faces.
        OutputError: the folder cannot be written, or holds other files; it is as it was.
        MissingExtraError: Keras or matplotlib is needed and not installed.
    """
    names = names_of([str(run) for run in runs])
    if out is not None:
        check_folder(Path(out), COMPARISON_FILES)
    measured = Split.VALIDATION if split is None else Split(split)
    comparison = compare_candidates(_candidates(names, data, measured, tta, bar))
    if split is not None and comparison.table.split != measured.value:
        raise OtherSplitError(f"the reports are of {comparison.table.split}")
    result = ComparisonResult(comparison, command)
    if out is not None:
        result.save(out)
    return result


class OtherSplitError(ValueError):
    """The reports are of another split than was asked for."""


def names_of(runs: Sequence[str]) -> dict[str, str]:
    """What each run is called: by its folder, or as it was typed where that is not unique.

    Raises:
        ValueError: fewer than two runs, or one is named twice.
    """
    if len(runs) < 2:
        raise ValueError("name at least two to compare")
    twice = [run for run in runs if runs.count(run) > 1]
    if twice:
        raise ValueError(f"{twice[0]} is named twice")
    folders = [_folder(run) for run in runs]
    short = [
        run if folder is None else folder.resolve().name
        for run, folder in zip(runs, folders, strict=True)
    ]
    return {
        run if short.count(name) > 1 else name: run for run, name in zip(runs, short, strict=True)
    }


def _folder(run: str) -> Path | None:
    """The folder of a report or training, also where a file of a training was named."""
    path = Path(run)
    if path.is_dir():
        return path
    return path.parent if path.is_file() and (path.parent / HISTORY).is_file() else None


def _candidates(
    names: dict[str, str], data: str | Path | None, split: Split, tta: Tta, bar: Bar
) -> list[Candidate]:
    """Every run, read from its report or measured now, in the given order."""
    to_measure = {name: run for name, run in names.items() if not is_report(Path(run))}
    if to_measure and data is None:
        run = next(iter(to_measure.values()))
        open_model(run)
        raise ModelError(
            f"{run} is a model, not the report of an evaluation; name faces to measure it on "
            "(--data SRC), or the report folder of mien evaluate"
        )
    # The reports first: a damaged one is found before the long work.
    found = {
        name: read_report(Path(run), name) for name, run in names.items() if name not in to_measure
    }
    if data is not None and to_measure:
        found |= _measured(to_measure, data, split, tta, bar)
    return [found[name] for name in names]


def _measured(
    runs: dict[str, str], data: str | Path, split: Split, tta: Tta, bar: Bar
) -> dict[str, Candidate]:
    # All are opened before one is measured: a name that is wrong is found first.
    folders = {name: _folder(run) for name, run in runs.items()}
    curves = {name: read_curve(folder / HISTORY) for name, folder in folders.items() if folder}
    models = {name: open_model(run) for name, run in runs.items()}
    samples = read_samples(data)
    if split is Split.VALIDATION:
        cards = (model.classifier(samples.images).card for model in models.values())
        samples = with_validation(samples, *cards)
    found = {}
    for name, model in models.items():
        with bar(f"classifying faces: {name}") as progress:
            measurement = measure(model, samples, split, tta=tta, progress=progress)
        card = measurement.card
        evaluation = metrics.evaluate(measurement.predictions)
        found[name] = Candidate(
            name=name,
            predictions=measurement.predictions,
            data_sha256=measurement.data_sha256,
            model=card.name,
            model_sha256=measurement.model_sha256,
            architecture=card.architecture,
            parameters=known_parameters(card),
            chosen=card.chosen,
            cautions=tuple(cautions(evaluation, measurement.provenance())),
            curve=curves.get(name, ()),
        )
    return found
