"""What a worker needs to recognise as the process that sent it would: model and detector as bytes.

A worker has one thread in ONNX Runtime and in OpenCV, as there are as many workers as processors,
and its C library keeps the memory of one picture for the next.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mien.allocator import keep_freed_memory
from mien.errors import EngineError
from mien.model import store
from mien.model.sessions import ExecutionProvider
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import load_detector
from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.recognizer import Recognizer
from mien.recognition.turning import Rotate
from mien.results import Tta


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """How to recognise. Travels between processes and machines."""

    version: str
    """mien's; another one may find something else."""
    model: bytes
    """The ONNX file."""
    detector: str
    """``yunet``, ``haar`` or ``whole``."""
    detector_file: bytes
    """YuNet's file; empty for the others."""
    search_side_px: int | None = None
    """As in `mien.workflows.recognizing.Job`; so are the others."""
    min_confidence: float = 0.0
    tta: Tta = "none"
    rotate: Rotate = 0
    max_pixels: int | None = None
    provider: ExecutionProvider = "cpu"

    @property
    def model_sha256(self) -> str:
        """Hash of the model's file."""
        return hashlib.sha256(self.model).hexdigest()

    @property
    def detector_sha256(self) -> str:
        """Hash of the detector's file; empty where it has none of ours."""
        return hashlib.sha256(self.detector_file).hexdigest() if self.detector_file else ""

    def open(self) -> Recognizer:
        """The recogniser, in a process that does nothing else.

        Raises:
            EngineError: another version of mien is installed here.
            ModelError, DetectorError: as `Recognizer`.
        """
        import cv2

        from mien import __version__

        if self.version != __version__:
            raise EngineError(
                f"a worker has mien {__version__}, and the job mien {self.version}; install one "
                "version on all machines"
            )
        keep_freed_memory()
        cv2.setNumThreads(1)
        if self.detector_file:
            detector: FaceDetector = YuNet(
                self.detector_file,
                search_side_px=self.search_side_px,
                thoroughly=True,
                threads=1,
                provider=self.provider,
            )
        else:
            detector = load_detector(
                self.detector, offline=True, search_side_px=self.search_side_px
            )
        return Recognizer(
            Classifier(self.model, threads=1, provider=self.provider),
            detector,
            rotate=self.rotate,
            min_confidence=self.min_confidence,
            tta=self.tta,
        )


def worker_spec(
    model: str | Path | Classifier = "default",
    detector: str = "auto",
    *,
    offline: bool = False,
    on_fallback: Callable[[str], None] | None = None,
    search_side_px: int | None = None,
    min_confidence: float = 0.0,
    tta: Tta = "none",
    rotate: Rotate = 0,
    max_pixels: int | None = None,
) -> tuple[WorkerSpec, Recognizer]:
    """What workers need; model and detector are loaded here, too, so that faults show first.

    Args:
        model: as in `Recognizer`; so are ``detector``, by its name, and all others but the last.
        detector: as above.
        offline: as above.
        on_fallback: as above.
        search_side_px: as above.
        min_confidence: as above.
        tta: as above.
        rotate: as above.
        max_pixels: largest picture or frame that is decoded.

    Returns:
        The same for workers, and the recogniser.

    Raises:
        ValueError, ModelError, WeightsError, DetectorError: as `Recognizer`.
    """
    from mien import __version__

    recognizer = Recognizer(
        model,
        detector,
        offline=offline,
        on_fallback=on_fallback,
        search_side_px=search_side_px,
        thoroughly=True,
        rotate=rotate,
        min_confidence=min_confidence,
        tta=tta,
    )
    return (
        spec_of(recognizer, __version__, search_side_px=search_side_px, max_pixels=max_pixels),
        recognizer,
    )


def spec_of(
    recognizer: Recognizer,
    version: str,
    *,
    search_side_px: int | None = None,
    max_pixels: int | None = None,
) -> WorkerSpec:
    """What workers need to do as a recogniser does whose detector was loaded by its name."""
    name = recognizer.detector.name
    file = store.find("yunet") if name == "yunet" else None
    return WorkerSpec(
        version,
        recognizer.classifier.content,
        name,
        file.read_bytes() if file is not None else b"",
        search_side_px=search_side_px,
        min_confidence=recognizer.min_confidence,
        tta=recognizer.tta,
        rotate=recognizer.rotate,
        max_pixels=max_pixels,
        provider=recognizer.classifier.provider,
    )
