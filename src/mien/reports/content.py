"""What a report says of an evaluation, in plain words: its sections, from numbers to hashes.

Percentages have one decimal, as the intervals are about a point wide; `metrics.json` holds the
full numbers. What could make a score look better than it is (the measured split chose the
weights, the rows were trained on, duplicates in training) is said first, not in a footnote.
"""

import json
from collections.abc import Mapping, Sequence

from mien.evaluation.bootstrap import Interval
from mien.evaluation.metrics import Evaluation
from mien.evaluation.predictions import Predictions
from mien.model.card import ModelCard
from mien.reports.cautions import Provenance, cautions
from mien.reports.classification_report import Averages, macro_average, weighted_average
from mien.reports.confidence_section import confidence_blocks, temperature_words
from mien.reports.confusion_plots import confusion_counts_png, confusion_matrix_png
from mien.reports.document import Block, Code, Faces, Figures, Plot, Section, Table, Text
from mien.reports.face_grid import ClassifiedFace, face_grid_png, tile_png
from mien.reports.plots import per_class_png
from mien.reports.wording import UNKNOWN, code_words, percent, percent_interval

SAMPLES_PNG, ERRORS_PNG = "sample_predictions.png", "worst_errors.png"
"""The pictures of faces."""

_THUMBNAIL_PX = 144


def report_sections(
    evaluation: Evaluation,
    predictions: Predictions,
    provenance: Provenance,
    sampled: Faces,
    errors: Faces,
    parts: Sequence[Section] = (),
) -> list[Section]:
    """The sections of a report.

    Args:
        evaluation: the numbers.
        predictions: the table that they come from.
        provenance: what was measured with what.
        sampled: faces drawn at random; their section is left out where there are none.
        errors: the most confident errors, with their pictures.
        parts: sections of what else was measured; they stand before the pictures of faces.
    """
    sections = [
        Section("Result", (_headline(evaluation), *map(Text, cautions(evaluation, provenance)))),
        Section("How to read this", tuple(Text(text) for text in _guide(evaluation))),
        Section("Classes", _classes(evaluation)),
        Section("Confidence", confidence_blocks(evaluation, predictions, provenance.card)),
        *parts,
    ]
    if sampled.items:
        sections.append(Section("Sample predictions", (Text(_SAMPLES), sampled)))
    if errors.items:
        sections.append(Section("Most confident errors", (Text(_ERRORS), errors)))
    sections.append(Section("Model", _model(provenance.card)))
    sections.append(Section("Measured how", _measured(evaluation, predictions, provenance)))
    return sections


def sample_gallery(faces: Sequence[ClassifiedFace], split: str) -> Faces:
    """Faces drawn at random, as a block."""
    right = sum(face.correct for face in faces)
    title = (
        f"{len(faces)} faces of the {split} split, drawn at random: "
        f"{right} right (\N{CHECK MARK}), {len(faces) - right} wrong (\N{BALLOT X})"
    )
    return _gallery(
        faces, SAMPLES_PNG, title if faces else f"No faces of the {split} split were drawn"
    )


def error_gallery(faces: Sequence[ClassifiedFace], split: str) -> Faces:
    """The most confident errors, as a block."""
    title = f"The {len(faces)} most confident errors on the {split} split, most confident first"
    return _gallery(
        faces, ERRORS_PNG, title if faces else f"No errors on the {split} split are shown"
    )


