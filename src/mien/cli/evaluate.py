"""``mien evaluate``: how good a model is, as a report that can be trusted."""

import hashlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.model_argument import (
    MODEL_HELP,
    ArchitectureOption,
    InputSizeOption,
    LabelsOption,
    ScalingOption,
    open_model,
    words,
)
from mien.cli.recognition_options import Tta
from mien.cli.split_options import RecipeSplitOption, SplitName

if TYPE_CHECKING:
    from rich.table import Table

    from mien.evaluation.metrics import Evaluation

_SHOWN_FACES = 24


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    data: Annotated[
        str, typer.Option(metavar="SRC", help="fer2013.csv, or a folder or zip of class folders.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the report.")],
    ferplus: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="fer2013new.csv: measure against the majority of FER+'s annotators.",
        ),
    ] = None,
    split: Annotated[
        SplitName,
        typer.Option(help="Which faces are measured; test is for the last measurement alone."),
    ] = SplitName.VALIDATION,
    tta: Annotated[
        Tta, typer.Option(help="'flip' averages each face with its mirror image.")
    ] = Tta.NONE,
    recipe_split: RecipeSplitOption = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Measure how good a model is and write a report.

    The report folder holds metrics.json and predictions.csv for programs, report.html and
    report.md for people, classification_report.txt to paste, plots and pictures of faces.
    Accuracy comes with a 95 % interval, and also for the faces that have no pixel-identical
    duplicate among the training faces.

    For example:

    mien evaluate default --data fer2013.csv --split validation --out report

    mien evaluate net.h5 --labels angry,happy,sad --scaling 0..1 --data faces/ --out report
    """
    import numpy as np

    from mien.cli.console import output, progress_bar
    from mien.cli.measuring import by_majority, divided, known_parameters
    from mien.data import read_samples
    from mien.data.duplicates import seen_duplicates
    from mien.evaluation import metrics
    from mien.evaluation.predictions import predict
    from mien.reports.report import check_report_folder, write_report
    from mien.samples import Split

    measured = Split(split.value)
    check_report_folder(out)
    reading = labels, scaling, architecture, input_size
    opened = open_model(model, *reading)
    samples = read_samples(data, ferplus=ferplus)
    classifier = opened.classifier(samples.images)
    if recipe_split:
        samples = divided(samples, classifier.card)
    has_training_rows = Split.TRAIN in samples.counts()
    seen = seen_duplicates(samples) if has_training_rows and measured is not Split.TRAIN else None
    relabelled = by_majority(samples, classifier.label_set, measured)
    if relabelled is not None:
        samples = relabelled.samples
        seen = None if seen is None else seen[relabelled.kept]
    with progress_bar("judging faces") as progress:
        predictions = predict(
            classifier.probabilities,
            samples,
            measured,
            model_labels=classifier.label_set,
            seen_duplicate=seen,
            tta=tta.value,
            progress=progress,
        )
    evaluation = metrics.evaluate(predictions)
    rows = samples.of(measured)
    duplicates = predictions.seen_duplicate
    unseen = "" if duplicates is None else rows.take(np.flatnonzero(~duplicates)).sha256()
    with opened.path.open("rb") as stream:
        model_sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    cautions = write_report(
        out,
        evaluation,
        predictions,
        card=classifier.card,
        model_sha256=model_sha256,
        data_sha256=rows.sha256(),
        command=_command(
            [model, *words(*reading), *(["--recipe-split"] if recipe_split else [])],
            *(data, ferplus, split, tta, out),
        ),
        unseen_sha256=unseen,
        parameters=known_parameters(classifier.card),
        sampled=[(row, rows.images[row]) for row in predictions.sample_rows(_SHOWN_FACES)],
        worst_errors=[
            (row, rows.images[row]) for row in predictions.confident_errors(_SHOWN_FACES)
        ],
        note="" if relabelled is None else relabelled.note,
    )
    title = f"{classifier.card.name} on {split} of {data}, {evaluation.n:,} faces"
    for line in (title, *cautions):
        output.print(line, markup=False)
    output.print(_scores(evaluation))
    output.print(_classes(evaluation))
    output.print(f"report: {out / 'report.html'}", markup=False)


def _scores(evaluation: "Evaluation") -> "Table":
    from rich.table import Table

    from mien.reports.wording import percent, percent_interval

    table = Table()
    for title in ("score", "value", "95 % interval"):
        table.add_column(title, justify="left" if title == "score" else "right")
    unseen = "accuracy, unseen faces"
    for name, value, ci95 in (
        ("accuracy", evaluation.accuracy, evaluation.accuracy_ci95),
        (unseen, evaluation.accuracy_unseen, evaluation.accuracy_unseen_ci95),
        ("balanced accuracy", evaluation.balanced_accuracy, evaluation.balanced_accuracy_ci95),
        ("macro F1", evaluation.macro_f1, evaluation.macro_f1_ci95),
        ("calibration error (ECE)", evaluation.ece, None),
        ("ECE, cross-fitted", evaluation.ece_cross_fitted, None),
    ):
        table.add_row(name, percent(value), percent_interval(ci95))
    return table


def _classes(evaluation: "Evaluation") -> "Table":
    from rich.table import Table

    from mien.reports.classification_report import macro_average, weighted_average
    from mien.reports.wording import percent

    table = Table()
    for title in ("class", "faces", "precision", "recall", "F1"):
        table.add_column(title, justify="left" if title == "class" else "right")
    for score in evaluation.per_class:
        ratios = (score.precision, score.recall, score.f1)
        table.add_row(score.key, f"{score.support:,}", *map(percent, ratios))
    table.add_section()
    for name, mean in (
        ("macro average", macro_average(evaluation.per_class)),
        ("weighted average", weighted_average(evaluation.per_class)),
    ):
        ratios = (mean.precision, mean.recall, mean.f1)
        table.add_row(name, f"{evaluation.n:,}", *map(percent, ratios))
    return table


def _command(
    model: list[str], data: str, ferplus: Path | None, split: SplitName, tta: Tta, out: Path
) -> str:
    """The command that was given, with every choice spelled out."""
    command = ["mien", "evaluate", *model, "--data", data]
    if ferplus is not None:
        command += ["--ferplus", str(ferplus)]
    return shlex.join([*command, "--split", split, "--tta", tta, "--out", str(out)])
