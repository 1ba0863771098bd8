"""Why a network says what it says of a face: maps for photos, and mean maps for a data set."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

import mien
from mien.data import read_samples
from mien.errors import DatasetError, ModelError, SourceError
from mien.explanation.faces import (
    ExplainedFace,
    GradCam,
    MeanMap,
    explain_faces,
    mean_maps,
)
from mien.files import atomic_folder
from mien.formats.reading import Reading
from mien.images import MAX_PIXELS, read_image
from mien.labels import LabelSet
from mien.paths import check_folder
from mien.provenance import commit
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import load_detector
from mien.recognition.recognizer import Recognizer
from mien.recognition.turning import Rotate
from mien.reports.document import Code, Section, Table, to_html, to_markdown
from mien.reports.explanation import (
    EXPLANATION_FILES,
    explanation_json,
    explanation_sections,
    place_words,
)
from mien.reports.wording import code_words, percent
from mien.samples import Image, Split
from mien.spelling import did_you_mean
from mien.workflows.models import OpenModel, open_model
from mien.workflows.progress import Progress
from mien.workflows.trained_split import with_validation

Method = Literal["auto", "occlusion", "grad-cam", "both"]
"""How maps are made; auto: occlusion, and Grad-CAM where the Keras network is there."""

FACES_PER_CLASS = 30
"""Faces of each class in a mean map, where nothing else is said."""

MAX_FACES = 24
"""Faces of photos that are explained and shown, in the order of the photos."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExplainResult:
    """Maps of what speaks for the answers; `mien explain` prints where they point."""

    faces: tuple[ExplainedFace, ...]
    """Every explained face."""
    means: tuple[MeanMap, ...]
    """The mean maps of each class, for a data set; empty for photos."""
    model: str
    """Name in the model's card."""
    model_sha256: str
    """Hash of its file."""
    source: str
    """Where the faces come from."""
    notes: tuple[str, ...] = ()
    """What else a reader must know."""
    command: str = ""
    """The command that makes this again."""

    @property
    def title(self) -> str:
        """Model, source and number of faces in one line."""
        n = len(self.faces)
        return f"{self.model} on {self.source}, {n:,} {'face' if n == 1 else 'faces'}"

    @property
    def lines(self) -> list[str]:
        """Where the strongest place of each map lies, in words."""
        if self.means:
            parts = [(f"{mean.key} ({mean.n} faces)", mean.maps) for mean in self.means]
        else:
            parts = [
                (
                    f"{face.name}: {face.answer} {percent(max(face.probabilities))}, "
                    f"for {face.key}",
                    face.maps,
                )
                for face in self.faces
            ]
        found = [
            f"{name}: {method} strongest {place_words(values)}"
            for name, maps in parts
            for method, values in maps.items()
        ]
        return [*found, *self.notes]

    def __repr__(self) -> str:
        """One line."""
        return f"ExplainResult({self.title})"

    def save(self, folder: str | Path) -> None:
        """Write ``explanation.html``, ``.md``, ``.json`` (with every map) and ``.png``.

        Args:
            folder: where; it may hold an older one, which is replaced, and nothing else.

        Raises:
            OutputError: the folder cannot be written, or holds other files; it is as it was.
            MissingExtraError: matplotlib is not installed.
        """
        faces, means = list(self.faces), list(self.means)
        sections = explanation_sections(faces, means)
        facts = (
            ("model", self.model),
            ("SHA-256 of the model file", self.model_sha256),
            *(("note", note) for note in self.notes),
            ("mien", code_words(mien.__version__, commit())),
        )
        code = (Code(self.command),) if self.command else ()
        sections.append(Section("Made how", (*code, Table(("fact", "value"), facts, 2))))
        values = {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "source": self.source,
            **explanation_json(faces, means),
            "notes": self.notes,
            "command": self.command,
            "mien_version": mien.__version__,
            "commit": commit(),
        }
        plot = next(b for s in sections for b in s.blocks if hasattr(b, "png"))
        texts = {
            "explanation.json": json.dumps(values, allow_nan=False) + "\n",
            "explanation.md": to_markdown("Explanation", self.title, sections),
            "explanation.html": to_html("Explanation", self.title, sections),
        }
        with atomic_folder(Path(folder)) as temporary:
            for name, text in texts.items():
                content = text.encode("utf-8", errors="backslashreplace")
                (temporary / name).write_bytes(content)
            (temporary / "explanation.png").write_bytes(plot.png)


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
) -> ExplainResult:
    """Show what in the faces of photos speaks for an expression.

    Args:
        photos: one or more files.
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

    Raises:
        SourceError, ImageError: a photo cannot be read, or no photo has a face.
        ModelError: as `open_model`; the model has no such class, or Grad-CAM is asked of a model
            that is no Keras network with convolutions.
        DetectorError: the detector is not there.
        OutputError: the folder cannot be written, or holds other files; it is as it was.
        MissingExtraError: Keras or matplotlib is needed and not installed.
    """
    paths = [photos] if isinstance(photos, str | Path) else list(photos)
    opened, classifier, grad_cam = _ready(model, method, reading, out)
    label = None if expression is None else _label(expression, classifier.label_set)
    recognizer = Recognizer(
        classifier, load_detector(detector, offline=offline), rotate=rotate, offline=offline
    )
    crops: list[Image] = []
    names: list[str] = []
    left_out = 0
    for path in paths:
        found = recognizer.search(read_image(path, max_pixels=max_pixels)).crops
        left_out += max(0, len(crops) + len(found) - MAX_FACES)
        for number, crop in enumerate(found[: MAX_FACES - len(crops)], start=1):
            crops.append(np.array(crop))
            names.append(str(path) + (f", face {number}" if len(found) > 1 else ""))
    if not crops:
        where = str(paths[0]) if len(paths) == 1 else f"the {len(paths)} photos"
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
    notes = (f"{left_out} more faces were not explained, at most {MAX_FACES} are.",)
    source = str(paths[0]) if len(paths) == 1 else f"{len(paths)} photos"
    return _saved(
        ExplainResult(
            tuple(explained),
            (),
            classifier.card.name,
            opened.sha256,
            source,
            notes if left_out else (),
            command,
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
        raise DatasetError(f"{data} has no split {measured}; name one that has rows: --split")
    crops, names, labels = [], [], []
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
    return _saved(
        ExplainResult(
            tuple(explained),
            tuple(mean_maps(explained)),
            classifier.card.name,
            opened.sha256,
            f"{measured} of {data}",
            (f"At most {faces_per_class} faces of each class, labelled and classified so.",),
            command,
        ),
        out,
    )


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