def _gallery(faces: Sequence[ClassifiedFace], file_name: str, title: str) -> Faces:
    return Faces(
        items=tuple((tile_png(face, _THUMBNAIL_PX), face.caption) for face in faces),
        file_name=file_name,
        png=face_grid_png(faces, title),
        alt=title,
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
    chance = f"0 % would be perfect; chance alone makes about {percent(evaluation.ece_by_chance)}"
    cards.append(("Calibration error (ECE)", percent(evaluation.ece), chance))
    if evaluation.ece_cross_fitted is not None:
        scaled = "temperature fitted on other faces"
        cards.append(("ECE, cross-fitted", percent(evaluation.ece_cross_fitted), scaled))
    cards.append(("Negative log-likelihood", f"{evaluation.nll:.3f}", "nats; lower is better"))
    return Figures(tuple(cards))


def _guide(evaluation: Evaluation) -> list[str]:
    low, high = evaluation.accuracy_ci95
    return [
        "The numbers say how often the network gives a face the same expression as the people "
        "who labelled it. It classifies the expression that a face shows, not what the person "
        "feels; labellers often disagree, too.",
        f"Intervals: these {evaluation.n:,} faces are a sample, and chance chose them. An interval "
        "made like this contains the accuracy on all faces of the same kind in about 95 of 100 "
        f"cases; here it is {100 * low:.1f} to {100 * high:.1f} %. Two models whose intervals "
        "overlap widely are not told apart by them. The interval says nothing about other "
        "cameras, ages or cultures, nor about a training with another seed.",
        "Balanced accuracy and macro F1 give every class that has faces the same weight, so that "
        "a rare expression counts as much as a frequent one.",
        "Calibration: among the faces classified with a confidence of 80 %, about 80 % should be "
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
            percent_interval(score.f1_ci95) or UNKNOWN,
        )
        for label, score in zip(evaluation.label_set, evaluation.per_class, strict=True)
    )
    averages = (
        ("macro average", macro_average(evaluation.per_class), evaluation.macro_f1_ci95),
        ("weighted average", weighted_average(evaluation.per_class), None),
    )
    means = tuple(_average_row(name, mean, ci95, evaluation.n) for name, mean, ci95 in averages)
    header = ("class", "faces", "precision", "recall", "F1", "95 % interval of F1")
    shares = confusion_matrix_png(evaluation)
    counts = confusion_counts_png(evaluation)
    return (
        Table(header, (*rows, *means)),
        Text(
            "In the macro average every class that has faces counts alike, in the weighted one "
            "every face; the weighted recall is the accuracy."
        ),
        Plot("per_class_f1.png", per_class_png(evaluation), "F1 per class with intervals", 560),
        Text(
            "The confusion matrix shows which expressions are taken for which: first each row in "
            "percent, so that it sums to 100 %, then in numbers of faces."
        ),
        Plot("confusion_matrix.png", shares, "confusion matrix in percent of each label", 640),
        Plot("confusion_counts.png", counts, "confusion matrix in numbers of faces", 640),
    )


def _average_row(name: str, mean: Averages, ci95: Interval | None, n: int) -> tuple[str, ...]:
    ratios = (percent(mean.precision), percent(mean.recall), percent(mean.f1))
    return (name, f"{n:,}", *ratios, percent_interval(ci95))


_SAMPLES = (
    "Faces drawn at random, neither the best nor the worst. A check mark and a thin frame stand "
    "for an answer that agrees with the label, a cross and a thick frame for one that does not."
)

_ERRORS = (
    "The most confident answers that disagree with the label. Some are mistakes of the network, "
    "some are doubtful labels, some are not faces at all."
)


def _model(card: ModelCard) -> tuple[Block, ...]:
    height, width, channels = card.input_shape
    names = ", ".join(label.display_name for label in card.label_set)
    facts: list[tuple[str, str]] = [
        ("name", card.name),
        ("architecture", card.architecture),
        ("classes, in order", names),
        ("input", f"{width} x {height} pixels, {'grey' if channels == 1 else 'RGB'}"),
        ("crop of the faces", card.framing),
        ("kept epoch", _kept(card.chosen)),
        ("temperature", temperature_words(card)),
        ("trained by commit", card.commit or "not stated"),
        ("licence", card.licence or "not stated"),
    ]
    facts += [(f"data: {name}", _plain(value)) for name, value in card.data.items()]
    facts += [(f"recipe: {name}", _plain(value)) for name, value in card.recipe.items()]
    return (Table(("fact", "value"), tuple(facts), numeric_from=2),)


def _measured(
    evaluation: Evaluation, predictions: Predictions, provenance: Provenance
) -> tuple[Block, ...]:
    same = provenance.known_as
    facts = (
        ("source", predictions.source),
        ("split", f"{evaluation.split}, {evaluation.n:,} faces"),
        ("SHA-256 of the rows", provenance.data_sha256),
        ("the model's card knows these rows", f"as its {same} rows" if same else "no"),
        ("SHA-256 of the model file", provenance.model_sha256),
        ("test-time augmentation", predictions.tta),
        ("intervals", f"{evaluation.n_resamples:,} resamples, seed {evaluation.seed}"),
        ("Brier score", f"{evaluation.brier:.3f}"),
        ("mien", code_words(provenance.version, provenance.commit)),
    )
    return Code(provenance.command), Table(("fact", "value"), facts, numeric_from=2)


def _kept(chosen: Mapping[str, object]) -> str:
    """Which epoch was kept, and why; cards of other makers may say other things."""
    if not chosen:
        return "not stated"
    words = dict(chosen)
    if words.get("metric") == "epoch":
        number = f", {words['epoch']} of {words['of_epochs']}" if "of_epochs" in words else ""
        return f"the last one{number}"
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
    if isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value):
        return "; ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)
