"""What was seen in a part of a video, between the process that looked and the one that follows.

Looking at frames takes nearly all of the time and needs no memory of the frames before; tracks and
smoothing need all of them, and take a fiftieth. So parts are looked at by many workers, and one
follows the faces through the whole video: the same computation in the same order as in one pass,
hence the same numbers. Matching tracks over the seams was rejected, as it would be right only
nearly always.
"""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import EngineError
from mien.outputs.dataset.layout import Layout
from mien.recognition.appearance import SIZE, Appearances
from mien.recognition.scenes import CutDetector, scene_of
from mien.recognition.turning import TURNS
from mien.recognition.video_recognizer import Sighting, VideoRecognizer
from mien.results import Detection
from mien.sources.video_parts import VideoPart

_NO_SCENE = np.empty((0, 0, 3), np.uint8)


@dataclass(slots=True)
class PartSightings:
    """What a part showed."""

    is_regular: bool
    """As in `VideoPart`; the rest counts only where it is."""
    n_frames: int
    """Frames of the part, looked at or not."""
    numbers: NDArray[np.int64]
    """Number of each frame that was looked at, within the part."""
    times_s: NDArray[np.float64]
    """Its time."""
    cuts: NDArray[np.bool_]
    """Whether it shows another scene than those before."""
    sightings: list[Sighting]
    """What it shows."""
    undecided: int
    """Place of the frame whose cut the parts before decide; -1: none."""
    first_scene: NDArray[np.uint8]
    """Scene of that frame."""
    last_scene: NDArray[np.uint8]
    """The last scene of the part; empty where it shows nothing."""


def look_at_part(
    part: VideoPart, recognizer: VideoRecognizer, on_frame: Callable[[int], None]
) -> PartSightings:
    """Look at the frames of a part.

    Args:
        part: newly opened.
        recognizer: ready for another video.
        on_frame: called with a number that grows, before each frame.
    """
    recognizer.restart()
    recognizer.prepare(part.width_px, part.height_px)
    cuts = CutDetector()
    times_s: list[float] = []
    found: list[Sighting] = []
    are_cuts: list[bool] = []
    undecided, first_scene = -1, _NO_SCENE
    for frame in part.frames():
        on_frame(len(found))
        scene = scene_of(frame.image_rgb)
        if not frame.is_preroll and scene is not None and cuts.before is None:
            undecided, first_scene = len(found), scene
        is_cut = cuts.is_cut_to(scene)
        if frame.is_preroll:
            continue
        times_s.append(frame.time_s)
        are_cuts.append(is_cut)
        found.append(recognizer.look(frame.image_rgb))
    return PartSightings(
        part.is_regular,
        part.n_frames,
        part.numbers(times_s),
        np.array(times_s, np.float64),
        np.array(are_cuts, np.bool_),
        found,
        undecided,
        first_scene,
        _NO_SCENE if cuts.before is None else cuts.before,
    )


def save_sightings(layout: Layout, shard: int, part: PartSightings) -> None:
    """Write what a part showed.

    Raises:
        OutputError: it cannot be written.
    """
    faces = [face for one in part.sightings for face in one.faces]
    upright = [face for one in part.sightings for face in one.upright_faces]
    n_classes = part.sightings[0].probabilities.shape[1] if part.sightings else 0
    n_points = len(faces[0].landmarks_px) if faces else 0
    with layout.writing(layout.sightings(shard)) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            is_regular=part.is_regular,
            n_frames=part.n_frames,
            numbers=part.numbers,
            times_s=part.times_s,
            cuts=part.cuts,
            undecided=part.undecided,
            first_scene=part.first_scene,
            last_scene=part.last_scene,
            sizes=np.array([(s.width_px, s.height_px) for s in part.sightings], np.int64),
            turns=np.array([s.turn_deg for s in part.sightings], np.int64),
            n_faces=np.array([len(s.faces) for s in part.sightings], np.int64),
            boxes=_boxes(faces),
            upright=_boxes(upright),
            scores=np.array([face.score for face in faces], np.float64),
            landmarks=np.array([face.landmarks_px for face in faces], np.float64).reshape(
                len(faces), n_points, 2
            ),
            probabilities=_stacked([s.probabilities for s in part.sightings], n_classes),
            colours=_stacked([s.appearances.colours for s in part.sightings], SIZE),
            weights=_stacked([s.appearances.weights for s in part.sightings], SIZE),
        )


def load_sightings(layout: Layout, shard: int) -> PartSightings:
    """Read what `save_sightings` wrote.

    Raises:
        EngineError: it is not there, or damaged.
    """
    path = layout.sightings(shard)
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = dict(stored)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise EngineError(f"{path} is damaged; remove it, and give the command again") from error
    return PartSightings(
        bool(values["is_regular"]),
        int(values["n_frames"]),
        values["numbers"],
        values["times_s"],
        values["cuts"],
        list(_sightings(values)),
        int(values["undecided"]),
        values["first_scene"],
        values["last_scene"],
    )


def _sightings(values: dict[str, NDArray[np.generic]]) -> Iterator[Sighting]:
    end = 0
    for place, n_faces in enumerate(values["n_faces"].tolist()):
        rows = slice(end, end := end + n_faces)
        turn = TURNS[TURNS.index(values["turns"][place].item())]
        scores = values["scores"][rows].tolist()
        points = [tuple(map(tuple, face)) for face in values["landmarks"][rows].tolist()]
        faces, upright = (
            tuple(
                Detection(tuple(box), score, landmarks)
                for box, score, landmarks in zip(
                    values[name][rows].tolist(), scores, points, strict=True
                )
            )
            for name in ("boxes", "upright")
        )
        width_px, height_px = values["sizes"][place].tolist()
        yield Sighting(
            width_px,
            height_px,
            faces,
            upright,
            np.asarray(values["probabilities"][rows], np.float64),
            Appearances(
                np.asarray(values["colours"][rows], np.float32),
                np.asarray(values["weights"][rows], np.float32),
            ),
            turn,
        )


def _boxes(faces: list[Detection]) -> NDArray[np.float64]:
    return np.array([face.box_xywh_px for face in faces], np.float64).reshape(-1, 4)


def _stacked(rows: list[NDArray[np.generic]], width: int) -> NDArray[np.generic]:
    return np.concatenate(rows) if rows else np.empty((0, width))
