"""``mien export``: a trained network as one file to run elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.model_argument import (
    ArchitectureOption,
    InputSizeOption,
    LabelsOption,
    ScalingOption,
    reading,
)


class Format(StrEnum):
    """Formats that a network can be exported to."""

    ONNX = "onnx"
    ONNX_INT8 = "onnx-int8"
    LITERT = "litert"
    SAVED_MODEL = "saved-model"
    KERAS = "keras"
    H5 = "h5"


def export(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="Folder of a training, or a Keras file (.keras .h5 .hdf5); for onnx-int8, and "
            "for --scores without --data, also 'default', another name, or an .onnx file.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="SRC",
            help="Labelled faces to prove the export on; the training's own will do, and for "
            "onnx-int8 it must have a validation split.",
        ),
    ] = None,
    to: Annotated[Format, typer.Option(help="Format of the file.")] = Format.ONNX,
    ferplus: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="onnx-int8: fer2013new.csv, where the model has FER+'s classes.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File or folder to write. [default: model.onnx, model-int8.onnx, model.tflite, "
            "saved_model, model.keras or model.h5 in the run folder; beside a Keras file]",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="onnx-int8: name in the card. [default: the model's, with -int8]",
        ),
    ] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="metrics.json of an evaluation of this very file, to go into its card; may be "
            "repeated.",
        ),
    ] = None,
    weights_only: Annotated[
        bool,
        typer.Option("--weights-only", help="keras and h5: only the weights, as .weights.h5."),
    ] = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Export a network in a format that other programs read, with its model card inside.

    A file is written only if it gives the probabilities that Keras gives, to 1e-4, on real
    faces (--data). With --scores and without --data the run's model.onnx, or the .onnx file, is
    taken as it is, and the measured results go into its card.

    onnx-int8 computes in 8-bit integers: a third of the size, and about twice as fast. It is
    written only if accuracy falls by 0.3 points at most on the validation faces without a duplicate
    in training; its temperature is fitted on them.

    For example:

    mien export runs/plain_cnn --to litert --data fer2013.csv

    mien export net.hdf5 --labels angry,happy,sad --scaling -1..1 --data fer2013.csv
    """
    from mien.cli.console import load_keras_quietly, output
    from mien.errors import OutputError

    if scores and to is not Format.ONNX:
        raise typer.BadParameter("goes with --to onnx alone", param_hint="--scores")
    if weights_only and to not in (Format.KERAS, Format.H5):
        raise typer.BadParameter("goes with --to keras or h5", param_hint="--weights-only")
    if data is None and not scores:
        raise typer.BadParameter("name faces to prove the export on", param_hint="--data")
    if to is Format.ONNX_INT8:
        _export_int8(str(model), data, ferplus, out, name)
        return
    for value, option in ((ferplus, "--ferplus"), (name, "--name")):
        if value is not None:
            raise typer.BadParameter("goes with --to onnx-int8 alone", param_hint=option)
    if data is None:
        if any(option is not None for option in (labels, scaling, architecture, input_size)):
            raise typer.BadParameter("goes with --data alone", param_hint="--labels and its like")
        from mien.cli.onnx_output import check_onnx_output
        from mien.model.names import resolve_model

        bundle = resolve_model(str(model))
        if out is None and not model.exists():
            raise typer.BadParameter(
                f"name a file; {model} is part of the package", param_hint="--out"
            )
        check_onnx_output(out or bundle)
        _put_scores(bundle, scores or [], out or bundle)
        return
    _check_exportable(model)
    load_keras_quietly()
    from mien.formats.saving import check_name, default_output, export_to

    target = out or default_output(to.value, model, weights_only=weights_only)
    # Before the work, not after it.
    check_name(to.value, target, weights_only=weights_only)
    from mien.data import read_samples
    from mien.formats.bundle import PARITY_FACES
    from mien.training.opening import open_network

    opened = open_network(model, reading(labels, scaling, architecture, input_size))
    if target.exists() and target.samefile(opened.path):
        raise OutputError(f"{target} is what is exported; name another file with --out")
    samples = read_samples(data)
    faces = [samples.images[index] for index in range(min(len(samples), PARITY_FACES))]
    parity = export_to(
        to.value, opened.network, opened.card, faces, target, weights_only=weights_only
    )
    output.print(
        f"{target}: agrees with Keras to {parity.largest_difference:.0e} on {parity.faces} faces",
        markup=False,
    )
    if scores:
        _put_scores(target, scores, target)


def _check_exportable(model: Path) -> None:
    """A model that is known by name is an ONNX file: there is no Keras network to convert."""
    from mien.errors import ModelError
    from mien.model.names import is_known

    if is_known(str(model)) and not model.exists():
        raise ModelError(
            f"{model} is an ONNX file as it is, and can only become onnx-int8; other formats are "
            "made of the folder of a training, or of a Keras file"
        )


def _put_scores(bundle: Path, scores: list[Path], out: Path) -> None:
    from mien.cli.console import output
    from mien.training.scores import add_scores

    for score in add_scores(bundle, scores, out).scores:
        output.print(
            f"{out}: card says {100 * score.accuracy:.2f} % on {score.split} ({score.n:,} rows)",
            markup=False,
        )


def _export_int8(
    model: str, data: Path | None, ferplus: Path | None, out: Path | None, name: str | None
) -> None:
    from mien.cli.console import output
    from mien.cli.measuring import by_majority, calibration_line, unseen_validation
    from mien.cli.onnx_output import check_onnx_output
    from mien.data import read_samples
    from mien.errors import DatasetError
    from mien.model.names import resolve_model
    from mien.samples import Split

    source = resolve_model(model)
    target = out or (source.with_stem(f"{source.stem}-int8"))
    if data is None:
        raise typer.BadParameter("name labelled faces to quantise on", param_hint="--data")
    check_onnx_output(target, [source])
    from mien.formats.int8 import to_int8
    from mien.formats.onnx_cards import write_bundle
    from mien.recognition.classifier import Classifier

    label_set = Classifier(source).label_set
    content = source.read_bytes()
    samples = unseen_validation(read_samples(data, ferplus=ferplus))
    relabelled = by_majority(samples, label_set, Split.VALIDATION)
    samples = samples if relabelled is None else relabelled.samples
    calibration, check = samples.of(Split.TRAIN), samples.of(Split.VALIDATION)
    if not len(calibration) or not len(check):
        missing = "validation" if len(calibration) else "training"
        raise DatasetError(f"{data} has no {missing} split, which quantisation needs")
    if relabelled is not None:
        output.print(relabelled.note, markup=False)
    made = to_int8(content, calibration, check, name)
    write_bundle(made.bundle, target)
    output.print(
        f"{target}: {len(made.bundle):,} bytes, accuracy {100 * made.accuracy_before:.2f} % -> "
        f"{100 * made.accuracy_after:.2f} % on {made.n:,} validation faces without a duplicate in "
        "training",
        markup=False,
    )
    fitted = made.card.calibration
    output.print(
        f"temperature {made.card.temperature:.4g} as before: {made.reason}"
        if made.reason or fitted is None
        else calibration_line(made.card.temperature, fitted),
        markup=False,
    )
