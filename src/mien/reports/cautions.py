"""What was measured with what, and what could make that look better than it is.

A score on the faces that chose the epoch, on faces that were trained on, or on duplicates of such
faces is too good; so is one whose circumstances nobody can check. Reports say these things
first, not in a footnote.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mien.evaluation.metrics import Evaluation
from mien.labels import FERPLUS
from mien.model.card import ModelCard
from mien.reports.wording import percent
from mien.samples import Split


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
    parameters: int | None = None
    """Weights and other parameters of the model; None where unknown."""
    unseen_sha256: str = ""
    """Hash of the measured rows less those with a duplicate in training; empty where unknown."""
    note: str = ""
    """What else a reader must know of the faces or labels; empty for nothing."""

    @property
    def known_as(self) -> str | None:
        """The split that the card knows these rows as, or those of them that have no duplicate in
        training; None where it knows neither."""
        card = self.card
        return card.split_with_hash(self.data_sha256) or card.split_with_hash(self.unseen_sha256)


def cautions(evaluation: Evaluation, provenance: Provenance) -> list[str]:
    """What could make the result look better than it is, and what could not be checked."""
    texts = faces_cautions(evaluation.split, provenance)
    texts.append(_temperature(evaluation, provenance))
    texts.append(_duplicates(evaluation))
    return [text for text in texts if text]


def faces_cautions(split: str, provenance: Provenance) -> list[str]:
    """What of a split's faces could make any score on them look better than it is.

    Args:
        split: which they are.
        provenance: what is measured.
    """
    texts = [provenance.note]
    card = provenance.card
    rows_of = provenance.known_as
    if split == Split.TRAIN or rows_of == Split.TRAIN:
        texts.append(
            "Caution: these faces were trained on, so this says how well the network remembers "
            "them, not how well it classifies new ones."
        )
    elif split == str(card.chosen.get("split", "")):
        known = isinstance(card.data.get(split), Mapping)
        if rows_of == split or not known:
            what = (
                f"this is the {split} split, which recipes are compared on"
                if card.chosen.get("metric") == "epoch"
                else f"the epoch that was kept was chosen on the {split} split"
            )
            texts.append(
                f"Caution: {what}, so this score is somewhat too good; a split that chose nothing "
                "gives an honest one."
            )
        else:
            what = (
                f"Recipes were compared on another {split} split"
                if card.chosen.get("metric") == "epoch"
                else f"The epoch that was kept was chosen on another {split} split"
            )
            texts.append(
                f"{what}, by its hash. Caution: if some of these faces are in it all the same, "
                "from other files or under other labels, this score is somewhat too good."
            )
    if card.labels == FERPLUS.keys and not provenance.note:
        texts.append(
            "Caution: the network learned what FER+'s annotators saw, and these faces carry other "
            "labels, so this score is too low; FER+ votes (--ferplus fer2013new.csv) measure it."
        )
    return [text for text in texts if text]


def _temperature(evaluation: Evaluation, provenance: Provenance) -> str:
    fitted = provenance.card.calibration
    if fitted is None or fitted.data_sha256 not in (
        provenance.data_sha256,
        provenance.unseen_sha256,
    ):
        return ""
    which = (
        "these very faces"
        if fitted.data_sha256 == provenance.data_sha256
        else "those of these faces that have no duplicate in training"
    )
    text = (
        f"Caution: the temperature was fitted on {which}, so the calibration error (ECE) "
        f"of {percent(evaluation.ece)} may be a little too good"
    )
    if evaluation.ece_cross_fitted is None:
        return f"{text}."
    return (
        f"{text}; the cross-fitted one, {percent(evaluation.ece_cross_fitted)}, is "
        "measured at temperatures that were fitted on other faces."
    )


def _duplicates(evaluation: Evaluation) -> str:
    if evaluation.n_seen_duplicates is None:
        if evaluation.split == Split.TRAIN:
            return ""
        return (
            "Accuracy on unseen faces is unknown: the source holds no training rows to look for "
            "identical faces in."
        )
    if evaluation.accuracy_unseen is None:
        return "Accuracy on unseen faces is unknown: every face is also among the training rows."
    if evaluation.n_seen_duplicates == 0:
        return "No face of this split has a pixel-identical duplicate among the training rows."
    duplicates = evaluation.n_seen_duplicates
    have, them = ("has", "it") if duplicates == 1 else ("have", "them")
    return (
        f"{duplicates:,} of {evaluation.n:,} faces {have} a pixel-identical duplicate among "
        f"the source's training rows; accuracy on unseen faces leaves {them} out."
    )
