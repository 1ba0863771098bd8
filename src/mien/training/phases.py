"""Phases of a training: which layers learn, for how long and how fast.

Transfer learning trains the new head on a pretrained network first, then unfreezes some layers
at a lower rate. Batch normalisation of a pretrained network keeps its statistics throughout:
those of small batches of other pictures would destroy what it has learned (Keras's guide
"Transfer learning & fine-tuning"; Kornblith et al., "Do better ImageNet models transfer
better?", 2019).
"""

from dataclasses import dataclass

from mien.errors import RecipeError, needs_extra

with needs_extra("train"):
    import keras

ALL = "all"
"""Every layer learns."""
HEAD = "head"
"""Only the layers from the architecture's head on learn."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a training; the next one starts from the best network so far.

    Raises:
        ValueError: a value is impossible.
    """

    trainable: str = ALL
    """``all``; ``head``; or the name of a layer: it and every layer after it learn."""
    epochs: int | None = None
    """Passes over the training rows; the recipe's where None."""
    learning_rate: float | None = None
    """Peak learning rate; the recipe's where None."""
    freeze_statistics: bool = False
    """Keep the backbone's batch normalisation as it is, its statistics and its weights, even
    where its layers learn."""

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise ValueError("epochs must be at least 1")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError("learning_rate must be above 0")


def freeze(trainable: keras.Model, phase: Phase, head: str) -> None:
    """Set which layers of a network learn in a phase.

    Args:
        trainable: the network that is trained; must be compiled after this.
        phase: the phase.
        head: name of the head's first layer.

    Raises:
        RecipeError: the network has no such layer; nothing was changed.
    """
    names = [layer.name for layer in trainable.layers]
    if phase.trainable == ALL:
        first = 0
    elif (name := head if phase.trainable == HEAD else phase.trainable) in names:
        first = names.index(name)
    else:
        raise RecipeError(
            f"{trainable.name} has no layer {phase.trainable!r} to train from; its last layers: "
            f"{', '.join(names[-6:])}"
        )
    backbone_end = names.index(head)
    for index, layer in enumerate(trainable.layers):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        kept = phase.freeze_statistics and normalises and index < backbone_end
        layer.trainable = index >= first and not kept
