"""What a model file says of itself: the JSON that travels in the ONNX file's metadata.

The card makes a bundle self-contained: whoever holds the one ``.onnx`` file knows the labels in
order, the input, the crop of the faces, what chose the weights, and how good they are with
which interval. Three golden inputs, made by arithmetic so that no picture is shipped, have their
expected probabilities in the card; a classifier re-checks them on load.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.broken_text import from_json
from mien.errors import ModelError
from mien.former_names import renamed
from mien.labels import RESERVED, LabelSet, is_reserved, label_set_of
from mien.model.evidence import Evidence, evidence_of
from mien.preprocessing import InputSpec

FORMAT_VERSION = 1
"""Raised when an older mien could misread a newer card."""

METADATA_KEY = "mien.card"
"""Key of the card in the ONNX file's metadata properties."""

GOLDEN_TOLERANCE = {"float32": 1e-3, "int8": 3e-2}
"""Largest allowed difference of a golden probability, by precision: kernels differ between
processors, and a value that is rounded the other way is one of 255 steps off."""


@dataclass(frozen=True, slots=True)
class Score:
    """One measured result, with everything needed to measure it again."""

    split: str
    """Split that was measured, as the data set calls it, e.g. ``FER-2013 PublicTest``."""
    n: int
    """Rows."""
    accuracy: float
    """Top-1 accuracy in [0, 1]."""
    accuracy_ci95: tuple[float, float]
    """95 % interval by bootstrap over rows."""
    accuracy_unseen: float | None
    """Accuracy on the rows without a pixel-identical duplicate in the training split."""
    n_seen_duplicates: int | None
    """Rows with such a duplicate."""
    macro_f1: float
    """Unweighted mean of the classes' F1."""
    ece: float | None
    """Expected calibration error, 15 bins; None where the temperature was changed afterwards."""
    tta: str
    """Test-time augmentation; ``none`` where there was none."""
    data_sha256: str
    """Hash of the measured rows (`Samples.sha256`)."""
    command: str
    """The command that measured it."""
    commit: str
    """Commit of mien that measured it."""

    @property
    def against(self) -> str:
        """Whose labels these are, where they are not the data's own; empty otherwise."""
        votes = "--ferplus" in self.command.split()
        return "against the majority of FER+'s annotators" if votes else ""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a temperature was fitted, and what it did to these very rows.

    Raises:
        ValueError: a number is none.
    """

    method: str
    """What was minimised."""
    source: str
    """Where the rows come from, without folders, e.g. ``fer2013.csv``."""
    split: str
    """Split that it was fitted on; never ``train`` or ``test``."""
    n: int
    """Rows."""
    data_sha256: str
    """Hash of the rows (`Samples.sha256`)."""
    nll_before: float
    """Mean negative log-likelihood at temperature 1, in nats."""
    nll_after: float
    """The same at the fitted temperature."""
    ece_before: float
    """Expected calibration error at temperature 1, 15 bins."""
    ece_after: float
    """The same at the fitted temperature: too good by a little, as it saw the rows."""
    ece_cross_fitted: float
    """The same, where each row's temperature was fitted without it."""
    commit: str = ""
    """Commit of mien that fitted it."""

    def __post_init__(self) -> None:
        numbers = [self.nll_before, self.nll_after]
        numbers += [self.ece_before, self.ece_after, self.ece_cross_fitted]
        if type(self.n) is not int or not all(
            isinstance(number, int | float) and math.isfinite(number) for number in numbers
        ):
            raise ValueError("a calibration's rows, NLL and ECE must be numbers")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything that must travel with a network.

    Raises:
        ModelError: a field contradicts another.
    """

    name: str
    """Name of the model, e.g. ``mien-small``."""
    architecture: str
    """Name in the zoo."""
    labels: tuple[str, ...]
    """Label keys, in the order of the network's outputs."""
    input_shape: tuple[int, int, int]
    """Height, width, channels of the input; values 0..255."""
    framing: str
    """Name of the crop of the training faces; detectors have a `CropGeometry` for each name."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The recipe's fields."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Per split: rows and hash (`Samples.sha256`)."""
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """Which epoch was kept, by which metric on which split, with which value."""
    scores: tuple[Score, ...] = ()
    """Measured results."""
    precision: str = "float32"
    """What the network computes in: a key of `GOLDEN_TOLERANCE`."""
    temperature: float = 1.0
    """Logits are divided by it before the softmax."""
    calibration: Calibration | None = None
    """How the temperature was fitted; None where it was not. Absent from the JSON where None."""
    evidence: tuple[Evidence, ...] = ()
    """What was found out beyond the scores: groups, other faces, faults. Absent from the JSON
    where there is none."""
    licence: str = ""
    """Terms of the weights."""
    commit: str = ""
    """Commit of mien that trained the network."""
    golden: tuple[tuple[float, ...], ...] = ()
    """Probabilities for the three golden inputs, at temperature 1."""
    format_version: int = FORMAT_VERSION
    """Version of this layout."""

    def __post_init__(self) -> None:
        _check_version(self.format_version)
        if len(set(self.labels)) != len(self.labels) or len(self.labels) < 2:
            raise ModelError(f"the card's labels {self.labels} are not distinct classes")
        if any(is_reserved(key) for key in self.labels):
            raise ModelError(RESERVED)
        if self.precision not in GOLDEN_TOLERANCE:
            raise ModelError(
                f"the card's precision {self.precision!r} is none of {', '.join(GOLDEN_TOLERANCE)}"
            )
        if not 0 < self.temperature < math.inf:
            raise ModelError(f"the card's temperature {self.temperature} is not a number above 0")
        if any(len(row) != len(self.labels) for row in self.golden):
            raise ModelError("the card's golden probabilities do not fit its labels")
        try:
            _ = self.input
        except ValueError as error:
            raise ModelError(f"the card's input shape is impossible: {error}") from error

    @property
    def input(self) -> InputSpec:
        """What the network takes."""
        return InputSpec(*self.input_shape)

    @property
    def label_set(self) -> LabelSet:
        """The classes, in the order of the outputs."""
        return label_set_of(self.labels)

    def split_with_hash(self, sha256: str) -> str | None:
        """The split that the card, or that of an ensemble's member, knows by this hash of its rows;
        None where none does."""
        members = [member.get("data", {}) for member in self.recipe.get("members", ())]
        for data in (self.data, *members):
            for name, facts in data.items():
                if isinstance(facts, Mapping) and sha256 in facts.values():
                    return str(name)
        return None

    def calibrated(self, temperature: float, calibration: Calibration | None) -> "ModelCard":
        """The card of the same network at another temperature.

        Scores stay true as far as a temperature leaves them alone: a face's most probable class
        stays the same, how sure the network is of it does not. So their calibration error goes,
        and scores of averaged probabilities, where the class may change too, go altogether.
        """
        scores = self.scores
        if temperature != self.temperature:
            scores = tuple(replace(score, ece=None) for score in scores if score.tta == "none")
        return replace(self, temperature=temperature, calibration=calibration, scores=scores)

    def to_json(self) -> str:
        """The card as JSON, keys sorted."""
        values = asdict(self)
        if self.calibration is None:
            # A mien that knows no calibration then reads the card, too.
            del values["calibration"]
        del values["evidence"]
        if self.evidence:
            values["evidence"] = [each.as_dict() for each in self.evidence]
        return json.dumps(values, sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read a card.

        Raises:
            ModelError: the text is not a card, or contradicts itself.
        """
        try:
            values = from_json(text)
            if not isinstance(values, dict):
                raise TypeError("not an object")
            _check_version(values.get("format_version", FORMAT_VERSION))
            unknown = set(values) - {field.name for field in fields(cls)}
            if unknown:
                raise TypeError(f"unknown field {sorted(unknown)[0]}")
            values["labels"] = tuple(values["labels"])
            values["input_shape"] = tuple(values["input_shape"])
            values["golden"] = tuple(tuple(row) for row in values.get("golden", ()))
            values["scores"] = tuple(
                Score(**{**renamed(score), "accuracy_ci95": tuple(score["accuracy_ci95"])})
                for score in values.get("scores", ())
            )
            if values.get("calibration") is not None:
                values["calibration"] = Calibration(**values["calibration"])
            values["evidence"] = tuple(evidence_of(each) for each in values.get("evidence", ()))
            return cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"the model's card is damaged: {error}") from error


def _check_version(version: int) -> None:
    # First of all: newer cards may differ in everything else.
    if version > FORMAT_VERSION:
        raise ModelError(
            f"card format {version} is newer than this mien reads ({FORMAT_VERSION}); update mien"
        )


def golden_inputs(spec: InputSpec) -> NDArray[np.uint8]:
    """Three test pictures made by integer arithmetic, alike on every machine.

    A diagonal ramp, a checkerboard of 8-pixel fields under a ramp, and rings around the centre.

    Args:
        spec: what the network takes.

    Returns:
        uint8 (3, height, width, channels).
    """
    y, x = np.mgrid[0 : spec.height_px, 0 : spec.width_px]
    ramp = (x + y) * 255 // max(1, spec.height_px + spec.width_px - 2)
    checks = 64 * ((x // 8 + y // 8) % 2) + x * 191 // max(1, spec.width_px - 1)
    rings = ((2 * x - spec.width_px) ** 2 + (2 * y - spec.height_px) ** 2) // 16 % 256
    grey = np.stack([ramp, checks, rings]).astype(np.uint8)
    return np.repeat(grey[..., np.newaxis], spec.channels, axis=3)
