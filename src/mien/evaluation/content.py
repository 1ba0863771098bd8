"""What a report says of an evaluation, in plain words: its sections, from numbers to hashes.

Percentages have one decimal, as the intervals are about a point wide; `metrics.json` holds the
full numbers. What could make a score look better than it is (the measured split chose the
weights, the rows were trained on, twins in training) is said first, not in a footnote.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mien.evaluation.bootstrap import Interval
from mien.evaluation.confidence import coverage_curve
from mien.evaluation.document import Block, Code, Faces, Figures, Plot, Section, Table, Text
from mien.evaluation.metrics import Evaluation
from mien.evaluation.plots import (
    confusion_matrix_png,
    coverage_png,
    per_class_png,
    reliability_png,
)
from mien.evaluation.predictions import Predictions
from mien.model_card import ModelCard
from mien.samples import Split

_UNKNOWN = "n/a"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What was measured with what."""

    card: ModelCard
    """The model's card."""
    model_sha256: str
    """Hash of the model file."""
    data_sha256: str
    """Hash of the measured rows, `Samples.sha256`."""
    command: str
    """Command that measures this again."""
    version: str
    """Version of mien that measured."""
    commit: str
    """Commit of mien that measured."""
    note: str = ""
    """What else a reader must know of the faces or labels; empty for nothing."""


def report_sections(
    evaluation: Evaluation,
    predictions: Predictions,
    provenance: Provenance,
    errors: tuple[tuple[bytes, str], ...],
) -> list[Section]:
    """The sections of a report.

    Args:
        evaluation: the numbers.
        predictions: the table that they come from.
        provenance: what was measured with what.
        errors: the most confident errors, (PNG, caption) each; their section is left out where
            there are none.
    """
    sections = [
        Section("Result", (_headline(evaluation), *map(Text, cautions(evaluation, provenance)))),
        Section("How to read this", tuple(Text(text) for text in _guide(evaluation))),
        Section("Classes", _classes(evaluation)),
        Section("Confidence", _confidence(evaluation, predictions)),
    ]
    if errors:
        sections.append(Section("Most confident errors", (Text(_ERRORS), Faces(errors))))
    sections.append(Section("Model", _model(provenance.card)))
    sections.append(Section("Measured how", _measured(evaluation, predictions, provenance)))
    return sections


def percent(value: float | None) -> str:
    """A part of 1 in percent with one decimal; ``n/a`` for None."""
    return _UNKNOWN if value is None else f"{100 * value:.1f} %"


def percent_interval(ci95: Interval | None) -> str:
    """An interval in percent; empty for None."""
    return "" if ci95 is None else f"{100 * ci95[0]:.1f} to {100 * ci95[1]:.1f} %"


def cautions(evaluation: Evaluation, provenance: Provenance) -> list[str]:
    """What could make the result look better than it is, and what could not be checked."""
    texts = [provenance.note]
    card = provenance.card
    rows_of = _split_with_hash(card, provenance.data_sha256)
    if evaluation.split == Split.TRAIN or rows_of == Split.TRAIN:
        texts.append(
            "Caution: these faces were trained on, so this says how well the network remembers "
            "them, not how well it judges new ones."
        )
    elif evaluation.split == str(card.chosen.get("split", "")):
        texts.append(
            f"Caution: the epoch that was kept was chosen on the {evaluation.split} split, so "
            "this score is somewhat too good; a split that chose nothing gives an honest one."
        )
    texts.append(_twins(evaluation))
    return [text for text in texts if text]


def _twins(evaluation: Evaluation) -> str:
    if evaluation.n_seen_twins is None:
        if evaluation.split == Split.TRAIN:
            return ""
        return (
            "Accuracy on unseen faces is unknown: the source holds no training rows to look for "
            "identical faces in."
        )
    if evaluation.accuracy_unseen is None:
        return "Accuracy on unseen faces is unknown: every face is also among the training rows."
    if evaluation.n_seen_twins == 0:
        return "No face of this split has a pixel-identical twin among the training rows."
    twins = evaluation.n_seen_twins
    have, them = ("has", "it") if twins == 1 else ("have", "them")
    return (
        f"{twins:,} of {evaluation.n:,} faces {have} a pixel-identical twin among the source's "
        f"training rows; accuracy on unseen faces leaves {them} out."
    )


def _headline(evaluation: Evaluation) -> Figures:
    note = "95 % interval: {}".format
    items = [("Accuracy", percent(evaluation.accuracy), evaluation.accuracy_ci95)]
    if evaluation.accuracy_unseen is not None:
        unseen = percent(evaluation.accuracy_unseen)
        items.append(("Accuracy, unseen faces", unseen, evaluation.accuracy_unseen_ci95 or (0, 0)))
    balanced = percent(evaluation.balanced_accuracy)
    items.append(("Balanced accuracy", balanced, evaluation.balanced_accuracy_ci95))
    items.append(("Macro F1", percent(evaluation.macro_f1), evaluation.macro_f1_ci95))
    cards = [(name, value, note(percent_interval(ci95))) for name, value, ci95 in items]
    cards.append(("Calibration error (ECE)", percent(evaluation.ece), "0 % would be perfect"))
    cards.append(("Negative log-likelihood", f"{evaluation.nll:.3f}", "nats; lower is better"))
    return Figures(tuple(cards))


