"""The temperature of a training's network, fitted on the rows that chose its epoch.

It is fitted once, at the end of a training, by the Keras network itself, so it is there on every
backend, and kept in the run folder: every later export puts it into its card. Training rows are
classified with more confidence than new ones, and test rows choose nothing, so only validation rows
are used. Where they are too few, the temperature stays 1 and the file says why.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.broken_text import from_json
from mien.errors import CalibrationError, ModelError, TrainingError
from mien.evaluation import calibration
from mien.evaluation.predictions import predict
from mien.files import write_text
from mien.formats.bundle import logits_of
from mien.formats.keras_files import load_network
from mien.model.card import Calibration
from mien.model.network import softmax
from mien.preprocessing import InputSpec, to_network_input
from mien.samples import Image, Samples, Split
from mien.training.run_folder import BEST

CALIBRATION = "calibration.json"
"""Name of the file in the run folder."""


@dataclass(frozen=True, slots=True)
class RunTemperature:
    """What a run folder says of its network's temperature."""

    temperature: float = 1.0
    """What the logits are divided by."""
    calibration: Calibration | None = None
    """How it was fitted; None where it was not."""
    reason: str = ""
    """Why it was not fitted."""


def calibrate_run(run: Path, validation: Samples) -> RunTemperature:
    """Fit the temperature of a run's best network and write ``calibration.json``.

    Args:
        run: the run folder, with its ``best.keras``.
        validation: the rows that chose the epoch.

    Returns:
        What was written.

    Raises:
        ModelError: best.keras is damaged.
        SourceError, DatasetError: a picture in a file is damaged, refused or gone.
        OutputError: the file cannot be written.
    """
    fitted = _fitted(run, validation)
    write_text(run / CALIBRATION, json.dumps(asdict(fitted), indent=1) + "\n")
    return fitted


def read_calibration(run: Path) -> RunTemperature:
    """What ``calibration.json`` of a run folder says; temperature 1 where there is none.

    Raises:
        TrainingError: the file is damaged.
    """
    path = run / CALIBRATION
    try:
        values = from_json(path.read_text(encoding="utf-8"))
        stored = values["calibration"]
        return RunTemperature(
            float(values["temperature"]),
            None if stored is None else Calibration(**stored),
            str(values["reason"]),
        )
    except FileNotFoundError:
        return RunTemperature()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TrainingError(
            f"{path} is damaged; resume the training to make it again, or delete it and use: "
            "mien calibrate"
        ) from error


def _fitted(run: Path, validation: Samples) -> RunTemperature:
    network = load_network(run / BEST)
    spec = InputSpec(*network.input_shape[1:])

    def probabilities_of(faces: Iterable[Image]) -> NDArray[np.float64]:
        return softmax(logits_of(network, to_network_input(list(faces), spec)))

    try:
        fit = calibration.fit(predict(probabilities_of, validation, Split.VALIDATION))
    except (CalibrationError, ModelError) as error:  # of outputs that are no numbers, too
        return RunTemperature(reason=str(error))
    record = fit.record(validation.source, Split.VALIDATION.value, validation.sha256())
    return RunTemperature(fit.temperature, record)
