"""Implementations of the face detector interface, and the choice among them by name."""

import logging
from collections.abc import Callable

from mien.errors import DetectorError, WeightsError
from mien.model import store
from mien.model.sessions import ExecutionProvider
from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.detectors.haar import Haar
from mien.recognition.detectors.whole import Whole
from mien.recognition.detectors.yunet import YuNet

DETECTOR_NAMES = ("auto", "yunet", "haar", "whole")
"""What `load_detector` understands."""

_log = logging.getLogger(__name__)


def load_detector(
    name: str = "auto",
    *,
    offline: bool = False,
    on_fallback: Callable[[str], None] = _log.warning,
    search_side_px: int | None = None,
    thoroughly: bool = False,
    threads: int | None = None,
    provider: ExecutionProvider = "cpu",
) -> FaceDetector:
    """Load a face detector by name.

    Args:
        name: ``yunet``; ``haar``; ``whole``, which takes a picture for one face; or ``auto``:
            YuNet where its file is in the cache or can be fetched within seconds, else Haar.
        offline: never touch the network.
        on_fallback: called with one line where ``auto`` has to make do with Haar; logs it where
            nothing else is given.
        search_side_px: search pictures reduced to at most this longest side, once: quick enough
            for video, and blind to faces below the detector's `FaceDetector.minimum_face_px`.
            None: as thoroughly as photos deserve. ``whole`` searches nothing.
        thoroughly: search as photos deserve all the same, for the smallest faces at
            ``search_side_px``; more than the usual 1280 finds smaller ones and takes longer.
        threads: processor threads of YuNet for one picture, as in `YuNet`. Haar's are those of
            OpenCV, which ``cv2.setNumThreads`` sets for the whole process.
        provider: what computes YuNet's network; the others have none.

    Raises:
        ValueError: a ``search_side_px`` below 64.
        MissingExtraError: the installed ONNX Runtime does not have that provider.
        DetectorError: no detector has that name, or its file is not there.
    """
    if name == "haar":
        return Haar(search_side_px=search_side_px)
    if name == "whole":
        return Whole()
    if name not in DETECTOR_NAMES:
        raise DetectorError(f"no detector is called {name}; known: {', '.join(DETECTOR_NAMES)}")
    found = store.find("yunet")
    try:
        if found is None and not offline:
            found = store.fetch_quickly("yunet") if name == "auto" else store.fetch("yunet")
        reason = "its file is not on this machine"
    except WeightsError as error:
        if name == "yunet":
            raise DetectorError(str(error)) from error
        reason = str(error)
    if found is not None:
        return YuNet(
            found,
            search_side_px=search_side_px,
            thoroughly=thoroughly,
            threads=threads,
            provider=provider,
        )
    if name == "yunet":
        raise DetectorError(
            "the detector yunet is not on this machine; get it with: mien fetch yunet, "
            "or from a local copy: mien fetch yunet --from FILE"
        )
    on_fallback(
        f"face detector YuNet is not there ({reason}); using Haar, which finds fewer faces; "
        "get YuNet with: mien fetch yunet"
    )
    return Haar(search_side_px=search_side_px)
