"""Measured results into a bundle's card, so that a model file says how good it is."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mien.broken_text import from_json, what_is_broken
from mien.errors import ModelError
from mien.formats.onnx_cards import with_card, write_bundle
from mien.former_names import renamed
from mien.model.card import ModelCard, Score
from mien.recognition.classifier import Classifier


def add_scores(bundle: Path, metrics: Sequence[Path], out: Path) -> ModelCard:
    """Write a copy of a bundle whose card holds the results of evaluations of this very file.

    Args:
        bundle: the ONNX bundle that was evaluated.
        metrics: ``metrics.json`` files of its evaluations.
        out: where the copy goes; ``bundle`` itself will do.

    Returns:
        The new card.

    Raises:
        ModelError: the bundle is no bundle, or a file is no evaluation of it; nothing was written.
        OutputError: the copy cannot be written; an older one is still there.
    """
    card = Classifier(bundle).card
    content = bundle.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    scores = tuple(_score(path, sha256) for path in metrics)
    card = replace(card, scores=scores)
    write_bundle(with_card(content, card), out)
    return card


def _score(path: Path, model_sha256: str) -> Score:
    try:
        values = renamed(from_json(path.read_text(encoding="utf-8")))
        if values["model_sha256"] != model_sha256:
            raise ModelError(f"{path} is the evaluation of another model file; evaluate this one")
        low, high = values["accuracy_ci95"]
        return Score(
            split=f"{Path(values['source']).name} {values['split']}",
            n=values["n"],
            accuracy=values["accuracy"],
            accuracy_ci95=(low, high),
            accuracy_unseen=values["accuracy_unseen"],
            n_seen_duplicates=values["n_seen_duplicates"],
            macro_f1=values["macro_f1"],
            ece=values["ece"],
            tta=values["tta"],
            data_sha256=values["data_sha256"],
            command=values["command"],
            commit=values["commit"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is not the metrics.json of an evaluation: {what_is_broken(error)}"
        ) from error
