"""The faces that validate a model, where its training carved them out of the training faces.

A set with train and test parts alone has no validation faces of its own. Those that a training
took of it are found again by the plan in the model's card, and proven by their hash: other rows
might be ones that the model was trained on.
"""

from collections.abc import Mapping

from mien.data.splits import SplitPlan, assign
from mien.data.splits import divided as divided_by
from mien.errors import DatasetError, ModelError
from mien.model.card import ModelCard
from mien.samples import Samples, Split


def divided(samples: Samples, card: ModelCard) -> Samples:
    """Samples divided by the plan in a model's card.

    Raises:
        ModelError: the card has none.
    """
    plan = _plan(card)
    if plan is None:
        raise ModelError(
            f"{card.name} does not say how its training divided the faces; leave out --recipe-split"
        )
    return assign(samples, plan)


def with_validation(samples: Samples, *cards: ModelCard) -> Samples:
    """Samples with the validation rows that the models' trainings carved out of them.

    Returns:
        The rows as the trainings divided them, where they have no validation rows of their own
        and all the cards know the carved ones by their hash; else the samples as they are.

    Raises:
        ImageError, ImageTooLargeError, DatasetError: a picture is damaged or refused.
    """
    if Split.VALIDATION in samples.counts():
        return samples
    found = samples
    for card in cards:
        plan = _plan(card)
        known = card.data.get(Split.VALIDATION.value)
        if plan is None or plan.validation_fraction == 0 or not isinstance(known, Mapping):
            return samples
        if found is samples:
            try:
                found = divided_by(
                    samples,
                    plan,
                    drop_duplicates=bool(card.recipe.get("drop_duplicates")),
                    drop_validation_duplicates=bool(card.recipe.get("drop_validation_duplicates")),
                )
            except DatasetError:
                return samples  # there are no training rows
        rows = found.of(Split.VALIDATION)
        if len(rows) != known.get("n") or rows.sha256() != known.get("sha256"):
            return samples
    return found


def _plan(card: ModelCard) -> SplitPlan | None:
    try:
        return SplitPlan(**card.recipe["split"])
    except (KeyError, TypeError, ValueError):
        return None
