"""The one composing class: picture -> faces -> crops -> expressions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import DetectorError
from mien.images import Picture, as_image
from mien.model.names import resolve_model
from mien.preprocessing import crop_face
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import load_detector
from mien.recognition.detectors.detector import FaceDetector, LooksAgain
from mien.recognition.turning import (
    Rotate,
    Turn,
    check_rotate,
    turned,
    turned_back,
    upright,
)
from mien.results import (
    Detection,
    Expression,
    Face,
    FrameResult,
    Tta,
    check_min_confidence,
)
from mien.samples import Image
from mien.tta import averaged, check_tta


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What was found in one picture, before it is classified. Faces are from left to right."""

    faces: tuple[Detection, ...]
    """In pixels of the picture as it was given."""
    crops: list[Image]
    """Of each face, uint8 (side, side, 3) RGB; may be views of the picture."""
    turn_deg: Turn
    """By how much the picture was turned, clockwise, before it was searched."""
    upright_rgb: Image
    """The picture, turned so."""
    upright_faces: tuple[Detection, ...]
    """The faces in its pixels, in the order of `faces`."""


class Recognizer:
    """Finds the faces of pictures and says what they show. May be shared by threads.

    Args:
        model: ``default``, a name that ``mien models`` prints, the folder of a training, an
            ``.onnx`` file, or a `Classifier`. A detector that is loaded by name is computed by
            the same execution provider.
        detector: ``auto``, ``yunet``, ``haar``, ``whole`` (the picture is one face), or a
            `FaceDetector`.
        offline: never touch the network.
        on_fallback: as in `load_detector`; the line is logged where None.
        search_side_px: as in `load_detector`; None: as photos deserve. `VideoRecognizer` chooses
            one for video.
        thoroughly: as in `load_detector`.
        rotate: turn pictures by so many degrees, clockwise, before faces are searched: photos and
            videos that lie on their side because the camera did not note it. ``"auto"`` turns a
            photo in which no upright face is found to where some are; videos stay as they are.
        min_confidence: a face of which no class is as probable as this is shown as uncertain;
            in [0, 1], 0 switches it off. The coverage of an evaluation helps to choose it.
        tta: ``"flip"`` averages the probabilities of each face with those of its mirror image.
        threads: processor threads for one picture, of a model and a detector that are loaded here;
            2 at most where None. 1 is best where several threads or processes recognise, and for
            videos, whose frames are read and written meanwhile.

    Raises:
        ValueError: a ``search_side_px`` below 64, or one for a detector that is there already;
            a ``min_confidence`` outside [0, 1], or another ``tta`` or ``rotate``.
        ModelError: the model is not there, is corrupt or contradicts its card.
        WeightsError: the model's name is known, but its file is not on this machine.
        DetectorError: the detector is not there, or was not measured for the framing of faces
            that the model was trained with.
    """

    def __init__(
        self,
        model: str | Path | Classifier = "default",
        detector: str | FaceDetector = "auto",
        *,
        offline: bool = False,
        on_fallback: Callable[[str], None] | None = None,
        search_side_px: int | None = None,
        thoroughly: bool = False,
        rotate: Rotate = 0,
        min_confidence: float = 0.0,
        tta: Tta = "none",
        threads: int | None = None,
    ) -> None:
        check_min_confidence(min_confidence)
        check_tta(tta)
        check_rotate(rotate)
        if not isinstance(model, Classifier):
            model = Classifier(resolve_model(str(model)), threads=threads)
        if isinstance(detector, str):
            detector = load_detector(
                detector,
                offline=offline,
                search_side_px=search_side_px,
                thoroughly=thoroughly,
                threads=threads or model.threads,
                provider=model.provider,
                **({} if on_fallback is None else {"on_fallback": on_fallback}),
            )
        elif search_side_px is not None:
            raise ValueError(
                f"the detector {detector.name} is there already; give it search_side_px itself"
            )
        self.classifier = model
        """What classifies the crops."""
        self.detector = detector
        """What finds the faces."""
        self.min_confidence = min_confidence
        """The probability below which a face is uncertain."""
        self.tta = tta
        """Test-time augmentation."""
        self.rotate: Rotate = rotate
        """How pictures are turned before faces are searched."""
        try:
            self.geometry = detector.crops[model.card.framing]
            """From the detector's boxes to the crops."""
        except KeyError:
            raise DetectorError(
                f"the model's training faces are framed as {model.card.framing!r}, for which the "
                f"detector {detector.name} has no crop; it knows: {', '.join(detector.crops)}"
            ) from None

    def searching(self, search_side_px: int) -> "Recognizer":
        """The same recogniser with its detector at another search size; this one is as it was.

        Args:
            search_side_px: as in `FaceDetector.searching`.

        Raises:
            ValueError: a side below 64.
        """
        detector = self.detector.searching(search_side_px)
        if detector is self.detector:
            return self
        return Recognizer(
            self.classifier,
            detector,
            rotate=self.rotate,
            min_confidence=self.min_confidence,
            tta=self.tta,
        )

    def find(self, image_rgb: Image) -> tuple[tuple[Detection, ...], list[Image]]:
        """Find the faces of one picture and cut them out as the model wants them.

        Args:
            image_rgb: uint8 (H, W, 3) RGB.

        Returns:
            The faces from left to right, and the crop of each, uint8 (side, side, 3) RGB; a crop
            may be a view of the picture.

        Raises:
            ValueError: the picture is not uint8 (H, W, 3).
        """
        found = self.search(image_rgb)
        return found.faces, found.crops

    def search(self, image_rgb: Image, rotate: Rotate | None = None) -> Search:
        """As `find`, with what the faces look like upright.

        Args:
            image_rgb: uint8 (H, W, 3) RGB.
            rotate: in place of the recogniser's own, if not None.

        Raises:
            ValueError: the picture is not uint8 (H, W, 3).
        """
        rotate = self.rotate if rotate is None else rotate
        if rotate == "auto":
            turn_deg, image, found = upright(image_rgb, self.detector)
        else:
            turn_deg, image = rotate, turned(image_rgb, rotate)
            found = self.detector.detect(image)
        size_px = (image_rgb.shape[1], image_rgb.shape[0])
        pairs = [(turned_back(face, turn_deg, size_px), face) for face in found]
        pairs.sort(key=lambda pair: pair[0].box_xywh_px)
        faces = tuple(face for _, face in pairs)
        return Search(
            tuple(face for face, _ in pairs),
            [
                crop_face(image, face.box_xywh_px, self.geometry, face.landmarks_px)
                for face in faces
            ],
            turn_deg,
            image,
            faces,
        )

    def probabilities(self, crops: Sequence[Image]) -> NDArray[np.float64]:
        """Judge what `find` cut out, with the augmentation; see `Classifier.probabilities`.

        Args:
            crops: uint8 (H, W, 3) RGB each.

        Returns:
            float64 (n, classes), rows summing to 1.
        """
        return averaged(self.classifier.probabilities, crops, self.tta)

    def recognize(
        self, picture: Picture, *, source: str = "", frame: int = 0, time_s: float = 0.0
    ) -> FrameResult:
        """Recognise the expressions in one picture.

        Args:
            picture: uint8 (H, W, 3) RGB; or anything else that `mien.images.as_image` takes.
            source: path or URL of the picture, kept in the result.
            frame: number of the frame in its source, kept in the result.
            time_s: presentation time in seconds, kept in the result.

        Returns:
            The faces from left to right with their expressions; no faces where there are none.

        Raises:
            PictureError: it is no picture.
            SourceError: as `mien.images.as_image`.
        """
        image_rgb = as_image(picture)
        found = self.search(image_rgb)
        expressions = [
            Expression(self.classifier.label_set, tuple(row), min_confidence=self.min_confidence)
            for row in self.probabilities(found.crops).tolist()
        ]
        faces = found.faces
        if isinstance(self.detector, LooksAgain):
            faces = self.detector.look_again(image_rgb, faces)
        return FrameResult(
            width_px=image_rgb.shape[1],
            height_px=image_rgb.shape[0],
            detector=self.detector.name,
            faces=tuple(
                Face(face.box_xywh_px, face.score, face.landmarks_px, expression)
                for face, expression in zip(faces, expressions, strict=True)
            ),
            source=source,
            frame=frame,
            time_s=time_s,
            tta=self.tta,
            turn_deg=found.turn_deg,
        )
