"""What the commands that measure share, where it needs packages that are blind to each other."""

from mien.data.ferplus import majority_labels
from mien.data.splits import SplitPlan, assign, without_validation_duplicates
from mien.errors import ModelError
from mien.evaluation.relabel import Relabelled, relabel
from mien.labels import FERPLUS, LabelSet
from mien.model.card import Calibration, ModelCard
from mien.samples import Samples, Split
from mien.zoo import ARCHITECTURES


def known_parameters(card: ModelCard) -> int | None:
    """How many parameters a network has, where it is the zoo's own as it is listed there."""
    entry = ARCHITECTURES.get(card.architecture)
    if entry is None or card.recipe.get("architecture_options"):
        return None
    is_listed = card.input_shape == entry.default_input.shape and len(card.labels) == 7
    return entry.parameters if is_listed else None


def divided(samples: Samples, card: ModelCard) -> Samples:
    """Samples divided by the plan in a model's card.

    Raises:
        ModelError: the card has none.
    """
    try:
        plan = SplitPlan(**card.recipe["split"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{card.name} does not say how its training divided the faces; leave out --recipe-split"
        ) from error
    return assign(samples, plan)


def unseen_validation(samples: Samples) -> Samples:
    """Samples less the validation rows that have a pixel-identical duplicate in training: a network
    is surer of what it was trained on. As they are where the source has no training rows."""
    return without_validation_duplicates(samples) if Split.TRAIN in samples.counts() else samples


def by_majority(samples: Samples, model_labels: LabelSet, split: Split) -> Relabelled | None:
    """Samples under the majorities of their FER+ votes; None where they have no votes.

    Args:
        samples: with or without votes.
        model_labels: the classes that the model has; faces of others are left out.
        split: the split that the note counts.
    """
    if samples.votes is None:
        return None
    return relabel(
        samples,
        majority_labels(samples.votes),
        FERPLUS,
        name="majority of the FER+ annotators",
        model_labels=model_labels,
        split=split,
    )


def calibration_line(temperature: float, fitted: Calibration) -> str:
    """What a fitted temperature did, in one line."""
    return (
        f"temperature {temperature:.4g}, fitted on {fitted.n:,} faces of the {fitted.split} "
        f"split: NLL {fitted.nll_before:.4f} -> {fitted.nll_after:.4f}, ECE "
        f"{100 * fitted.ece_before:.2f} % -> {100 * fitted.ece_after:.2f} %, "
        f"cross-fitted {100 * fitted.ece_cross_fitted:.2f} %"
    )
