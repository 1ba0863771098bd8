"""Explained faces: what a network saw of a face, what it answered, and maps of why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.explanation.occlusion import occlusion_map
from mien.labels import LabelSet
from mien.model.network import softmax
from mien.preprocessing import to_network_input
from mien.recognition.classifier import Classifier
from mien.samples import Image

OCCLUSION, GRAD_CAM = "occlusion", "Grad-CAM"
"""The methods, as they are called in reports."""

GradCam = Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float64]]
"""Network input (n, h, w, c) and classes (n,) to maps (n, h, w)."""


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedFace:
    """One face and what speaks for one answer."""

    name: str
    """Where it comes from."""
    seen: Image
    """What the network saw, uint8 (h, w) or (h, w, 3)."""
    probabilities: tuple[float, ...]
    """Of all classes, in the label set's order."""
    label: int
    """Index of the explained class."""
    maps: Mapping[str, NDArray[np.float64]]
    """By method, (h, w); see `mien.explanation.occlusion` and `.grad_cam` for the units."""
    label_set: LabelSet
    """The classes."""

    @property
    def key(self) -> str:
        """Key of the explained class."""
        return self.label_set[self.label].key

    @property
    def answer(self) -> str:
        """Key of the most probable class."""
        return self.label_set[int(np.argmax(self.probabilities))].key


@dataclass(frozen=True, slots=True, eq=False)
class MeanMap:
    """What speaks for one class on average over its faces."""

    key: str
    """Key of the class."""
    n: int
    """Faces."""
    mean_face: NDArray[np.float64]
    """Their mean, (h, w) or (h, w, 3), values 0..255."""
    maps: Mapping[str, NDArray[np.float64]]
    """Mean maps by method, (h, w)."""


def explain_faces(
    classifier: Classifier,
    crops: Sequence[Image],
    names: Sequence[str],
    *,
    labels: Sequence[int | None],
    with_occlusion: bool = True,
    grad_cam: GradCam | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[ExplainedFace]:
    """Explain faces.

    Args:
        classifier: the network.
        crops: cropped faces, uint8 (H, W, 3) or (H, W) each.
        names: where each comes from.
        labels: class to be explained of each; the most probable one where None.
        with_occlusion: make occlusion maps.
        grad_cam: makes Grad-CAM maps; none are made where None.
        progress: called after each face.
    """
    explained = []
    for index, (crop, name, wanted) in enumerate(zip(crops, names, labels, strict=True)):
        face = to_network_input([crop], classifier.card.input)
        logits = classifier.logits(face)
        label = int(logits[0].argmax()) if wanted is None else wanted
        maps = {}
        if with_occlusion:
            maps[OCCLUSION] = occlusion_map(classifier.logits, face[0], label)
        if grad_cam is not None:
            maps[GRAD_CAM] = grad_cam(face, np.array([label]))[0]
        seen = face[0].astype(np.uint8)
        explained.append(
            ExplainedFace(
                name=name,
                seen=seen[..., 0] if seen.shape[-1] == 1 else seen,
                probabilities=tuple(softmax(logits, classifier.card.temperature)[0].tolist()),
                label=label,
                maps=maps,
                label_set=classifier.label_set,
            )
        )
        if progress is not None:
            progress(index + 1, len(crops))
    return explained


def mean_maps(faces: Sequence[ExplainedFace]) -> list[MeanMap]:
    """The mean map of each explained class, in the label set's order."""
    means = []
    for label in sorted({face.label for face in faces}):
        of_class = [face for face in faces if face.label == label]
        means.append(
            MeanMap(
                key=of_class[0].key,
                n=len(of_class),
                mean_face=np.mean([face.seen for face in of_class], axis=0),
                maps={
                    method: np.mean([face.maps[method] for face in of_class], axis=0)
                    for method in of_class[0].maps
                },
            )
        )
    return means
