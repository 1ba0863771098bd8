"""Why a network says what it says of a face: maps for photos, and mean maps for a data set."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from mien.data import read_samples
from mien.errors import DatasetError, ModelError, SourceError
from mien.evaluation.predictions import no_rows_words
from mien.explanation.faces import (
    GradCam,
    explain_faces,
    mean_maps,
)
from mien.formats.reading import Reading
from mien.images import MAX_PIXELS, read_image
from mien.labels import LabelSet
from mien.paths import check_folder
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import load_detector
from mien.recognition.recognizer import Recognizer
from mien.recognition.turning import Rotate
from mien.reports.explanation import (
    EXPLANATION_FILES,
)
from mien.reports.wording import counted, shown_names
from mien.samples import Image, Split
from mien.sources.inputs import Picture, find_inputs
from mien.spelling import did_you_mean
from mien.workflows.explained import ExplainResult
from mien.workflows.models import OpenModel, open_model
from mien.workflows.progress import Progress
from mien.workflows.trained_split import with_validation

Method = Literal["auto", "occlusion", "grad-cam", "both"]
"""How maps are made; auto: occlusion, and Grad-CAM where the Keras network is there."""

FACES_PER_CLASS = 30
"""Faces of each class in a mean map, where nothing else is said."""

MAX_FACES = 24
"""Faces of photos that are explained and shown, in the order of the photos."""

_MOST_NAMED = 5


def explain(
    photos: str | Path | Sequence[str | Path],
    *,
    model: str | Path = "default",
    method: Method = "auto",
    expression: str | None = None,
    detector: str = "auto",
    rotate: Rotate = "auto",
    offline: bool = False,
    max_pixels: int = MAX_PIXELS,
    reading: Reading | None = None,
    out: str | Path | None = None,
    command: str = "",
    progress: Progress | None = None,
    on_problem: Callable[[str], None] = lambda line: None,
    on_left_out: Callable[[str], None] = lambda line: None,
) -> ExplainResult:
    """Show what in the faces of photos speaks for an expression.

    A photo that cannot be read does not spoil the others: `ExplainResult.problems` names it.

    Args:
        photos: one or more files, or folders of them.
        model: as in `evaluate`; Grad-CAM needs a Keras file or the folder of a training.
        method: how maps are made.
        expression: key of the class to be explained; of each face its answer where None.
        detector: as in `Recognizer`.
        rotate: as in `Recognizer`.
        offline: never touch the network.
        max_pixels: width times height above which a photo is refused by its header.
        reading: what is said of a Keras file without a card.
        out: folder of the pages; None: none is written.
        command: the command that makes this again.
        progress: called after each face.
        on_problem: called with a line for each photo that cannot be read, as it is met.
        on_left_out: called with a line about each folder, on what in it is no photo.

    Raises:
        SourceError, ImageError: no photo can be read, or none has a face.
        ModelError: as `open_model`; the model has no such class, or Grad-CAM is asked of a model
            that is no Keras network with convolutions.
        DetectorError: the detector is not there.
        OutputError: the folder cannot be written, or holds other files; it is as it was.
        MissingExtraError: Keras or matplotlib is needed and not installed.
    """
    named = [photos] if isinstance(photos, str | Path) else list(photos)
    opened, classifier, grad_cam = _ready(model, method, reading, out)
    label = None if expression is None else _label(expression, classifier.label_set)
    recognizer = Recognizer(
        classifier, load_detector(detector, offline=offline), rotate=rotate, offline=offline
    )
    problems: list[str] = []

    def fail(line: str) -> None:
        problems.append(line)
        on_problem(line)

    paths = _photos(named, fail, on_left_out)
    crops: list[Image] = []
    names: list[str] = []
    unread: list[str] = []
    n_read = left_out = 0
    for path, name in zip(paths, shown_names(list(map(str, paths))), strict=True):
        try:
            image_rgb = read_image(path, max_pixels=max_pixels)
        except SourceError as error:
            if len(named) == len(paths) == 1:
                raise
            fail(str(error))
            unread.append(name)
            continue
        n_read += 1
        found = recognizer.search(image_rgb).crops
        left_out += max(0, len(crops) + len(found) - MAX_FACES)
        for number, crop in enumerate(found[: MAX_FACES - len(crops)], start=1):
            crops.append(np.array(crop))
            names.append(name + (f", face {number}" if len(found) > 1 else ""))
    if not n_read:
        raise SourceError(f"none of {len(paths)} photos can be read; name others")
    if not crops:
        where = str(paths[0]) if len(paths) == 1 else f"the {n_read} photos"
        raise SourceError(
            f"no face was found in {where}; name another photo, or take each for one face with "
            "--detector whole"
        )
    explained = explain_faces(
        classifier,
        crops,
        names,
        labels=[label] * len(crops),
        with_occlusion=method != "grad-cam",
        grad_cam=grad_cam,
        progress=progress,
    )
    notes = []
    if unread:
        more = ", ..." if len(unread) > _MOST_NAMED else ""
        notes.append(
            f"{counted(len(unread), 'photo')} could not be read and "
            f"{'is' if len(unread) == 1 else 'are'} left out: "
            f"{', '.join(unread[:_MOST_NAMED])}{more}"
        )
    if left_out:
        notes.append(f"{left_out} more faces were not explained, at most {MAX_FACES} are.")
    source = str(named[0]) if len(named) == 1 else counted(n_read, "photo")
    return _saved(
        ExplainResult(
            tuple(explained),
            (),
            classifier.card.name,
            opened.sha256,
            source,
            tuple(notes),
            command,
            tuple(problems),
        ),
        out,
    )


def explain_data(
    data: str | Path,
    *,
    model: str | Path = "default",
    method: Method = "auto",
    split: str | Split = Split.VALIDATION,
    faces_per_class: int = FACES_PER_CLASS,
    reading: Reading | None = None,
    out: str | Path | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> ExplainResult:
    """Show what speaks for each class on average over labelled faces.

    Args:
        data: labelled faces.
        model: as in `explain`.
        method: as in `explain`.
        split: the faces that are looked at.
        faces_per_class: at most so many of each class, drawn at random (seed 0) among those that
            are classified as they are labelled.
        reading: what is said of a Keras file without a card.
        out: folder of the pages; None: none is written.
        command: the command that makes this again.
        progress: called after each face.

    Raises:
        SourceError, DatasetError, ImageError: the data cannot be read, the split has no rows, or no
            face is classified as it is labelled.
        ModelError, OutputError, MissingExtraError: as `explain`.
        ValueError: there is no such split.
    """
    measured = Split(split)
    opened, classifier, grad_cam = _ready(model, method, reading, out)
    samples = read_samples(data)
    if measured is Split.VALIDATION:
        samples = with_validation(samples, classifier.card)
    rows = samples.of(measured)
    if not len(rows):
        raise DatasetError(no_rows_words(samples, measured))
    crops, names, labels = [], [], []
    without: list[str] = []
    generator = np.random.default_rng(0)
    for index, label in enumerate(rows.label_set):
        if label.key not in classifier.label_set:
            continue
        wanted = classifier.label_set.index(label.key)
        kept = 0
        for row in generator.permutation(np.flatnonzero(rows.labels == index)).tolist():
            face = rows.images[row]
            if kept < faces_per_class and int(classifier.probabilities([face]).argmax()) == wanted:
                crops.append(face)
                names.append(rows.names[row])
                labels.append(wanted)
                kept += 1
        if not kept:
            without.append(label.key)
    if not crops:
        raise DatasetError(
            f"no face of the {measured} split of {data} is classified as it is labelled; "
            "mien evaluate says more"
        )
    explained = explain_faces(
        classifier,
        crops,
        names,
        labels=labels,
        with_occlusion=method != "grad-cam",
        grad_cam=grad_cam,
        progress=progress,
    )
    notes = [f"At most {faces_per_class} faces of each class, labelled and classified so."]
    if without:
        notes.append(f"Without such a face, and so without a map: {', '.join(without)}.")
    return _saved(
        ExplainResult(
            tuple(explained),
            tuple(mean_maps(explained)),
            classifier.card.name,
            opened.sha256,
            f"{measured} of {data}",
            tuple(notes),
            command,
        ),
        out,
    )


def _photos(
    named: Sequence[str | Path],
    on_problem: Callable[[str], None],
    on_left_out: Callable[[str], None],
) -> list[Path]:
    """The photos that were named, those of folders among them; videos are none."""
    paths: list[Path] = []
    for one in map(Path, named):
        if not one.is_dir():
            paths.append(one)
            continue
        inputs = find_inputs(str(one), on_left_out=on_left_out, on_failure=on_problem)
        found = [item.path for item in inputs if isinstance(item, Picture)]
        n_videos = len(inputs) - len(found)
        if n_videos:
            on_left_out(f"{one}: {counted(n_videos, 'video')} left out; photos are explained")
        paths += found
    if not paths:
        raise SourceError(f"there is no photo in {named[0]}; name a folder of photos, or photos")
    return paths


def _ready(
    model: str | Path, method: Method, reading: Reading | None, out: str | Path | None
) -> tuple[OpenModel, Classifier, GradCam | None]:
    """The opened model, what classifies, and what makes Grad-CAM maps where those are wanted."""
    if out is not None:
        check_folder(Path(out), EXPLANATION_FILES)
    opened = open_model(model, reading)
    network = opened.network
    wants = method in ("grad-cam", "both") or (method == "auto" and network is not None)
    if wants and network is None:
        raise ModelError(
            f"{opened.path} is an ONNX file, which has no gradients for Grad-CAM; name the folder "
            "of its training or its .keras file, or use --method occlusion"
        )
    if not wants:
        return opened, opened.classifier(), None
    from mien.explanation.grad_cam import grad_cam

    return opened, opened.classifier(), partial(grad_cam, network)


def _label(expression: str, label_set: LabelSet) -> int:
    if expression not in label_set:
        near = did_you_mean(expression, label_set.keys) or f"it has {', '.join(label_set.keys)}"
        raise ModelError(f"the model has no class {expression!r}; {near}")
    return label_set.index(expression)


def _saved(result: ExplainResult, out: str | Path | None) -> ExplainResult:
    if out is not None:
        result.save(out)
    return result
