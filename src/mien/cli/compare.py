"""``mien compare``: which of several models is better, and whether chance explains it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.model_argument import open_model
from mien.cli.recognition_options import Tta
from mien.cli.split_options import SplitName

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from mien.evaluation.compare import Candidate
    from mien.reports.document import Table
    from mien.samples import Split


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Two or more: the report folder of an evaluation or, with --data, the folder of "
            "a training or any other MODEL.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SRC",
            help="Labelled faces on which every RUN that is no report is measured now.",
        ),
    ] = None,
    split: Annotated[
        SplitName | None,
        typer.Option(help="Which faces are measured. [default: validation]"),
    ] = None,
    tta: Annotated[
        Tta, typer.Option(help="'flip' averages each measured face with its mirror image.")
    ] = Tta.NONE,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for comparison.html, .md, .json and .png, the plot."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Compare models on the same faces.

    Prints the scores of each with 95 % intervals, and for every pair the difference with its
    interval and McNemar's test. The plot shows the accuracies, and beside them the validation
    curves of the trainings that were named by their folder.

    For example:

    mien compare reports/plain_cnn reports/compact_cnn --out comparison

    mien compare runs/plain_cnn default --data fer2013.csv
    """
    from mien.cli.console import output
    from mien.evaluation.compare import compare as compare_candidates
    from mien.reports.comparison_report import (
        COMPARISON_FILES,
        comparison_json,
        models_table,
        notes,
        pairs_table,
        write_comparison,
    )
    from mien.reports.report import check_report_folder
    from mien.samples import Split

    names = _names(runs)
    if out is not None:
        check_report_folder(out, COMPARISON_FILES)
    candidates = _candidates(names, data, Split((split or SplitName.VALIDATION).value), tta)
    comparison = compare_candidates(candidates)
    if split is not None and comparison.table.split != split.value:
        raise typer.BadParameter(
            f"the reports are of {comparison.table.split}", param_hint="--split"
        )
    command = _command(runs, data, split, tta, out)
    if out is not None:
        write_comparison(out, comparison, command)
    if as_json:
        output.print(comparison_json(comparison, command), end="", markup=False)
        return
    table = comparison.table
    output.print(f"{table.split} of {table.source}, {len(table):,} faces", markup=False)
    for part in (models_table(comparison), pairs_table(comparison)):
        output.print(_rich(part))
        output.print()
    for text in notes(comparison):
        output.print(text, markup=False)
    if out is not None:
        output.print(f"comparison: {out / 'comparison.html'}", markup=False)


def _names(runs: list[str]) -> dict[str, str]:
    """What each run is called: by its folder, or as it was typed where that is not unique."""
    if len(runs) < 2:
        raise typer.BadParameter("name at least two to compare", param_hint="RUN")
    twice = [run for run in runs if runs.count(run) > 1]
    if twice:
        raise typer.BadParameter(f"{twice[0]} is named twice", param_hint="RUN")
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
    from mien.evaluation.stored import HISTORY

    path = Path(run)
    if path.is_dir():
        return path
    return path.parent if path.is_file() and (path.parent / HISTORY).is_file() else None


def _candidates(
    names: dict[str, str], data: str | None, split: "Split", tta: Tta
) -> "list[Candidate]":
    """Every run, read from its report or measured now, in the given order."""
    from mien.errors import ModelError
    from mien.evaluation.stored import is_report, read_report

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
        found |= _measured(to_measure, data, split, tta)
    return [found[name] for name in names]


def _measured(runs: dict[str, str], data: str, split: "Split", tta: Tta) -> "dict[str, Candidate]":
    import hashlib

    import mien
    from mien.cli.console import progress_bar
    from mien.cli.measuring import known_parameters
    from mien.data import read_samples
    from mien.data.duplicates import seen_duplicates
    from mien.evaluation import metrics
    from mien.evaluation.compare import Candidate
    from mien.evaluation.predictions import predict
    from mien.evaluation.stored import HISTORY, read_curve
    from mien.provenance import commit
    from mien.reports.cautions import Provenance, cautions
    from mien.samples import Split

    # All are opened before one is measured: a name that is wrong is found first.
    folders = {name: _folder(run) for name, run in runs.items()}
    curves = {name: read_curve(folder / HISTORY) for name, folder in folders.items() if folder}
    models = {name: open_model(run) for name, run in runs.items()}
    samples = read_samples(data)
    has_training_rows = Split.TRAIN in samples.counts()
    seen = seen_duplicates(samples) if has_training_rows and split is not Split.TRAIN else None
    data_sha256 = samples.of(split).sha256()
    found = {}
    for name, model in models.items():
        classifier = model.classifier(samples.images)
        with progress_bar(f"judging faces: {name}") as progress:
            predictions = predict(
                classifier.probabilities,
                samples,
                split,
                model_labels=classifier.label_set,
                seen_duplicate=seen,
                tta=tta.value,
                progress=progress,
            )
        with model.path.open("rb") as stream:
            model_sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        card = classifier.card
        provenance = Provenance(card, model_sha256, data_sha256, "", mien.__version__, commit())
        found[name] = Candidate(
            name=name,
            predictions=predictions,
            data_sha256=data_sha256,
            model=card.name,
            model_sha256=model_sha256,
            architecture=card.architecture,
            parameters=known_parameters(card),
            chosen=card.chosen,
            cautions=tuple(cautions(metrics.evaluate(predictions), provenance)),
            curve=curves.get(name, ()),
        )
    return found


def _rich(table: "Table") -> "RichTable":
    """The table for a terminal; in a narrow one its titles are broken, but no number."""
    from rich.markup import escape
    from rich.table import Table as RichTable

    rich = RichTable(box=None, pad_edge=False)
    columns = zip(*table.rows, strict=True)
    for index, (title, cells) in enumerate(zip(table.header, columns, strict=True)):
        if index < table.numeric_from:
            rich.add_column(title, overflow="fold")
        else:
            width = max(map(len, (*cells, *title.split())))
            rich.add_column(title, justify="right", min_width=width)
    for row in table.rows:
        rich.add_row(*map(escape, row))
    return rich


def _command(
    runs: list[str], data: str | None, split: SplitName | None, tta: Tta, out: Path | None
) -> str:
    """The command that was given; --json says nothing of the numbers."""
    words = ["mien", "compare", *runs]
    for name, value in (("--data", data), ("--split", split), ("--tta", tta), ("--out", out)):
        if value is not None:
            words += [name, str(value)]
    return shlex.join(words)
