"""``mien models``: what there is."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from mien.workflows.models import KnownModel


def models(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as one line of JSON.")
    ] = False,
) -> None:
    """List the networks that can be trained, and the models that are known by name.

    Says what they cost, how good they are, and where the models' files lie.
    """
    from mien.cli.console import output, print_line
    from mien.zoo.catalogue import MEASURED_ON

    if as_json:
        print_line(_json())
        return
    output.print("Networks for mien train\n", markup=False)
    output.print(_networks())
    # Short lines: nothing here is wrapped.
    for line in (
        "",
        "GFLOPs: multiplications and additions for one face, 10^9.",
        "MB: the float32 ONNX file.",
        "ms: one face through the network, median;",
        f"{MEASURED_ON}.",
        "PublicTest: top-1 accuracy on FER-2013's PublicTest and its 95 % interval, in %,",
        "of the best training that has been measured; empty where there is none.",
        "\nModels\n",
    ):
        output.print(line, markup=False)
    _print_files()


def _networks() -> "Table":
    from rich.table import Table

    from mien.zoo.catalogue import ARCHITECTURES

    table = Table(box=None, pad_edge=False)
    table.add_column("network", no_wrap=True)
    for title in ("parameters", "GFLOPs", "input", "MB", "ms", "PublicTest"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, entry in ARCHITECTURES.items():
        score = entry.public_test
        low, high = score.accuracy_ci95 if score else (0.0, 0.0)
        table.add_row(
            name,
            f"{entry.parameters:,}",
            f"{entry.flops / 1e9:.2f}",
            "x".join(map(str, entry.default_input.shape)),
            f"{entry.onnx_bytes / 1e6:.1f}",
            f"{entry.ms_per_face:.2g}" if entry.ms_per_face else "",
            f"{100 * score.accuracy:.1f} ({100 * low:.1f}-{100 * high:.1f})" if score else "",
        )
    return table


def _print_files() -> None:
    from mien.cli.console import output
    from mien.workflows.models import known_models

    for model in known_models():
        remedy = (
            "install mien again" if model.is_packaged else f"get it with: mien fetch {model.name}"
        )
        kind = f"the default {model.kind}" if model.is_default else model.kind
        size = f"{model.size_bytes / 1e6:.2f} MB" if model.size_bytes else ""
        facts = [kind, size, model.licence]
        output.print(f"{model.name}: {', '.join(fact for fact in facts if fact)}", markup=False)
        # The path stands on a line of its own, so that it is whole in every window.
        for line in (*_accuracy(model), str(model.path) if model.path else f"not here; {remedy}"):
            output.print(f"  {line}", markup=False)


def _accuracy(model: "KnownModel") -> list[str]:
    """Accuracies in the card of a classifier, a line each."""
    card = model.card
    if card is None:
        return []
    return [
        f"{100 * score.accuracy:.1f} % ({100 * score.accuracy_ci95[0]:.1f} to "
        f"{100 * score.accuracy_ci95[1]:.1f}) on {score.split}"
        f"{f', {score.against}' if score.against else ''}"
        f"{', with the mirrored face' if score.tta == 'flip' else ''}"
        for score in card.scores
    ]


def _json() -> str:
    """All facts: networks as in the catalogue, and the files with their paths."""
    from dataclasses import asdict

    from mien.workflows.models import known_models
    from mien.zoo.catalogue import ARCHITECTURES, MEASURED_ON

    networks = [
        {"name": name} | asdict(entry) | {"default_input": entry.default_input.shape}
        for name, entry in ARCHITECTURES.items()
    ]
    files = [
        {
            "name": model.name,
            "kind": model.kind,
            "licence": model.licence,
            "path": str(model.path) if model.path else None,
        }
        for model in known_models()
    ]
    return json.dumps({"networks": networks, "measured_on": MEASURED_ON, "models": files})
