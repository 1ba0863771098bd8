"""What recognises in a service: one classifier and one detector, shared by all threads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2

from mien.live.session import SEARCH_SIDE_PX
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import load_detector
from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.recognizer import Recognizer, Search
from mien.recognition.turning import Rotate
from mien.recognition.video_recognizer import VideoRecognizer
from mien.results import Tta
from mien.samples import Image
from mien.serving.memory import LARGE_PICTURE_PIXELS, trim
from mien.serving.metrics import Metrics
from mien.workflows.models import open_model


class TimedRecognizer(Recognizer):
    """A `Recognizer` that tells how long its stages took; arguments as there, and ``metrics``."""

    def __init__(self, *arguments: Any, metrics: Metrics, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._metrics = metrics

    def searching(self, search_side_px: int) -> Recognizer:
        """As `Recognizer.searching`, with the same metrics."""
        other = super().searching(search_side_px)
        if other is self:
            return self
        return TimedRecognizer(
            other.classifier,
            other.detector,
            rotate=self.rotate,
            min_confidence=self.min_confidence,
            tta=self.tta,
            metrics=self._metrics,
        )

    def search(self, image_rgb: Image, rotate: Rotate | None = None) -> Search:
        """As `Recognizer.search`."""
        with self._metrics.timed("detecting"):
            return super().search(image_rgb, rotate)

    def probabilities(self, crops: Any) -> Any:
        """As `Recognizer.probabilities`."""
        if not len(crops):
            return super().probabilities(crops)
        with self._metrics.timed("classifying"):
            return super().probabilities(crops)


@runtime_checkable
class _Resting(Protocol):
    """A detector that holds memory between pictures, and can give it back."""

    def rest(self) -> None:
        """Give it back."""
        ...


class Engine:
    """A model and a detector, loaded once.

    Args:
        classifier: what classifies.
        detector: what finds faces in photos.
        bundle: content of the model's file, for the process that works on videos.
        metrics: told how long things take.
    """

    def __init__(
        self, classifier: Classifier, detector: FaceDetector, bundle: bytes, metrics: Metrics
    ) -> None:
        self.classifier = classifier
        """What classifies."""
        self.detector = detector
        """What finds faces in photos."""
        self.bundle = bundle
        """Content of the model's ONNX file."""
        self.metrics = metrics
        """What is told how long things take."""
        self._live_detector = detector.searching(SEARCH_SIDE_PX)

    def rest(self) -> None:
        """Give back what large pictures took."""
        for detector in {id(one): one for one in (self.detector, self._live_detector)}.values():
            if isinstance(detector, _Resting):
                detector.rest()
        trim()

    def rest_after(self, n_pixels: int) -> None:
        """Give back what a picture of so many pixels took, where that is worth it; to be called
        once nothing holds the picture any more."""
        if n_pixels > LARGE_PICTURE_PIXELS:
            self.rest()

    def photos(self, min_confidence: float, tta: Tta, rotate: Rotate = 0) -> Recognizer:
        """What recognises photos; costs nothing."""
        return TimedRecognizer(
            self.classifier,
            self.detector,
            rotate=rotate,
            min_confidence=min_confidence,
            tta=tta,
            metrics=self.metrics,
        )

    def live(self, min_confidence: float, tta: Tta, half_life_s: float) -> VideoRecognizer:
        """What recognises the frames of one live connection: tracks and smoothing of its own."""
        recognizer = TimedRecognizer(
            self.classifier,
            self._live_detector,
            min_confidence=min_confidence,
            tta=tta,
            metrics=self.metrics,
        )
        return VideoRecognizer(recognizer, half_life_s=half_life_s)


def load_engine(
    model: str | Path,
    detector: str,
    *,
    offline: bool,
    metrics: Metrics,
    on_fallback: Callable[[str], None],
) -> Engine:
    """Load what recognises, for one thread per picture.

    Args:
        model: as in `open_model`.
        detector: as in `load_detector`.
        offline: never touch the network.
        metrics: told how long things take.
        on_fallback: as in `load_detector`.

    Raises:
        ModelError, WeightsError, DetectorError, MissingExtraError: as these two.
    """
    cv2.setNumThreads(1)
    bundle = open_model(model).bundle()
    found = load_detector(detector, offline=offline, on_fallback=on_fallback, threads=1)
    return Engine(Classifier(bundle, threads=1), found, bundle, metrics)
