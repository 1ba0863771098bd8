"""``mien models``: what there is."""

from pathlib import Path


def models() -> None:
    """List the models that are known by name: what they do, how good they are, where they lie."""
    from rich.console import Console
    from rich.table import Table

    from mien import weights

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    table = Table("name", "kind", "size", "accuracy", "licence", "file", box=None, pad_edge=False)
    for file in weights.MODEL_FILES.values():
        path = weights.find(file.name)
        size = path.stat().st_size if path else file.size_bytes
        remedy = "install mien again" if file.packaged else f"get it with: mien fetch {file.name}"
        where = str(path) if path else f"not here; {remedy}"
        measured = _accuracy(path) if path and file.kind == "classifier" else ""
        table.add_row(
            file.name,
            file.kind,
            f"{size / 1e6:.2f} MB" if size else "",
            measured,
            file.licence,
            where,
        )
    console.print(table)


def _accuracy(path: Path) -> str:
    """Accuracies in the card of a classifier."""
    from mien.recognition.classifier import Classifier

    scores = Classifier(path).card.scores
    return "\n".join(
        f"{score.accuracy:.1%} [{score.accuracy_ci95[0]:.1%}, {score.accuracy_ci95[1]:.1%}] "
        f"{score.split}"
        for score in scores
    )
