"""Teachers that are asked in every step, about the very crop that the network sees.

A network learns more of its teachers when both see one and the same changed picture, blends of two
faces included, and with precomputed answers it overfits (Beyer et al., "Knowledge distillation: A
good teacher is patient and consistent", 2022, https://arxiv.org/abs/2106.05237). So the teachers
are a layer of the training graph, behind the augmentation. An ``.onnx`` file, 8-bit integers
included, runs in ONNX Runtime on the processor, called from the graph. A Keras file is a network
of the graph itself, frozen, so on a GPU it runs there.

Stored answers (`teachers`) cost less where an epoch has few pictures and a training many epochs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import RecipeError
from mien.model.card import ModelCard
from mien.model.names import find_keras_file, is_known, resolve_model
from mien.model.network import softmax
from mien.preprocessing import InputSpec
from mien.recognition.classifier import Classifier
from mien.samples import Samples
from mien.training.opening import open_network
from mien.training.recipe import Recipe
from mien.training.run_folder import BEST
from mien.training.teacher_layer import Answer, LiveTeachers, Reading
from mien.training.teachers import check_teachers, columns_of, identity
from mien.training.trainable import in_precision

KERAS_SUFFIX = ".keras"
"""Ending of the files of teachers that are networks of the graph."""


def find_teacher(model: str) -> Path:
    """The file of a live teacher that a person means by MODEL.

    The folder of a training stands for its ``model.onnx``; on JAX, or where there is none, for its
    ``best.keras``, which runs where the training does.

    Raises:
        WeightsError: the name is known, but its file is not on this machine.
        ModelError: nothing is called that.
    """
    keras_file = find_keras_file(model)
    if keras_file is not None:
        return keras_file
    folder = Path(model).expanduser()
    network = folder / BEST
    if not is_known(model) and network.is_file():
        has_bundle = (folder / "model.onnx").is_file()
        if keras.backend.backend() == "jax" or not has_bundle:
            return network
    return resolve_model(model)


def live_teachers(
    models: Sequence[Path], samples: Samples, spec: InputSpec, folder: Path, recipe: Recipe
) -> tuple[LiveTeachers, tuple[Any, ...]]:
    """Make the layer that asks teachers, and say who they are.

    Args:
        models: their files, ``.onnx`` or ``.keras``, at least one.
        samples: the rows that train; their labels give the classes in order.
        spec: input of the network that learns.
        folder: the run folder; only read here.
        recipe: temperature, mirror image, and the precision of Keras networks.

    Returns:
        The layer; name and sha256 of each teacher's file.

    Raises:
        RecipeError: a teacher has other classes or another input, was trained on other rows, or
            is named twice.
        ModelError: a teacher's file is damaged.
        TrainingError: the folder's run began with other teachers.
    """
    sha256 = samples.sha256()
    answers: list[Answer] = []
    networks: list[keras.Model] = []
    readings: list[Reading] = []
    who = []
    for path in models:
        if path.suffix.lower() == KERAS_SUFFIX:
            opened = open_network(path)
            card = opened.card
            networks.append(in_precision(opened.network, recipe.precision))
            readings.append(Reading(tuple(columns_of(card, samples, sha256)), card.temperature))
        else:
            classifier = Classifier(path)
            card = classifier.card
            answers.append(_answer(classifier, columns_of(card, samples, sha256)))
        _check_input(card, spec)
        who.append(identity(path, card))
    check_teachers(who, folder)
    layer = LiveTeachers(
        answers,
        networks,
        readings,
        classes=len(samples.label_set),
        temperature=recipe.teacher_temperature,
        mirror=recipe.teacher_mirror,
    )
    return layer, tuple(who)


def _answer(classifier: Classifier, columns: Sequence[int]) -> Answer:
    def answer(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        said = softmax(classifier.logits(pictures), classifier.card.temperature)
        return said[:, columns].astype(np.float32)

    return answer


def _check_input(card: ModelCard, spec: InputSpec) -> None:
    if card.input != spec:
        raise RecipeError(
            f"the teacher {card.name} takes pictures of {_size(card.input)} and the network that "
            f"learns takes {_size(spec)}; live teachers need the same, others teaching=stored"
        )


def _size(spec: InputSpec) -> str:
    return f"{spec.height_px} x {spec.width_px} x {spec.channels}"
