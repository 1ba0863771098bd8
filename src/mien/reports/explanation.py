"""Pictures and pages of explanations: each map over its face, with words on how to read it."""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import pages
from mien.explanation.faces import GRAD_CAM, OCCLUSION, ExplainedFace, MeanMap
from mien.reports.document import Plot, Section, Table, Text
from mien.reports.figures import INK, SMALL_PT, TEXT_PT, empty_figure, short_name, to_png
from mien.reports.interval_plot import panels
from mien.reports.wording import counted, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXPLANATION_FILES = ("explanation.json", "explanation.md", "explanation.html", "explanation.png")
"""Every file of the folder."""

IN_CROP = " of the crop"
"""What places are told in: the square that was cut out of the photo and that the network sees."""

_SHOWN_PX = 192
# Blue and orange of Okabe and Ito's palette, told apart with colour blindness and in grey.
_FOR, _AGAINST = np.array([230.0, 120.0, 0.0]), np.array([0.0, 100.0, 190.0])
_STRONGEST = 0.75


def overlay(face: NDArray[np.generic], values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A map over a grey copy of its face: orange speaks for the class, blue against it.

    Args:
        face: (h, w) or (h, w, 3), values 0..255.
        values: the map, (h, w); the strongest value has the strongest colour.

    Returns:
        uint8 (side, side, 3) or as long as the face is, at least `_SHOWN_PX` at the longer side.
    """
    pixels = np.asarray(face, np.float32)
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    scale = max(1.0, _SHOWN_PX / max(grey.shape))
    size = round(grey.shape[1] * scale), round(grey.shape[0] * scale)
    large = cv2.resize(grey, size, interpolation=cv2.INTER_NEAREST)[..., np.newaxis]
    smooth = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    strength = np.abs(smooth) / max(float(np.abs(smooth).max()), 1e-12) * _STRONGEST
    color = np.where((smooth > 0)[..., np.newaxis], _FOR, _AGAINST)
    mixed = large * (1 - strength[..., np.newaxis]) + color * strength[..., np.newaxis]
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def faces_png(faces: list[ExplainedFace]) -> bytes:
    """A row per face: the face, each map over it, and the probabilities.

    Returns:
        A PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    methods = list(faces[0].maps)
    across = 2 + len(methods)
    figure = empty_figure(2.1 * across, 0.2 + 2.25 * len(faces))
    panels = figure.subplots(len(faces), across, squeeze=False)
    for line, face in zip(panels, faces, strict=True):
        _show(line[0], face.seen, short_name(face.name, 30))
        for axes, method in zip(line[1:-1], methods, strict=True):
            _show(axes, overlay(face.seen, face.maps[method]), f"{method}: {face.key}")
        _bars(line[-1], face)
    return to_png(figure)


def mean_maps_png(means: list[MeanMap]) -> bytes:
    """A column per class: its mean face, and under it each mean map.

    Returns:
        A PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    methods = list(means[0].maps)
    down = 1 + len(methods)
    figure = empty_figure(0.5 + 1.5 * len(means), 0.3 + 1.6 * down)
    panels = figure.subplots(down, len(means), squeeze=False)
    for column, mean in enumerate(means):
        _show(panels[0, column], np.asarray(mean.mean_face, np.uint8), f"{mean.key} ({mean.n})")
        for line, method in enumerate(methods, start=1):
            _show(panels[line, column], overlay(mean.mean_face, mean.maps[method]), "")
    for line, name in enumerate(("mean face", *methods)):
        panels[line, 0].set_ylabel(name, fontsize=SMALL_PT, color=INK)
    return to_png(figure)


def explanation_sections(faces: list[ExplainedFace], means: list[MeanMap]) -> list[Section]:
    """What the pages say: of single faces, or of the means over a data set.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    methods = list(means[0].maps if means else faces[0].maps)
    guide = [_HOW[method] for method in methods]
    if means:
        alt = "mean face and mean maps of each class"
        plot = Plot("explanation.png", mean_maps_png(means), alt, 960, _mean_grid(means))
        rows = tuple((mean.key, f"{mean.n:,}", *_places(mean.maps, methods)) for mean in means)
        header = (
            "class",
            "faces",
            *(f"strongest place in the crop, {method}" for method in methods),
        )
        blocks = (Text(_MEANS), plot, Table(header, rows))
    else:
        alt = "faces and maps of what speaks for"
        plot = Plot("explanation.png", faces_png(faces), alt, 900, _face_grids(faces))
        table = tuple(
            (
                face.name,
                face.answer,
                percent(max(face.probabilities)),
                face.key,
                *_places(face.maps, methods),
            )
            for face in faces
        )
        header = ("face", "answer", "confidence", "explained")
        header = (*header, *(f"strongest place in the crop, {method}" for method in methods))
        blocks = (Text(_SINGLE), plot, Table(header, table, 2))
    return [
        Section("Maps", blocks),
        Section("How to read them", tuple(map(Text, (*guide, _CROP, _LIMITS)))),
    ]


def _face_grids(faces: list[ExplainedFace]) -> str:
    """For pages: each face beside its maps, as many in a line as the window has room for."""
    grids = []
    for face in faces:
        ranked = sorted(zip(face.probabilities, face.label_set.keys, strict=True), reverse=True)
        said = [f"{key} {percent(value)}" for value, key in ranked if value >= _SHOWN_PROBABILITY]
        pictures = [(_png(face.seen), "\n".join([face.name, *said]))]
        pictures += [
            (_png(overlay(face.seen, values)), f"{method}: {face.key}")
            for method, values in face.maps.items()
        ]
        grids.append(("", pages.picture_grid(pictures)))
    return panels(grids)


def _mean_grid(means: list[MeanMap]) -> str:
    """For pages: the mean face and the mean maps of each class."""
    grids = []
    for mean in means:
        face = np.asarray(mean.mean_face, np.uint8)
        pictures = [(_png(face), f"{mean.key}\nmean of {counted(mean.n, 'face')}")]
        pictures += [
            (_png(overlay(mean.mean_face, values)), f"{method}: {mean.key}")
            for method, values in mean.maps.items()
        ]
        grids.append(("", pages.picture_grid(pictures)))
    return panels(grids)


def _png(picture: NDArray[np.generic]) -> bytes:
    """A picture as a PNG, enlarged with its pixels seen; uint8 (h, w) or (h, w, 3) RGB."""
    pixels = np.asarray(picture, np.uint8)
    scale = max(1, -(-_SHOWN_PX // max(pixels.shape[:2])))
    large = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    bgr = large[..., ::-1] if large.ndim == 3 else large
    return bytes(cv2.imencode(".png", bgr)[1])


_SHOWN_PROBABILITY = 0.01
"""Classes that are less probable are not listed below a face."""

_SINGLE = "Orange: what speaks for the explained class. Blue: what speaks against it."
_MEANS = (
    "For each class the mean of its maps over faces that are labelled so and classified so. "
    "Orange: what speaks for the class. Blue: what speaks against it."
)
_HOW = {
    OCCLUSION: (
        "Occlusion: a square is laid over the face, place by place, filled with the face's mean. "
        "Orange where covering lowers the log-odds of the class, blue where it raises them "
        "(Zeiler and Fergus, 2014). Colours are relative to the strongest value of each map."
    ),
    GRAD_CAM: (
        "Grad-CAM: the network's last maps, weighted by how much the class's logit depends on "
        "them. It shows only what speaks for the class, and coarsely (Selvaraju et al., 2017)."
    ),
}
_CROP = (
    "Places are told in the crop: the square that was cut out of the photo around the face and "
    "that the network sees. 0 % from the left is the crop's left edge, 50 % its middle."
)
_LIMITS = (
    "A map says what the answer depends on, not whether the answer is right, and nothing of the "
    "person. Several places may matter only together, and a covered face is one that the network "
    "never saw in training. That maps depend on the network, and not on the face alone, is tested "
    "with randomised weights (Adebayo et al., 2018)."
)


def explanation_json(faces: list[ExplainedFace], means: list[MeanMap]) -> dict[str, Any]:
    """Every map, JSON-ready, to five decimals."""
    return {
        "faces": [
            {
                "name": face.name,
                "answer": face.answer,
                "explained": face.key,
                "probabilities": dict(zip(face.label_set.keys, face.probabilities, strict=True)),
                "maps": {name: values.round(5).tolist() for name, values in face.maps.items()},
            }
            for face in ([] if means else faces)
        ],
        "classes": [
            {
                "class": mean.key,
                "n": mean.n,
                "maps": {name: values.round(5).tolist() for name, values in mean.maps.items()},
            }
            for mean in means
        ],
    }


def _places(maps: Any, methods: list[str]) -> list[str]:
    return [place_words(maps[method]) for method in methods]


def place_words(values: NDArray[np.float64], of_what: str = "") -> str:
    """Where the strongest value of a map lies, in percent of its width and height.

    Args:
        values: the map, (h, w).
        of_what: words after a place, such as `IN_CROP` where no heading says so.
    """
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    if not values.max() > 0:
        return "nothing speaks for it"
    across = round(100 * (int(column) + 0.5) / values.shape[1])
    down = round(100 * (int(row) + 0.5) / values.shape[0])
    return f"{across} % from the left, {down} % from the top{of_what}"


def _show(axes: "Axes", picture: NDArray[np.generic], title: str) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title, fontsize=SMALL_PT, color=INK, parse_math=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _bars(axes: "Axes", face: ExplainedFace) -> None:
    colors = [np.array(label.color_rgb) / 255 for label in face.label_set]
    places = range(len(face.probabilities))
    axes.barh(places, face.probabilities, color=colors, edgecolor=INK, linewidth=0.4)
    axes.set_yticks(places, face.label_set.keys, fontsize=SMALL_PT)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"], fontsize=SMALL_PT)
    axes.set_title("probability", fontsize=TEXT_PT - 1, color=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
