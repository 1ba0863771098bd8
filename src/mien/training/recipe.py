"""A recipe: everything that decides what a training makes, in one frozen dataclass.

A recipe file is a Python module with a `Recipe` named RECIPE; its docstring states the claim,
the command and the cost. The run folder keeps the fields as JSON. Loading a recipe file runs
it, as any Python script: run only recipes that you trust.
"""

import dataclasses
import json
import runpy
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from mien.data.augmentation import Augmentation
from mien.data.splits import SplitPlan
from mien.errors import MienError, RecipeError


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Raises:
        RecipeError: a value is impossible.
    """

    name: str
    """Name of the recipe, and of the model that it makes."""
    architecture: str
    """Network, a name in the zoo."""
    architecture_options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of its builder."""
    split: SplitPlan = field(default_factory=SplitPlan)
    """Where the validation rows come from; the default takes the data set's own splits."""
    drop_twins: bool = False
    """Leave out training rows that are pixel-identical to a validation or test row."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Random changes of the training pictures."""
    epochs: int = 30
    """Passes over the training rows."""
    batch_size: int = 128
    """Rows per step."""
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    """SGD has Nesterov momentum 0.9."""
    learning_rate: float = 0.1
    """Peak learning rate."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """How the learning rate falls: not at all, or along half a cosine to 0."""
    warmup_epochs: float = 0.0
    """Epochs of linear rise before the schedule."""
    weight_decay: float = 0.0
    """Decoupled decay of the kernels per step, times the learning rate (Keras's definition)."""
    clip_norm: float | None = None
    """Largest global norm of the gradients."""
    label_smoothing: float = 0.0
    """Share of the target spread evenly over the classes."""
    ferplus_weight: float = 0.0
    """Weight of a second head's loss, which learns FER+'s vote distributions from the same
    features; needs ``--ferplus``. The head is not part of the exported network."""
    ema_momentum: float | None = None
    """Keep a moving average of the weights with this momentum and validate and save that."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Arithmetic of the training; the saved weights are float32 in any case."""
    framing: str = "fer2013"
    """How the training faces are framed; detectors have a crop geometry per framing."""
    licence: str = ""
    """Terms of the resulting weights, for the model card."""
    seed: int = 1
    """Seed of the initial weights, the order of the rows and every random layer."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise RecipeError(f"recipe {self.name}: epochs and batch_size must be at least 1")
        if not self.learning_rate > 0 or self.weight_decay < 0:
            raise RecipeError(f"recipe {self.name}: learning_rate must be above 0")
        for name in ("optimizer", "schedule", "precision"):
            allowed = typing.get_args(_annotations()[name])
            if getattr(self, name) not in allowed:
                raise RecipeError(
                    f"recipe {self.name}: {name} must be one of {', '.join(allowed)}, "
                    f"not {getattr(self, name)!r}"
                )
        if self.ema_momentum is not None and not 0 < self.ema_momentum < 1:
            raise RecipeError(f"recipe {self.name}: ema_momentum must lie between 0 and 1")
        if not 0 <= self.label_smoothing < 1 or self.ferplus_weight < 0:
            raise RecipeError(f"recipe {self.name}: label_smoothing must lie in [0, 1)")

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    def check_votes(self, present: bool) -> None:
        """Check that FER+ votes are there where the recipe learns them.

        Raises:
            RecipeError: they are not.
        """
        if self.ferplus_weight and not present:
            raise RecipeError(
                f"recipe {self.name} learns FER+ votes; name their file: --ferplus fer2013new.csv"
            )

    def replace(self, overrides: Sequence[str]) -> "Recipe":
        """A copy with fields set by name, as on the command line.

        Args:
            overrides: ``name=value`` or ``group.name=value``, the value as JSON or a bare word,
                e.g. ``epochs=2``, ``precision=float32``, ``augmentation.rotation_deg=10``.

        Raises:
            RecipeError: a field does not exist or a value is impossible.
        """
        recipe = self
        for override in overrides:
            name, equals, text = override.partition("=")
            if not equals:
                raise RecipeError(f"--set {override}: expected name=value")
            try:
                value = json.loads(text)
            except ValueError:
                value = text
            recipe = _with_field(recipe, name.strip().split("."), value)
        return recipe


def load_recipe(path: Path) -> Recipe:
    """Run a recipe file and return its RECIPE.

    Raises:
        RecipeError: no such file, the file fails, or it has no `Recipe` named RECIPE.
    """
    if not path.is_file():
        raise RecipeError(
            f"no such recipe: {path}; name a Python file such as recipes/plain_cnn.py"
        )
    try:
        module = runpy.run_path(str(path))
    except MienError:
        raise
    except Exception as error:
        raise RecipeError(f"recipe {path} fails: {type(error).__name__}: {error}") from error
    recipe = module.get("RECIPE")
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"recipe {path} has no mien Recipe named RECIPE")
    return recipe


def _annotations() -> dict[str, Any]:
    return typing.get_type_hints(Recipe)


def _with_field(owner: Any, path: list[str], value: Any) -> Any:
    known = [field.name for field in fields(owner)]
    if path[0] not in known:
        raise RecipeError(f"no recipe field {path[0]!r}; known: {', '.join(known)}")
    current = getattr(owner, path[0])
    if len(path) > 1:
        if not dataclasses.is_dataclass(current):
            raise RecipeError(f"recipe field {path[0]!r} has no field {path[1]!r}")
        value = _with_field(current, path[1:], value)
    elif dataclasses.is_dataclass(current):
        raise RecipeError(f"recipe field {path[0]!r} is a group; set its fields by name")
    elif isinstance(current, tuple) and isinstance(value, list):
        value = tuple(value)
    elif not _same_kind(current, value):
        raise RecipeError(f"recipe field {path[0]!r} cannot be {value!r}")
    try:
        return dataclasses.replace(owner, **{path[0]: value})
    except (TypeError, ValueError) as error:
        raise RecipeError(f"recipe field {path[0]!r} cannot be {value!r}: {error}") from error


def _same_kind(current: Any, value: Any) -> bool:
    if current is None or value is None:
        return value is None or isinstance(value, int | float | str)
    if isinstance(current, bool) or isinstance(value, bool):
        return isinstance(current, bool) and isinstance(value, bool)
    if isinstance(current, float):
        return isinstance(value, int | float)
    return isinstance(value, type(current))
