"""A recipe: everything that decides what a training makes, in one frozen dataclass.

A recipe file is a Python module with a `Recipe` named RECIPE; its docstring states the claim,
the command and the cost. The run folder keeps the fields as JSON. Loading a recipe file runs
it, as any Python script: run only recipes that you trust.
"""

import json
import math
import runpy
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mien.data.augmentation import Augmentation
from mien.data.splits import SplitPlan
from mien.errors import MienError, RecipeError
from mien.finding import look_at
from mien.spelling import nearest
from mien.training.monitors import Checkpoint, EarlyStopping, ReduceOnPlateau
from mien.training.overrides import with_overrides
from mien.training.phases import Phase


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
    input_size_px: int | None = None
    """Height and width of the network's input; the architecture's own where None."""
    pretrained: str = "none"
    """Weights of the backbone to start from: ``none``, ``imagenet``, or a file."""
    split: SplitPlan = field(default_factory=SplitPlan)
    """Where the validation rows come from; the default takes the data set's own, and where it
    has none a tenth of each training class."""
    drop_duplicates: bool = False
    """Leave out training rows that are pixel-identical to a validation or test row."""
    drop_validation_duplicates: bool = False
    """Leave out validation rows that are pixel-identical to a training row, so that nothing is
    chosen by what was memorised."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Random changes of the training pictures."""
    class_weights: Literal["none", "balanced"] = "none"
    """``balanced``: rows weigh inversely to their class's frequency, with a mean of 1."""
    epochs: int = 30
    """Passes over the training rows, in each phase that has no number of its own."""
    phases: tuple[Phase, ...] = ()
    """Parts of the training, one after the other; none: one part in which every layer learns."""
    batch_size: int = 128
    """Rows per step."""
    optimizer: Literal["sgd", "adam", "adamw", "muon"] = "sgd"
    """SGD has Nesterov momentum 0.9; ``muon`` is SGD with orthogonal steps of convolutions (see
    `training.muon`), for networks with a normalisation behind each."""
    learning_rate: float = 0.1
    """Peak learning rate."""
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    """How the learning rate falls in each phase: not at all, along half a cosine to 0, or by
    ``step_factor`` at the ``step_epochs``."""
    step_epochs: tuple[float, ...] = ()
    """Epochs of a phase after which the rate falls; of the schedule ``step`` alone."""
    step_factor: float = 0.1
    """The rate is multiplied by it each time."""
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
    teacher_weight: float = 0.0
    """Share of each target that is what teachers say of the face instead of its label (see
    `training.teachers`); needs ``--teacher``."""
    teaching: Literal["stored", "live"] = "stored"
    """When teachers are asked: ``stored``, once before the training; or ``live``, in every step,
    about the very crop that the network sees (see `training.live_teachers`)."""
    teacher_temperature: float = 1.0
    """Both teachers' and network's distributions are softened by it where they are compared
    (Hinton et al., 2015); above 0, other than 1 only with live teachers."""
    teacher_mirror: bool = True
    """Ask about the mirror image of each picture too, and learn the mean."""
    teacher_views: int = 0
    """Fixed variants of every training face, rotated, sheared, zoomed and shifted within the
    augmentation's ranges, that teachers are asked about and that the epochs show in turn (see
    `training.views`). 0: they are asked about the face and its mirror image, and every epoch
    changes the faces anew."""
    teacher_mixup: float = 0.0
    """Share of each view's pictures that are a blend of two faces, at least half of it the row's
    own. Teachers are asked about the blend; labels and votes are blended like the pictures."""
    unlabelled_share: float = 0.0
    """Share of every batch that is faces without labels, of which only live teachers speak; needs
    ``--unlabelled``. An epoch is one pass over the labelled rows all the same."""
    unlabelled_credit: str = ""
    """Who made the unlabelled faces, and their licence, for the model card."""
    ema_momentum: float | None = None
    """Keep a moving average of the weights with this momentum and validate and save that."""
    start_share: float = 0.0
    """Every weight that is validated and saved is this share of its value at the start, and for the
    rest what was learned (Wortsman et al., 2022, see `callbacks.KeptWeights`). Above 0 it needs a
    file in ``pretrained`` that holds the whole network."""
    early_stopping: EarlyStopping | None = None
    """When a phase ends before its last epoch; None: never."""
    reduce_on_plateau: ReduceOnPlateau | None = None
    """When the learning rate falls for want of progress; only with a constant schedule."""
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    """Which epochs' networks are kept."""
    tensorboard: bool = True
    """Write TensorBoard's event files, where TensorBoard is installed."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Arithmetic of the training; the saved weights are float32 in any case."""
    framing: str = "fer2013"
    """How the training faces are framed; detectors have a crop geometry per framing."""
    licence: str = ""
    """Terms of the resulting weights, for the model card."""
    seed: int = 1
    """Seed of the initial weights, the order of the rows and every random layer."""

    def __post_init__(self) -> None:
        for name, value in _numbers(asdict(self)):
            if not math.isfinite(value):
                raise RecipeError(f"recipe {self.name}: {name} must be a finite number")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise RecipeError(f"recipe {self.name}: {name} must be at least 1")
        if not self.learning_rate > 0:
            raise RecipeError(f"recipe {self.name}: learning_rate must be above 0")
        for name in ("optimizer", "schedule", "precision", "class_weights", "teaching"):
            allowed = typing.get_args(_annotations()[name])
            if getattr(self, name) not in allowed:
                raise RecipeError(
                    f"recipe {self.name}: {name} must be one of {', '.join(allowed)}, "
                    f"not {getattr(self, name)!r}"
                )
        if self.ema_momentum is not None and not 0 < self.ema_momentum < 1:
            raise RecipeError(f"recipe {self.name}: ema_momentum must lie between 0 and 1")
        if not 0 <= self.label_smoothing < 1:
            raise RecipeError(f"recipe {self.name}: label_smoothing must lie in [0, 1)")
        for name in ("weight_decay", "warmup_epochs", "ferplus_weight"):
            if not getattr(self, name) >= 0:
                raise RecipeError(f"recipe {self.name}: {name} must not be below 0")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise RecipeError(f"recipe {self.name}: clip_norm must be above 0")
        if not 0 <= self.teacher_weight <= 1:
            raise RecipeError(f"recipe {self.name}: teacher_weight must lie in [0, 1]")
        if self.teacher_views < 0:
            raise RecipeError(f"recipe {self.name}: teacher_views must be at least 0")
        if self.teacher_views and not self.teacher_weight:
            raise RecipeError(
                f"recipe {self.name} has no teacher_weight; set teacher_views to 0, too"
            )
        if not 0 <= self.teacher_mixup <= 1 or (self.teacher_mixup and not self.teacher_views):
            raise RecipeError(
                f"recipe {self.name}: teacher_mixup must lie in [0, 1], and needs teacher_views"
            )
        self._check_live()
        if not 0 <= self.start_share < 1:
            raise RecipeError(f"recipe {self.name}: start_share must be at least 0 and below 1")
        if self.input_size_px is not None and self.input_size_px < 1:
            raise RecipeError(f"recipe {self.name}: input_size_px must be at least 1")
        if (self.schedule == "step") != bool(self.step_epochs):
            raise RecipeError(
                f"recipe {self.name}: the schedule step goes with step_epochs, and no other does"
            )
        if not 0 < self.step_factor < 1:
            raise RecipeError(f"recipe {self.name}: step_factor must lie between 0 and 1")
        if self.reduce_on_plateau and (self.schedule != "constant" or self.warmup_epochs):
            raise RecipeError(
                f"recipe {self.name}: reduce_on_plateau needs the constant schedule, no warm-up"
            )

    def _check_live(self) -> None:
        """Check the fields that go with live teachers."""
        live = self.teaching == "live"
        if live and not self.teacher_weight:
            raise RecipeError(
                f"recipe {self.name} has no teacher_weight; set teaching to stored, too"
            )
        if live and self.teacher_views:
            raise RecipeError(
                f"recipe {self.name}: live teachers see every picture anew; set teacher_views and "
                "teacher_mixup to 0 (augmentation.mixup_alpha blends faces for both)"
            )
        if not self.teacher_temperature > 0 or (self.teacher_temperature != 1 and not live):
            raise RecipeError(
                f"recipe {self.name}: teacher_temperature must be above 0, and other than 1 only "
                "with teaching=live"
            )
        if not 0 <= self.unlabelled_share < 1 or (self.unlabelled_share and not live):
            raise RecipeError(
                f"recipe {self.name}: unlabelled_share must lie in [0, 1), and needs teaching=live"
            )

    @property
    def is_live(self) -> bool:
        """Whether teachers are asked in every step."""
        return self.teaching == "live"

    @property
    def plan(self) -> tuple[Phase, ...]:
        """The phases with their epochs and rates filled in; at least one."""
        return tuple(
            replace(
                phase,
                epochs=phase.epochs or self.epochs,
                learning_rate=phase.learning_rate or self.learning_rate,
            )
            for phase in self.phases or (Phase(),)
        )

    @property
    def drawn_augmentation(self) -> Augmentation:
        """What is drawn anew for every picture of every epoch."""
        return self.augmentation.without_warp if self.teacher_views else self.augmentation

    @property
    def total_epochs(self) -> int:
        """Epochs of all phases, if none ends early."""
        return sum(phase.epochs or 0 for phase in self.plan)

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
                f"recipe {self.name} learns FER+ votes; name their file: --ferplus fer2013new.csv, "
                "or --set ferplus_weight=0"
            )

    def check_teachers(self, number: int) -> None:
        """Check that there are teachers where the recipe learns from them, and only there.

        Raises:
            RecipeError: there are none, or there are and it does not.
        """
        if self.teacher_weight and not number:
            raise RecipeError(
                f"recipe {self.name} learns from teachers; name them: --teacher MODEL"
            )
        if number and not self.teacher_weight:
            raise RecipeError(
                f"recipe {self.name} does not learn from teachers; leave out --teacher, or "
                "--set teacher_weight=0.5"
            )

    def check_unlabelled(self, number: int) -> None:
        """Check that there are faces without labels where the recipe wants some, and only there.

        Raises:
            RecipeError: there are none, or there are and it does not.
        """
        if self.unlabelled_share and not number:
            raise RecipeError(
                f"recipe {self.name} learns from faces without labels; name them: "
                "--unlabelled SRC, or --set unlabelled_share=0"
            )
        if number and not self.unlabelled_share:
            raise RecipeError(
                f"recipe {self.name} does not learn from faces without labels; leave out "
                "--unlabelled, or --set unlabelled_share=0.25"
            )

    def replace(self, overrides: Sequence[str]) -> "Recipe":
        """A copy with fields set by name, as on the command line.

        Args:
            overrides: ``name=value`` or ``group.name=value``, the value as JSON or a bare word,
                e.g. ``epochs=2``, ``augmentation.rotation_deg=10``, ``phases.1.epochs=3``,
                ``early_stopping.patience=5``, ``early_stopping=null``.

        Raises:
            RecipeError: a field does not exist or a value is impossible.
        """
        changed: Recipe = with_overrides(self, overrides)
        return changed


def load_recipe(path: Path) -> Recipe:
    """Run a recipe file and return its RECIPE.

    Raises:
        RecipeError: no such file, the file fails, or it has no `Recipe` named RECIPE.
    """
    if look_at(path) != "file":
        stems = {other.stem: other for other in sorted(path.parent.glob("*.py"))}
        near = [str(stems[stem]) for stem in nearest(path.stem, list(stems), most=1)]
        there = (
            f"did you mean {near[0]}?"
            if near
            else "name a Python file such as recipes/plain_cnn.py"
        )
        raise RecipeError(f"no such recipe: {path}; {there}")
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


def _numbers(values: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number that has a fraction, with the name of its field, inner ones after a dot."""
    if isinstance(values, float):
        yield name, values
    elif isinstance(values, Mapping):
        for key, value in values.items():
            yield from _numbers(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _numbers(value, name)


def _annotations() -> dict[str, Any]:
    return typing.get_type_hints(Recipe)
