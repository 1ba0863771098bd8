"""Pictures of classified faces, side by side: enlarged without blur, each with label and answer.

FER-2013's faces have 48 pixels a side, and the network sees nothing else. So they are enlarged
by whole factors, pixel by pixel. Right and wrong differ by a sign and by the
frame's width, and by colour only on top of that. Matplotlib draws the words and copies the
tiles without resampling them; captions are plain text, whatever a file is called.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import needs_extra
from mien.evaluation.predictions import Predictions
from mien.reports.figures import (
    BLUE,
    DOTS_PER_INCH,
    INK,
    SOFT,
    TITLE_PT,
    VERMILION,
    short_name,
    to_png,
)
from mien.samples import Image

TILES_PER_ROW = 8
"""Faces side by side."""

_TILE_PX, _GAP_PX, _MARGIN_PX, _TITLE_PX, _CAPTION_PX = 240, 22, 30, 84, 104
_LINE_PX = 31
_CAPTION_PT, _NAME_PT = 7.5, 6.5
_NAME_LETTERS = 23
_GROUND = 235


@dataclass(frozen=True, slots=True, eq=False)
class ClassifiedFace:
    """One face: its label and the network's answer."""

    image: Image
    """The picture."""
    label: str
    """Its label, as it is shown."""
    predicted: str
    """The network's answer, as it is shown."""
    confidence: float
    """Its probability."""
    name: str
    """Where the face comes from, as in `Predictions.names`."""

    @property
    def correct(self) -> bool:
        """True where the two agree."""
        return self.predicted == self.label

    @property
    def verdict(self) -> str:
        """The answer with its confidence, after a sign that says whether it is right."""
        sign = "\N{CHECK MARK}" if self.correct else "\N{BALLOT X}"
        return f"{sign} {self.predicted} {100 * self.confidence:.1f} %"

    @property
    def caption(self) -> str:
        """Everything but the picture, one fact a line."""
        return f"{self.verdict}\nlabelled {self.label}\n{self.name}"


def classified_faces(
    predictions: Predictions, pictures: Sequence[tuple[int, Image]]
) -> tuple[ClassifiedFace, ...]:
    """The rows of a table with their pictures, (row, picture) each, in the given order."""
    labels, predicted = predictions.label_set, predictions.predicted
    confidence = predictions.confidence
    return tuple(
        ClassifiedFace(
            image=image,
            label=labels[int(predictions.labels[row])].display_name,
            predicted=labels[int(predicted[row])].display_name,
            confidence=float(confidence[row]),
            name=predictions.names[row],
        )
        for row, image in pictures
    )


def face_grid_png(faces: Sequence[ClassifiedFace], title: str) -> bytes:
    """Draw faces in rows of `TILES_PER_ROW`, with a title above.

    Args:
        faces: may be none; then the picture is the title alone.
        title: one line, e.g. what was chosen and how.

    Returns:
        A PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with needs_extra("report"):
        from matplotlib.figure import Figure

    step_x, step_y = _TILE_PX + _GAP_PX, _TILE_PX + _CAPTION_PX + _GAP_PX
    rows = -(-len(faces) // TILES_PER_ROW)
    width = 2 * _MARGIN_PX + TILES_PER_ROW * step_x - _GAP_PX
    height = _MARGIN_PX + _TITLE_PX + rows * step_y
    figure = Figure(
        figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH),
        dpi=DOTS_PER_INCH,
        facecolor="white",
    )

    def write(
        x_px: float, y_px: float, text: str, size_pt: float, color: str, weight: str = "normal"
    ) -> None:
        place = x_px / width, 1 - y_px / height
        style = {"size": size_pt, "color": color, "weight": weight, "va": "top"}
        figure.text(*place, text, fontdict=style, parse_math=False)

    write(_MARGIN_PX, _MARGIN_PX, title, TITLE_PT, INK)
    for index, face in enumerate(faces):
        row, column = divmod(index, TILES_PER_ROW)
        x, y = _MARGIN_PX + column * step_x, _MARGIN_PX + _TITLE_PX + row * step_y
        framed = _framed_tile(face, _TILE_PX)
        # matplotlib counts rows of pixels from below.
        border = (len(framed) - _TILE_PX) // 2
        figure.figimage(framed, x - border, height - y - _TILE_PX - border, origin="upper")
        y += _TILE_PX + 14
        color = BLUE if face.correct else VERMILION
        write(x, y, face.verdict, _CAPTION_PT, color, weight="bold")
        write(x, y + _LINE_PX, f"labelled {face.label}", _CAPTION_PT, INK)
        write(x, y + 2 * _LINE_PX, short_name(face.name, _NAME_LETTERS), _NAME_PT, SOFT)
    return to_png(figure)


def tile_png(face: ClassifiedFace, side_px: int) -> bytes:
    """One framed face as a PNG of its own, for pages that set the caption themselves."""
    from PIL import Image as PillowImage

    stream = io.BytesIO()
    PillowImage.fromarray(_framed_tile(face, side_px)).save(stream, format="png")
    return stream.getvalue()


def square_tile(image: Image, side_px: int) -> NDArray[np.uint8]:
    """A picture in the middle of a grey square.

    It is enlarged by the largest whole factor that fits, pixel by pixel; a larger one is made
    smaller.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        side_px: side of the square.

    Returns:
        uint8 (side, side, 3).
    """
    from PIL import Image as PillowImage

    picture = PillowImage.fromarray(image).convert("RGB")
    factor = side_px // max(picture.size)
    if factor:
        size = picture.width * factor, picture.height * factor
        picture = picture.resize(size, PillowImage.Resampling.NEAREST)
    else:
        picture.thumbnail((side_px, side_px), PillowImage.Resampling.LANCZOS)
    tile = PillowImage.new("RGB", (side_px, side_px), (_GROUND, _GROUND, _GROUND))
    tile.paste(picture, ((side_px - picture.width) // 2, (side_px - picture.height) // 2))
    return np.asarray(tile)


def _framed_tile(face: ClassifiedFace, side_px: int) -> NDArray[np.uint8]:
    """The face's tile within a frame: thin where right, thick where wrong."""
    color, border = (BLUE, 2) if face.correct else (VERMILION, 8)
    rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    side = side_px + 2 * border
    framed = np.full((side, side, 3), rgb, np.uint8)
    framed[border:-border, border:-border] = square_tile(face.image, side_px)
    return framed
