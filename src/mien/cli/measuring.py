"""What the commands that measure share, where it needs packages that are blind to each other."""

from mien.model_card import ModelCard
from mien.zoo import ARCHITECTURES


def known_parameters(card: ModelCard) -> int | None:
    """How many parameters a network has, where it is the zoo's own as it is listed there."""
    entry = ARCHITECTURES.get(card.architecture)
    if entry is None or card.recipe.get("architecture_options"):
        return None
    is_listed = card.input_shape == entry.default_input.shape and len(card.labels) == 7
    return entry.parameters if is_listed else None
