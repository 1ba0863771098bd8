"""A trained network as one file to run elsewhere, with proof; and several as one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.data import read_samples
from mien.errors import DatasetError, ModelError, OutputError
from mien.formats.ensemble import to_ensemble
from mien.formats.onnx_cards import write_bundle
from mien.formats.reading import Reading
from mien.model.names import is_known, resolve_model
from mien.paths import check_onnx_output
from mien.recognition.classifier import Classifier
from mien.samples import Image, Split
from mien.workflows.evaluating import by_majority, calibration_line, unseen_validation
from mien.workflows.trained_split import with_validation

FORMATS = ("onnx", "onnx-int8", "litert", "saved-model", "keras", "h5")
"""What a network can be exported to."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A file that was written."""

    out: Path
    """The file or folder."""
    lines: tuple[str, ...]
    """What is to be known of it, a line each."""


def export(
    model: str | Path,
    to: str = "onnx",
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    ferplus: str | Path | None = None,
    name: str | None = None,
    largest_loss_points: float | None = None,
    scores: Sequence[str | Path] = (),
    weights_only: bool = False,
    reading: Reading | None = None,
) -> ExportResult:
    """Export a network in a format that other programs read, with its model card inside.

    A file is written only if it gives the probabilities that Keras gives, to 1e-4, on real faces.

    Args:
        model: the folder of a training, or a Keras file; for ``onnx-int8``, and for scores
            without data, also ``default``, another name, or an ``.onnx`` file.
        to: one of `FORMATS`.
        data: labelled faces to prove the export on; those that the run keeps where None. A Keras
            file of another origin needs some, and so does ``onnx-int8``: with a training and a
            validation split, or those of the training.
        out: the file or folder to write; in the run folder, or beside the Keras file, where None.
        ferplus: ``onnx-int8``: ``fer2013new.csv``, where the model has FER+'s classes.
        name: ``onnx-int8``: name in the card; the model's with ``-int8`` where None.
        largest_loss_points: ``onnx-int8``: by how many percentage points accuracy may fall, 0 to
            100; 0.3 where None.
        scores: ``metrics.json`` of evaluations of this very file, to go into its card. Without
            data the run's ``model.onnx``, or the ``.onnx`` file, is taken as it is.
        weights_only: ``keras`` and ``h5``: only the weights.
        reading: what is said of a Keras file without a card.

    Raises:
        ValueError: there is no such format, or arguments do not go together.
        ModelError, WeightsError: the model is not there, damaged, or has no such form.
        ParityError: the file would not give what the network gives; nothing was written.
        SourceError, DatasetError: the data cannot be read, or lack a split that is needed.
        TrainingError: a file of the run folder is missing or damaged.
        OutputError: the file cannot be written; what stood there is still there.
        MissingExtraError: Keras is not installed.
    """
    given = {"ferplus": ferplus, "name": name, "largest-loss": largest_loss_points}
    _check_arguments(model, to, data, out, given, scores, weights_only, reading)
    target = None if out is None else Path(out)
    files = [Path(path) for path in scores]
    if to == "onnx-int8":
        return _to_int8(str(model), data, ferplus, target, name, largest_loss_points)
    if data is None and scores:
        return _with_scores(str(model), files, target)
    return _converted(Path(model), to, data, target, files, weights_only, reading)


def _check_arguments(
    model: str | Path,
    to: str,
    data: str | Path | None,
    out: str | Path | None,
    of_int8: Mapping[str, object],
    scores: Sequence[str | Path],
    weights_only: bool,
    reading: Reading | None,
) -> None:
    if to not in FORMATS:
        raise ValueError(f"no format is called {to!r}; known: {', '.join(FORMATS)}")
    if scores and to != "onnx":
        raise ArgumentError("scores", "goes with --to onnx alone")
    if weights_only and to not in ("keras", "h5"):
        raise ArgumentError("weights-only", "goes with --to keras or h5")
    if to == "onnx-int8":
        if data is None:
            raise ArgumentError(
                "data",
                "onnx-int8 is measured on labelled faces, and those that a training keeps have no "
                "labels; name them, the training's own best",
            )
        points = of_int8["largest-loss"]
        if isinstance(points, int | float) and not 0 <= points <= 100:
            raise ArgumentError("largest-loss", f"expected 0 to 100 points, got {points}")
        return
    for option, value in of_int8.items():
        if value is not None:
            raise ArgumentError(option, "goes with --to onnx-int8 alone")
    if data is None and scores:
        if reading is not None and not reading.is_empty:
            raise ArgumentError("labels and its like", "goes with --data alone")
        if out is None and is_known(str(model)) and not Path(model).exists():
            raise ArgumentError("out", f"name a file; {model} is part of the package")


class ArgumentError(ValueError):
    """An argument is missing, or does not go with another one."""

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(message)
        self.argument = argument
        """Its name, as the command line's option is called."""


