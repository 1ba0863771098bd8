"""``mien calibrate``: a model whose confidences are as high as it is right."""

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
)
from mien.cli.split_options import RecipeSplitOption, SplitName

if TYPE_CHECKING:
    from rich.table import Table

    from mien.evaluation.calibration import Fit
    from mien.evaluation.predictions import Predictions
    from mien.model.card import ModelCard


def calibrate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    data: Annotated[
        str, typer.Option(metavar="SRC", help="fer2013.csv, or a folder or zip of class folders.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.onnx", help="The calibrated copy.")],
    ferplus: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="fer2013new.csv: the labels are FER+'s majorities."),
    ] = None,
    split: Annotated[
        SplitName,
        typer.Option(help="Which faces it is fitted on; only validation is taken."),
    ] = SplitName.VALIDATION,
    recipe_split: RecipeSplitOption = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Fit a model's temperature, so that its confidences are as high as it is right.

    Writes a copy of the model whose card holds the temperature and how it was fitted. The most
    probable class of every face stays the same. Validation faces with a pixel-identical duplicate
    among the training faces are left out. Training faces are refused, as the model is surer of them
    than of new ones, and so is the test split, which chooses nothing. A training of mien ends with
    this; use it for older runs, for other faces, and for Keras files.

    For example:

    mien calibrate default --data faces/ --out calibrated.onnx

    mien calibrate net.h5 --labels angry,happy,sad --scaling 0..1 --data faces/ --out net.onnx
    """
    if split is not SplitName.VALIDATION:
        reason = {
            SplitName.TEST: "what is fitted on test faces can no longer be measured on them",
            SplitName.TRAIN: "a model is surer of the faces that it learnt than of new ones",
        }[split]
        raise typer.BadParameter(f"{reason}; take validation", param_hint="--split")
    from mien.cli.console import output, progress_bar
    from mien.cli.measuring import by_majority, divided, unseen_validation
    from mien.cli.onnx_output import check_onnx_output
    from mien.data import read_samples
    from mien.errors import DatasetError
    from mien.evaluation.calibration import calibrate_card
    from mien.evaluation.confidence import ece_by_chance
    from mien.evaluation.predictions import predict
    from mien.formats.onnx_cards import with_card, write_bundle
    from mien.recognition.classifier import Classifier
    from mien.samples import Split

    opened = open_model(model, labels, scaling, architecture, input_size)
    check_onnx_output(out, [opened.path])
    samples = read_samples(data, ferplus=ferplus)
    content = opened.bundle(samples.images)
    classifier = Classifier(content)
    if recipe_split:
        samples = divided(samples, classifier.card)
    if Split.VALIDATION not in samples.counts():
        raise DatasetError(
            f"{data} has no validation split, which a temperature is fitted on; add a folder of "
            "that name, or divide the faces as the training did: --recipe-split"
        )
    samples = unseen_validation(samples)
    relabelled = by_majority(samples, classifier.label_set, Split.VALIDATION)
    samples = samples if relabelled is None else relabelled.samples
    with progress_bar("judging faces") as progress:
        predictions = predict(
            classifier.probabilities,
            samples,
            Split.VALIDATION,
            model_labels=classifier.label_set,
            progress=progress,
        )
    before = classifier.card
    card, fit = calibrate_card(before, predictions, samples.of(Split.VALIDATION).sha256())
    write_bundle(with_card(content, card), out)
    output.print(
        f"{before.name} on {split} of {data}, {fit.n:,} faces; chance alone gives even a perfectly "
        f"calibrated network an ECE of about {100 * ece_by_chance(predictions):.2f} % on them",
        markup=False,
    )
    if relabelled is not None:
        output.print(relabelled.note, markup=False)
    output.print(_table(before, predictions, fit))
    if before.scores and card.scores != before.scores:
        output.print(
            "the card's scores were measured at another temperature: their accuracies stay; "
            "calibration errors, and scores with --tta flip, are left out",
            markup=False,
        )
    output.print(f"{out}: temperature {card.temperature:.4g}", markup=False)


def _table(before: "ModelCard", predictions: "Predictions", fit: "Fit") -> "Table":
    """NLL and ECE before and after."""
    from rich.table import Table

    from mien.evaluation.confidence import ece, nll, reliability

    table = Table()
    for title in ("temperature", "NLL", "ECE"):
        table.add_column(title, justify="left" if title == "temperature" else "right")
    rows = [("1", fit.nll_before, fit.ece_before)]
    if before.temperature != 1:
        as_it_was = (nll(predictions), ece(reliability(predictions)))
        rows.append((f"{before.temperature:.4g}, as it was", *as_it_was))
    rows += [
        (f"{fit.temperature:.4g}, fitted", fit.nll_after, fit.ece_after),
        ("cross-fitted", fit.nll_cross_fitted, fit.ece_cross_fitted),
    ]
    for name, likelihood, error in rows:
        table.add_row(name, f"{likelihood:.4f}", f"{100 * error:.2f} %")
    return table
