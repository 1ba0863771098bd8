"""What other networks say of the training faces, to be learned beside the labels.

Knowledge distillation (Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network",
2015, https://arxiv.org/abs/1503.02531) with targets that are computed once. `live_teachers` asks
anew about every changed picture, which costs a forward pass of each teacher per step. The targets
are the mean of the teachers' probabilities for a picture and its mirror image: each of the
recipe's views (`training.views`) or, where it has none, each face.

Teachers must have been trained on the very rows that the student trains on. Others may have seen
its validation faces, and would tell it their labels.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.broken_text import from_json
from mien.errors import RecipeError, TrainingError
from mien.files import atomic_file, write_text
from mien.model.card import ModelCard
from mien.recognition.classifier import Classifier
from mien.samples import Samples
from mien.training.views import Views
from mien.tta import averaged

TEACHERS = "teachers.json"
"""File of a run folder: name and hash of each teacher."""

TARGETS = "teachers.npy"
"""File of a run folder: what they said, float32; a resumed run reads it."""

_BATCH = 256


@dataclass(frozen=True, slots=True, eq=False)
class Teaching:
    """What the teachers say, and who they are."""

    targets: NDArray[np.float32]
    """Mean probabilities per training row, (n, classes), or per row of each view,
    (views, n, classes), in the order of the samples' labels."""
    teachers: tuple[Mapping[str, str], ...]
    """Name and sha256 of each teacher's file."""


def consult(
    models: Sequence[Path],
    samples: Samples,
    folder: Path,
    views: Views | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    mirror: bool = True,
) -> Teaching:
    """Ask teachers about training faces, or read what they said when this run began.

    Args:
        models: the teachers' ``.onnx`` files, at least one.
        samples: the rows that train.
        folder: the run folder; only read here.
        views: variants of the rows to ask about in place of them.
        progress: called with (faces done, faces in all) after each batch.
        mirror: whether to ask about mirror images too.

    Raises:
        RecipeError: a teacher has other classes, was trained on other rows, or is named twice.
        ModelError: a teacher's file is damaged.
        TrainingError: the folder's run began with other teachers, or its file is damaged.
    """
    teachers = tuple(identity(path, Classifier(path).card) for path in models)
    check_teachers(teachers, folder)
    shape = (len(samples), len(samples.label_set))
    stored = _stored(folder, shape if views is None else (len(views), *shape))
    if stored is not None:
        return Teaching(stored, teachers)
    classifiers = [Classifier(path) for path in models]
    sha256 = samples.sha256()
    columns = [columns_of(each.card, samples, sha256) for each in classifiers]
    # With views, one view of all rows after the other.
    pictures = samples.images if views is None else _as_faces(views.pictures)
    total = np.zeros((len(pictures), shape[1]), np.float32)
    for start in range(0, len(pictures), _BATCH):
        rows = range(start, min(start + _BATCH, len(pictures)))
        faces = [pictures[row] for row in rows]
        for classifier, order in zip(classifiers, columns, strict=True):
            said = averaged(classifier.probabilities, faces, "flip" if mirror else "none")
            total[rows.start : rows.stop] += said[:, order] / len(classifiers)
        if progress is not None:
            progress(rows.stop, len(pictures))
    return Teaching(total if views is None else total.reshape(-1, *shape), teachers)


def write_teaching(folder: Path, teaching: Teaching) -> None:
    """Write ``teachers.npy`` and ``teachers.json``.

    Raises:
        OutputError: the folder cannot be written.
    """
    with atomic_file(folder / TARGETS) as temporary, temporary.open("wb") as file:
        np.save(file, teaching.targets, allow_pickle=False)
    # Last: whoever finds it finds the targets, too.
    write_teachers(folder, teaching.teachers)


def write_teachers(folder: Path, teachers: Sequence[Mapping[str, str]]) -> None:
    """Write ``teachers.json``.

    Raises:
        OutputError: the folder cannot be written.
    """
    text = json.dumps([dict(each) for each in teachers], indent=1)
    write_text(folder / TEACHERS, text + "\n")


def read_teachers(folder: Path) -> list[dict[str, str]]:
    """Name and hash of the teachers of a run; none where it has none.

    Raises:
        TrainingError: the file is damaged.
    """
    path = folder / TEACHERS
    if not path.is_file():
        return []
    try:
        stored = from_json(path.read_text(encoding="utf-8"))
        return [{"name": str(each["name"]), "sha256": str(each["sha256"])} for each in stored]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TrainingError(f"{path} is damaged; start again in another folder") from error


def identity(path: Path, card: ModelCard) -> Mapping[str, str]:
    """Name and hash of a teacher's file."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"name": card.name, "sha256": sha256}


def check_teachers(teachers: Sequence[Mapping[str, str]], folder: Path) -> None:
    """Check that each teacher is named once and that a run's are those that it began with.

    Args:
        teachers: what `identity` says of each.
        folder: the run folder; may be new.

    Raises:
        RecipeError: one is named twice.
        TrainingError: the folder's run began with others.
    """
    if len({each["sha256"] for each in teachers}) < len(teachers):
        raise RecipeError("a teacher is named twice; name each once")
    known = read_teachers(folder)
    if known and known != [dict(each) for each in teachers]:
        names = ", ".join(f"{each['name']}, SHA-256 {each['sha256'][:8]}..." for each in known)
        raise TrainingError(
            f"the training in {folder} began with other teachers, or their files were changed "
            f"({names}); resume with the same, or name another folder"
        )


def _stored(folder: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    if not read_teachers(folder):
        return None
    try:
        targets = np.load(folder / TARGETS, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise TrainingError(
            f"{folder / TARGETS} is missing or damaged; start again in another folder"
        ) from error
    if targets.shape != shape or targets.dtype != np.float32:
        raise TrainingError(f"{folder / TARGETS} is of other faces; start again in another folder")
    return np.asarray(targets)


def _as_faces(views: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey (views * n, h, w) or RGB (views * n, h, w, 3)."""
    faces = views.reshape(-1, *views.shape[2:])
    return faces[..., 0] if faces.shape[-1] == 1 else faces


def columns_of(card: ModelCard, samples: Samples, sha256: str) -> list[int]:
    """A teacher's output column of each of the samples' classes.

    Args:
        card: the teacher's.
        samples: the rows that train.
        sha256: their hash (`Samples.sha256`).

    Raises:
        RecipeError: it has other classes, or was trained on other rows.
    """
    if set(card.labels) != set(samples.label_set.keys):
        raise RecipeError(
            f"the teacher {card.name} knows {', '.join(card.labels)}, but the faces are labelled "
            f"{', '.join(samples.label_set.keys)}; name a teacher with the same classes"
        )
    trained_on = dict(card.data.get("train", {})).get("sha256")
    if trained_on != sha256:
        raise RecipeError(
            f"the teacher {card.name} was not trained on the rows that this recipe trains on, so "
            "it may know the validation faces; name teachers that were"
        )
    return [card.label_set.index(key) for key in samples.label_set.keys]
