"""Fitting the temperature of a model, so that its confidences match its accuracy."""

from dataclasses import dataclass
from pathlib import Path

from mien.data import read_samples
from mien.errors import CalibrationError, DatasetError
from mien.evaluation.calibration import Fit, calibrate_card
from mien.evaluation.confidence import ece, ece_by_chance, nll, reliability
from mien.evaluation.predictions import Predictions, predict
from mien.formats.onnx_cards import with_card, write_bundle
from mien.formats.reading import Reading
from mien.model.card import ModelCard
from mien.paths import check_onnx_output
from mien.recognition.classifier import Classifier
from mien.reports.document import Table
from mien.samples import Split
from mien.workflows.evaluating import by_majority, unseen_validation
from mien.workflows.models import open_model
from mien.workflows.progress import Progress
from mien.workflows.trained_split import divided, with_validation


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CalibrationResult:
    """A temperature, and what it did."""

    out: Path
    """The calibrated copy of the model."""
    before: ModelCard
    """The model's card as it was."""
    card: ModelCard
    """The card with the new temperature."""
    fit: Fit
    """The fit, with NLL and ECE before, after and cross-fitted."""
    predictions: Predictions
    """What the model said of the faces, at the temperature that it had."""
    source: str
    """Where the faces came from."""
    note: str = ""
    """What else a reader must know of the faces or labels."""

    @property
    def title(self) -> str:
        """Model, split, source, number of faces, and the ECE that chance alone makes."""
        chance = 100 * ece_by_chance(self.predictions)
        return (
            f"{self.before.name} on {Split.VALIDATION.value} of {self.source}, "
            f"{self.fit.n:,} faces; chance alone gives even a perfectly calibrated network an ECE "
            f"of about {chance:.2f} % on them"
        )

    @property
    def table(self) -> Table:
        """NLL and ECE before and after."""
        fit, before = self.fit, self.before
        rows = [("1", fit.nll_before, fit.ece_before)]
        if before.temperature != 1:
            as_it_was = (nll(self.predictions), ece(reliability(self.predictions)))
            rows.append((f"{before.temperature:.4g}, as it was", *as_it_was))
        rows += [
            (f"{fit.temperature:.4g}, fitted", fit.nll_after, fit.ece_after),
            ("cross-fitted", fit.nll_cross_fitted, fit.ece_cross_fitted),
        ]
        return Table(
            ("temperature", "NLL", "ECE"),
            tuple((name, f"{nats:.4f}", f"{100 * error:.2f} %") for name, nats, error in rows),
        )

    @property
    def scores_were_changed(self) -> bool:
        """Whether the card's scores were measured at another temperature."""
        return bool(self.before.scores) and self.card.scores != self.before.scores

    def __repr__(self) -> str:
        """One line with the temperature and the ECE."""
        fit = self.fit
        return (
            f"CalibrationResult({str(self.out)!r}: temperature {fit.temperature:.4g}, ECE "
            f"{100 * fit.ece_before:.2f} % -> {100 * fit.ece_after:.2f} %)"
        )


def calibrate(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    ferplus: str | Path | None = None,
    split: str | Split = Split.VALIDATION,
    recipe_split: bool = False,
    reading: Reading | None = None,
    progress: Progress | None = None,
) -> CalibrationResult:
    """Fit a model's temperature and write a copy that has it in its card.

    The most probable class of every face stays the same. Validation faces with a pixel-identical
    duplicate among the training faces are left out.

    Args:
        model: as in `evaluate`.
        data: labelled faces with a validation split.
        out: the ``.onnx`` file to write.
        ferplus: ``fer2013new.csv``: the labels are FER+'s majorities.
        split: the rows that it is fitted on; only validation is taken.
        recipe_split: divide the faces as the model's training did.
        reading: what is said of a Keras file without a card.
        progress: called after each batch.

    Raises:
        CalibrationError: another split was named, or no temperature can be fitted on the faces.
        OutputError: the copy cannot be written, or would replace the model.
        DatasetError: there is no validation split.
        ModelError, WeightsError, SourceError, MissingExtraError: as `evaluate`.
    """
    check_split(split)
    opened = open_model(model, reading)
    out = Path(out)
    check_onnx_output(out, [opened.path])
    samples = read_samples(data, ferplus=ferplus)
    content = opened.bundle(samples.images)
    classifier = Classifier(content)
    if recipe_split:
        samples = divided(samples, classifier.card)
    samples = with_validation(samples, classifier.card)
    if Split.VALIDATION not in samples.counts():
        raise DatasetError(
            f"{data} has no validation split, which a temperature is fitted on, only "
            f"{samples.split_words()}; add a folder of that name, or divide the faces as the "
            "training did: --recipe-split"
        )
    samples = unseen_validation(samples)
    relabelled = by_majority(samples, classifier.label_set, Split.VALIDATION)
    samples = samples if relabelled is None else relabelled.samples
    predictions = predict(
        classifier.probabilities,
        samples,
        Split.VALIDATION,
        model_labels=classifier.label_set,
        progress=progress,
    )
    before = classifier.card
    card, fit = calibrate_card(before, predictions, samples.of(Split.VALIDATION).sha256())
    write_bundle(with_card(content, card), out)
    note = "" if relabelled is None else relabelled.note
    return CalibrationResult(out, before, card, fit, predictions, str(data), note)


def check_split(split: str | Split) -> None:
    """Refuse to fit on faces that must not be fitted on.

    Raises:
        CalibrationError: the split is training or test.
    """
    reason = {
        Split.TEST: "what is fitted on test faces can no longer be measured on them",
        Split.TRAIN: "a model is more confident of the faces that it was trained on than of new "
        "ones",
    }.get(Split(split))
    if reason is not None:
        raise CalibrationError(f"{reason}; take validation")
