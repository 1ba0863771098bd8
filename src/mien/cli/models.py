"""``mien models``: what there is."""

from pathlib import Path


def models() -> None:
    """List the models that are known by name.

    Says what they do, how good they are and where they lie.
    """
    from mien import weights
    from mien.cli.console import output

    for file in weights.MODEL_FILES.values():
        path = weights.find(file.name)
        size = path.stat().st_size if path else file.size_bytes
        remedy = "install mien again" if file.packaged else f"get it with: mien fetch {file.name}"
        facts = [file.kind, f"{size / 1e6:.2f} MB" if size else "", file.licence]
        output.print(f"{file.name}: {', '.join(fact for fact in facts if fact)}", markup=False)
        scores = _accuracy(path) if path and file.kind == "classifier" else []
        # The path stands on a line of its own, so that it is whole in every window.
        for line in (*scores, str(path) if path else f"not here; {remedy}"):
            output.print(f"  {line}", markup=False)


def _accuracy(path: Path) -> list[str]:
    """Accuracies in the card of a classifier, a line each."""
    from mien.recognition.classifier import Classifier

    return [
        f"{score.accuracy:.1%} [{score.accuracy_ci95[0]:.1%}, {score.accuracy_ci95[1]:.1%}] "
        f"{score.split}"
        for score in Classifier(path).card.scores
    ]
