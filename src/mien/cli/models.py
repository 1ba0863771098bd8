"""``mien models``: what there is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table


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
    from mien.model import store
    from mien.model.names import DEFAULT_MODEL

    for file in store.MODEL_FILES.values():
        path = store.find(file.name)
        size = path.stat().st_size if path else file.size_bytes
        remedy = "install mien again" if file.packaged else f"get it with: mien fetch {file.name}"
        kind = f"the default {file.kind}" if file.name == DEFAULT_MODEL else file.kind
        facts = [kind, f"{size / 1e6:.2f} MB" if size else "", file.licence]
        output.print(f"{file.name}: {', '.join(fact for fact in facts if fact)}", markup=False)
        scores = _accuracy(path) if path and file.kind == "classifier" else []
        # The path stands on a line of its own, so that it is whole in every window.
        for line in (*scores, str(path) if path else f"not here; {remedy}"):
            output.print(f"  {line}", markup=False)


def _accuracy(path: Path) -> list[str]:
    """Accuracies in the card of a classifier, a line each."""
    from mien.labels import FERPLUS
    from mien.recognition.classifier import Classifier

    card = Classifier(path).card
    against = ", against the majority of FER+'s annotators" if card.labels == FERPLUS.keys else ""
    return [
        f"{100 * score.accuracy:.1f} % ({100 * score.accuracy_ci95[0]:.1f} to "
        f"{100 * score.accuracy_ci95[1]:.1f}) on {score.split}{against}"
        f"{', with the mirrored face' if score.tta == 'flip' else ''}"
        for score in card.scores
    ]


def _json() -> str:
    """All facts: networks as in the catalogue, and the files with their paths."""
    from dataclasses import asdict

    from mien.model import store
    from mien.zoo.catalogue import ARCHITECTURES, MEASURED_ON

    networks = [
        {"name": name} | asdict(entry) | {"default_input": entry.default_input.shape}
        for name, entry in ARCHITECTURES.items()
    ]
    files = []
    for file in store.MODEL_FILES.values():
        path = store.find(file.name)
        where = str(path) if path else None
        files.append({"name": file.name, "kind": file.kind, "licence": file.licence, "path": where})
    return json.dumps({"networks": networks, "measured_on": MEASURED_ON, "models": files})