def _converted(
    model: Path,
    to: str,
    data: str | Path | None,
    out: Path | None,
    scores: Sequence[Path],
    weights_only: bool,
    reading: Reading | None,
) -> ExportResult:
    """The Keras network of a training or a file, in another format."""
    if is_known(str(model)) and not model.exists():
        raise ModelError(
            f"{model} is an ONNX file as it is, and can only become onnx-int8; other formats are "
            "made of the folder of a training, or of a Keras file"
        )
    from mien.formats.keras_import import load_keras_quietly

    load_keras_quietly()
    from mien.formats.saving import check_name, default_output, export_to
    from mien.training.opening import open_network
    from mien.training.proof_faces import run_of

    target = out or default_output(to, model, weights_only=weights_only)
    # Before the work, not after it.
    check_name(to, target, weights_only=weights_only)
    run = run_of(model)
    if data is None and run is None and model.exists():
        raise ArgumentError(
            "data", f"{model} is not of a training, which keeps faces to prove it on; name some"
        )
    opened = open_network(model, reading or Reading())
    if target.exists() and target.samefile(opened.path):
        raise OutputError(f"{target} is what is exported; name another file with --out")
    faces = _proof_faces(run or model, data)
    parity = export_to(to, opened.network, opened.card, faces, target, weights_only=weights_only)
    lines = [
        f"{target}: agrees with Keras to {parity.largest_difference:.0e} on {parity.faces} faces"
    ]
    if scores:
        lines += _put_scores(target, scores, target)
    return ExportResult(target, tuple(lines))


def _proof_faces(run: Path, data: str | Path | None) -> list[Image]:
    """The faces to prove an export on: of the data, or else those that the run keeps."""
    if data is None:
        from mien.training.proof_faces import read_proof_faces

        return read_proof_faces(run)
    from mien.formats.bundle import PARITY_FACES

    samples = read_samples(data)
    return [samples.images[index] for index in range(min(len(samples), PARITY_FACES))]


def _with_scores(model: str, scores: Sequence[Path], out: Path | None) -> ExportResult:
    bundle = resolve_model(model)
    target = out or bundle
    check_onnx_output(target)
    return ExportResult(target, tuple(_put_scores(bundle, scores, target)))


def _put_scores(bundle: Path, scores: Sequence[Path], out: Path) -> list[str]:
    from mien.training.card_scores import add_scores

    return [
        f"{out}: card says {100 * score.accuracy:.2f} % on {score.split} ({score.n:,} rows)"
        for score in add_scores(bundle, scores, out).scores
    ]


def _to_int8(
    model: str,
    data: str | Path | None,
    ferplus: str | Path | None,
    out: Path | None,
    name: str | None,
    largest_loss_points: float | None,
) -> ExportResult:
    source = resolve_model(model)
    target = out or (source.with_stem(f"{source.stem}-int8"))
    check_onnx_output(target, [source])
    from mien.formats.int8 import LARGEST_LOSS_POINTS, to_int8

    card = Classifier(source).card
    content = source.read_bytes()
    samples = with_validation(read_samples(str(data), ferplus=ferplus), card)
    samples = unseen_validation(samples)
    relabelled = by_majority(samples, card.label_set, Split.VALIDATION)
    samples = samples if relabelled is None else relabelled.samples
    calibration, check = samples.of(Split.TRAIN), samples.of(Split.VALIDATION)
    if not len(calibration) or not len(check):
        missing = "validation" if len(calibration) else "training"
        raise DatasetError(
            f"{data} has no {missing} split, which quantisation needs, only {samples.split_words()}"
        )
    points = LARGEST_LOSS_POINTS if largest_loss_points is None else largest_loss_points
    made = to_int8(content, calibration, check, name, largest_loss_points=points)
    write_bundle(made.bundle, target)
    fitted = made.card.calibration
    return ExportResult(
        target,
        (
            *([] if relabelled is None else [relabelled.note]),
            f"{target}: {len(made.bundle):,} bytes, accuracy {100 * made.accuracy_before:.2f} % -> "
            f"{100 * made.accuracy_after:.2f} % on {made.n:,} validation faces without a "
            "duplicate in training",
            f"temperature {made.card.temperature:.4g} as before: {made.reason}"
            if made.reason or fitted is None
            else calibration_line(made.card.temperature, fitted),
        ),
    )


def ensemble(
    models: Sequence[str | Path],
    out: str | Path,
    *,
    name: str | None = None,
    common: bool = False,
) -> ExportResult:
    """Join several models into one that averages their probabilities.

    Args:
        models: two or more of the same classes and input: names, folders of trainings, or
            ``.onnx`` files.
        out: the ``.onnx`` file to write.
        name: name in its card; the file's name where None.
        common: average the classes that all have, in the first one's order, in place of asking for
            the same ones.

    Raises:
        ArgumentError: fewer than two models.
        ModelError, WeightsError: a model is not there or damaged, or they do not fit each other.
        OutputError: the file cannot be written, or would replace a model.
    """
    if len(models) < 2:
        raise ArgumentError("MODEL", "name two models or more")
    out = Path(out)
    paths = [resolve_model(str(model)) for model in models]
    check_onnx_output(out, paths)
    cards = [Classifier(path).card for path in paths]  # names the file that is damaged
    contents = [path.read_bytes() for path in paths]
    bundle = to_ensemble(contents, name or out.stem, common=common)
    write_bundle(bundle, out)
    kept = Classifier(bundle).card.labels
    labels = dict.fromkeys(key for card in cards for key in card.labels)
    dropped = [key for key in labels if key not in kept]
    note = f"; left out, as not all members have it: {', '.join(dropped)}" if dropped else ""
    return ExportResult(out, (f"{out}: {len(paths)} members, {len(bundle) / 1e6:.2f} MB{note}",))