def _guide(evaluation: Evaluation) -> list[str]:
    low, high = evaluation.accuracy_ci95
    return [
        "The numbers tell how often the network gives a face the same expression as the people "
        "who labelled it. It judges the expression that a face shows, not what the person feels; "
        "labellers themselves often disagree.",
        f"Intervals: these {evaluation.n:,} faces are a sample, and chance chose them. An interval "
        "made like this holds the accuracy on all faces of the same kind in about 95 of 100 "
        f"cases; here it is {100 * low:.1f} to {100 * high:.1f} %. Two models whose intervals "
        "overlap widely have not been told apart. The interval knows nothing of other cameras, "
        "ages or cultures, nor of another training with another seed.",
        "Balanced accuracy and macro F1 give every class that has faces the same weight, so that "
        "a rare expression counts as much as a frequent one.",
        "Calibration: among the faces judged with a confidence of 80 %, about 80 % should be "
        "right. The calibration error is the mean gap between the two.",
    ]


def _classes(evaluation: Evaluation) -> tuple[Block, ...]:
    rows = tuple(
        (
            label.display_name,
            f"{score.support:,}",
            percent(score.precision),
            percent(score.recall),
            percent(score.f1),
            percent_interval(score.f1_ci95) or _UNKNOWN,
        )
        for label, score in zip(evaluation.label_set, evaluation.per_class, strict=True)
    )
    header = ("class", "faces", "precision", "recall", "F1", "95 % interval of F1")
    matrix = confusion_matrix_png(evaluation)
    return (
        Table(header, rows),
        Plot("per_class_f1.png", per_class_png(evaluation), "F1 per class with intervals", 560),
        Text("Rows of the confusion matrix are labels and sum to 100 %; small figures are faces."),
        Plot("confusion_matrix.png", matrix, "confusion matrix in percent of each label", 720),
    )


def _confidence(evaluation: Evaluation, predictions: Predictions) -> tuple[Block, ...]:
    rows = tuple(
        (percent(point.coverage), percent(point.accuracy), f"{point.threshold:.3f}")
        for point in evaluation.coverage
    )
    coverage = coverage_png(evaluation, coverage_curve(predictions))
    alt = "accuracy against confidence, and how many faces have which confidence"
    return (
        Plot("reliability.png", reliability_png(evaluation), alt, 520),
        Text(
            "Leaving faces unanswered whose confidence is below a threshold makes the answers "
            "more accurate; this is the trade."
        ),
        Plot("coverage.png", coverage, "accuracy against the part of faces answered", 560),
        Table(("faces answered", "accuracy on them", "smallest confidence"), rows, 0),
    )


_ERRORS = (
    "The faces on which the network was surest and disagreed with the label. Some are mistakes of "
    "the network, some are doubtful labels, some are not faces at all."
)


def _model(card: ModelCard) -> tuple[Block, ...]:
    height, width, channels = card.input_shape
    names = ", ".join(label.display_name for label in card.label_set)
    facts: list[tuple[str, str]] = [
        ("name", card.name),
        ("architecture", card.architecture),
        ("classes, in order", names),
        ("input", f"{width} x {height} pixels, {'grey' if channels == 1 else 'RGB'}"),
        ("framing of faces", card.framing),
        ("kept epoch", _kept(card.chosen)),
        ("temperature", f"{card.temperature:g}"),
        ("trained by commit", card.commit or "not stated"),
        ("licence", card.licence or "not stated"),
    ]
    facts += [(f"data: {name}", _plain(value)) for name, value in card.data.items()]
    facts += [(f"recipe: {name}", _plain(value)) for name, value in card.recipe.items()]
    return (Table(("fact", "value"), tuple(facts), numeric_from=2),)


def _measured(
    evaluation: Evaluation, predictions: Predictions, provenance: Provenance
) -> tuple[Block, ...]:
    same = _split_with_hash(provenance.card, provenance.data_sha256)
    facts = (
        ("source", predictions.source),
        ("split", f"{evaluation.split}, {evaluation.n:,} faces"),
        ("SHA-256 of the rows", provenance.data_sha256),
        ("the model's card knows these rows", f"as its {same} rows" if same else "no"),
        ("SHA-256 of the model file", provenance.model_sha256),
        ("test-time augmentation", predictions.tta),
        ("intervals", f"{evaluation.n_resamples:,} resamples, seed {evaluation.seed}"),
        ("Brier score", f"{evaluation.brier:.3f}"),
        ("mien", f"{provenance.version}, {provenance.commit}"),
    )
    return Code(provenance.command), Table(("fact", "value"), facts, numeric_from=2)


def _split_with_hash(card: ModelCard, sha256: str) -> str | None:
    for name, facts in card.data.items():
        if isinstance(facts, Mapping) and sha256 in facts.values():
            return str(name)
    return None


def _kept(chosen: Mapping[str, object]) -> str:
    """Which epoch was kept, and why; cards of other makers may say other things."""
    if not chosen:
        return "not stated"
    words = dict(chosen)
    if {"epoch", "of_epochs"} <= words.keys():
        words["epoch"] = f"{words['epoch']} of {words.pop('of_epochs')}"
    metric, value = str(words.get("metric", "")), words.get("value")
    if isinstance(value, float):
        words["value"] = f"{100 * value:.2f} %" if metric.endswith("accuracy") else f"{value:.4g}"
    return ", ".join(f"{key} {_plain(item)}" for key, item in words.items())


def _plain(value: object) -> str:
    """A value of a card as one line for people."""
    if value is None or value == {} or value == []:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return value if isinstance(value, str) else json.dumps(value, default=str)
