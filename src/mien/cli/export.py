"""``mien export``: a trained network as one file to run elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """Formats that a network can be exported to."""

    ONNX = "onnx"


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of mien train.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="SRC",
            help="Labelled faces to prove the export on; the training's own will do.",
        ),
    ] = None,
    to: Annotated[Format, typer.Option(help="Format of the file.")] = Format.ONNX,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write. [default: RUN/model.onnx]"),
    ] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="metrics.json of an evaluation of this run, to go into the card; may be repeated.",
        ),
    ] = None,
) -> None:
    """Export a training's best network as an ONNX bundle with its model card inside.

    The file is written only if it gives the probabilities that Keras gives, to 1e-4, on real
    faces (--data). With --scores and without --data the run's model.onnx is taken as it is, and
    the measured results go into its card.
    """
    from mien.cli.console import load_keras_quietly, output

    load_keras_quietly()
    target = out or run / "model.onnx"
    if data is not None:
        from mien.data import read_samples
        from mien.training.export import PARITY_FACES, export_run

        samples = read_samples(data)
        faces = [samples.images[index] for index in range(min(len(samples), PARITY_FACES))]
        _, parity = export_run(run, faces, target)
        output.print(
            f"{target}: agrees with Keras to {parity.largest_difference:.0e} "
            f"on {parity.faces} faces"
        )
    elif not scores:
        raise typer.BadParameter("name faces to prove the export on", param_hint="--data")
    if scores:
        from mien.training.scores import add_scores

        card = add_scores(run / "model.onnx" if data is None else target, scores, target)
        for score in card.scores:
            output.print(
                f"{target}: card says {100 * score.accuracy:.2f} % on {score.split} "
                f"({score.n:,} rows)"
            )
