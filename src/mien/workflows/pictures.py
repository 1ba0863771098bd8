"""One picture in one call."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image

from mien.drawing import annotate
from mien.images import MAX_PIXELS, Picture, as_image
from mien.outputs.dataframe import to_dataframe
from mien.outputs.pictures import PICTURE_SUFFIXES, write_picture
from mien.outputs.rows import json_line
from mien.outputs.tables import TABLE_SUFFIXES, write_table
from mien.recognition.classifier import Classifier
from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.recognizer import Recognizer
from mien.reports.notebook import picture_html
from mien.results import Face, FrameResult, Tta
from mien.samples import Image

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PictureResult:
    """A picture and what was found in it; notebooks show it."""

    image_rgb: Image
    """The picture, uint8 (H, W, 3) RGB, upright."""
    result: FrameResult
    """What was found, without the picture."""
    label_keys: tuple[str, ...]
    """Keys of the model's classes, in order."""

    @property
    def faces(self) -> tuple[Face, ...]:
        """The faces from left to right; empty where there are none."""
        return self.result.faces

    def __repr__(self) -> str:
        """One line with what each face shows."""
        shown = [
            f"{face.expression.label.key} {face.expression.confidence:.2f}"
            for face in self.faces
            if face.expression is not None
        ]
        name = f"{self.result.source!r}, " if self.result.source else ""
        return f"PictureResult({name}{', '.join(shown) or 'no face found'})"

    def plot(self) -> PIL.Image.Image:
        """The annotated picture, which notebooks show and `PIL.Image.Image.show` opens."""
        return PIL.Image.fromarray(annotate(self.image_rgb, self.result))

    def save(self, path: Path | str) -> None:
        """Write the annotated picture, or its faces as a table, by the path's ending.

        Args:
            path: ``.png``, ``.jpg``, ``.webp``, ``.bmp`` or ``.tif``; ``.csv``, ``.jsonl``,
                ``.json`` or ``.parquet``.

        Raises:
            OutputError: another ending, or the file cannot be written.
            MissingExtraError: Parquet without pyarrow.
        """
        path = Path(path)
        if path.suffix.lower() in TABLE_SUFFIXES:
            write_table(path, [self.result], self.label_keys)
        else:
            write_picture(
                path,
                annotate(self.image_rgb, self.result),
                suffixes=(*PICTURE_SUFFIXES, *TABLE_SUFFIXES),
            )

    def to_dict(self) -> dict[str, object]:
        """What was found, as in one line of ``mien recognize --json``."""
        return self.result.as_dict()

    def to_json(self) -> str:
        """The same as a line of JSON."""
        return json_line(self.result)

    def to_dataframe(self) -> "pandas.DataFrame":
        """One row per face; see `mien.to_dataframe`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return to_dataframe([self.result])

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.plot().save(png, "png", compress_level=3)
        return png.getvalue()

    def _repr_html_(self) -> str:
        return picture_html(self._repr_png_(), self.result)


def recognize(
    picture: Picture,
    *,
    model: str | Path | Classifier = "default",
    detector: str | FaceDetector = "auto",
    recognizer: Recognizer | None = None,
    min_confidence: float = 0.0,
    tta: Tta = "none",
    max_pixels: int = MAX_PIXELS,
    offline: bool = False,
    source: str | None = None,
) -> PictureResult:
    """Recognise the expressions in one picture.

    Loads model and detector at each call, some 0.1 s; for many pictures make a `Recognizer` once
    and give it, or call `recognize_folder`.

    Args:
        picture: a path; the bytes of a file; a Pillow picture; or an array, uint8 RGB (H, W, 3),
            RGBA (H, W, 4) or grey (H, W).
        model: as in `Recognizer`.
        detector: as in `Recognizer`.
        recognizer: what recognises, in place of a model and a detector.
        min_confidence: as in `Recognizer`.
        tta: as in `Recognizer`.
        max_pixels: width times height above which a picture is refused by its header.
        offline: never touch the network.
        source: what the result calls the picture; its path where None.

    Raises:
        PictureError: it is no picture.
        SourceError: there is no such file, or it may not be read.
        ImageError: the file is not a picture, or damaged.
        ImageTooLargeError: it has more than ``max_pixels``.
        ValueError: a value that means nothing, or that a recogniser beside it would not heed.
        ModelError, WeightsError, DetectorError: as `Recognizer`.
    """
    recognizer = chosen_recognizer(
        recognizer, model, detector, min_confidence=min_confidence, tta=tta, offline=offline
    )
    image_rgb = as_image(picture, max_pixels=max_pixels)
    if source is None:
        source = str(picture) if isinstance(picture, str | Path) else ""
    return PictureResult(
        image_rgb,
        recognizer.recognize(image_rgb, source=source),
        recognizer.classifier.label_set.keys,
    )


def chosen_recognizer(
    recognizer: Recognizer | None,
    model: str | Path | Classifier,
    detector: str | FaceDetector,
    *,
    min_confidence: float,
    tta: Tta,
    offline: bool,
    threads: int | None = None,
) -> Recognizer:
    """The recogniser that was given, or a new one, with so many threads.

    Raises:
        ValueError: one was given, and beside it something that it would not heed.
        ModelError, WeightsError, DetectorError: as `Recognizer`.
    """
    if recognizer is None:
        return Recognizer(
            model,
            detector,
            offline=offline,
            min_confidence=min_confidence,
            tta=tta,
            threads=threads,
        )
    refuse_beside(recognizer, model, detector, min_confidence, tta)
    return recognizer


def refuse_beside(
    recognizer: Recognizer,
    model: str | Path | Classifier,
    detector: str | FaceDetector,
    min_confidence: float,
    tta: Tta,
) -> None:
    """Refuse what a recogniser that is there already would not heed.

    Raises:
        ValueError: something is not at its default.
    """
    if (model, detector, min_confidence, tta) != ("default", "auto", 0.0, "none"):
        raise ValueError(
            f"the recognizer is there already, with {recognizer.classifier.card.name} and "
            f"{recognizer.detector.name}; give it model, detector, min_confidence and tta itself"
        )
