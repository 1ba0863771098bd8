"""YuNet's network, from a picture to faces, as OpenCV's ``FaceDetectorYN`` computes them.

It runs in ONNX Runtime: OpenCV prepares its network anew whenever the size of the picture changes,
which takes longer than the run, and needs a lock; see benchmark/detection.py. Its heads are joined
(see `yunet_file`). Boxes and scores are the same.

Source: https://github.com/opencv/opencv/blob/4.x/modules/objdetect/src/face_detect.cpp
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import DetectorError
from mien.model.sessions import ExecutionProvider, open_session, shrinking
from mien.recognition.detectors.yunet_file import HEADS, STRIDES_PX, level_name, quick_network
from mien.samples import Image

NMS_IOU = 0.3
"""Of two faces whose boxes share more than this of their union, the more certain one stays."""

_MULTIPLE_PX = 32
_MOST_CANDIDATES = 5000
"""So many of the highest scores are looked at; `FaceDetectorYN`'s default."""
_NEARLY = 0.999
"""So far below the threshold squared a product of two scores is looked at, for it is rounded."""
_OUTPUTS = [level_name(stride_px) for stride_px in STRIDES_PX]
_BOX, _POINTS = HEADS["cls"] + HEADS["obj"], sum(HEADS.values()) - HEADS["kps"]
"""Channels at which they begin; the two scores stand before them."""

NUMBERS = {
    "nms_iou": NMS_IOU,
    "strides_px": STRIDES_PX,
    "multiple_px": _MULTIPLE_PX,
    "most_candidates": _MOST_CANDIDATES,
}
"""As of `mien.recognition.tracks.NUMBERS`."""


class YuNetNetwork:
    """Finds faces in a picture as it is, without enlarging or reducing it. Shared by threads.

    Args:
        pinned: content of the file that `mien.model.store` knows as ``yunet``.
        threads: processor threads for one picture; as in `open_session`.
        provider: what computes it.

    Raises:
        DetectorError: it is another file, or cannot be run.
    """

    def __init__(
        self, pinned: bytes, *, threads: int | None = None, provider: ExecutionProvider = "cpu"
    ) -> None:
        try:
            self._session = open_session(
                quick_network(pinned), threads=threads, sizes_vary=True, provider=provider
            )
        except ValueError as error:
            raise DetectorError(f"YuNet does not run on this machine ({error})") from error

    def find(self, image_rgb: Image, score_threshold: float) -> NDArray[np.float32]:
        """Find faces.

        Args:
            image_rgb: uint8 (H, W, 3) RGB.
            score_threshold: faces below it are dropped, in [0, 1].

        Returns:
            (n, 15), a row per face: left, top, width and height of its box, the x and y of five
            landmarks, all in pixels, and the score in [0, 1]; the most certain face first.
        """
        inputs = _inputs(image_rgb)
        outputs = self._session.run(_OUTPUTS, {"input": inputs})
        rows = [
            _candidates(level[0], stride_px, score_threshold)
            for level, stride_px in zip(outputs, STRIDES_PX, strict=True)
        ]
        return _without_repetitions(np.concatenate(rows), score_threshold)

    def rest(self) -> None:
        """Give back the memory that large pictures took: ONNX Runtime does so after a run that
        asks for it, here of the smallest picture."""
        inputs = np.zeros((1, 3, _MULTIPLE_PX, _MULTIPLE_PX), np.float32)
        self._session.run(_OUTPUTS, {"input": inputs}, shrinking())


def suppressed(
    rows: NDArray[np.float32], boxes: NDArray[np.float64], score_threshold: float = 0.0
) -> NDArray[np.float32]:
    """Faces without those whose boxes nearly repeat that of a more certain one.

    Args:
        rows: (n, 15), as `YuNetNetwork.find` gives them.
        boxes: left, top, width and height, (n, 4), to be compared.
        score_threshold: faces that are not above it are dropped.

    Returns:
        (m, 15), the most certain face first.
    """
    keep = cv2.dnn.NMSBoxes(
        boxes.tolist(), rows[:, 14].tolist(), score_threshold, NMS_IOU, 1.0, _MOST_CANDIDATES
    )
    return rows[np.asarray(keep, np.int64)]


def _inputs(image_rgb: Image) -> NDArray[np.float32]:
    """The picture as (1, 3, H, W) BGR in 0 to 255, with black to the right and below.

    OpenCV's ``blobFromImage`` takes ten times as long, and disturbs the threads of the network.
    """
    height, width = image_rgb.shape[:2]
    padded = (height + -height % _MULTIPLE_PX, width + -width % _MULTIPLE_PX)
    inputs = np.empty((1, 3, *padded), np.float32)
    inputs[..., height:, :] = inputs[..., width:] = 0.0
    for channel, plane in zip((2, 1, 0), cv2.split(image_rgb), strict=True):
        inputs[0, channel, :height, :width] = plane
    return inputs


def _candidates(
    values: NDArray[np.float32], stride_px: int, score_threshold: float
) -> NDArray[np.float32]:
    """Rows of the places of one level that score enough, (n, 15).

    Args:
        values: (channels, rows, columns), as `quick_network` says.
        stride_px: from one place to the next.
        score_threshold: smallest score.
    """
    columns = values.shape[2]
    places = values.reshape(len(values), -1)
    # A score is the root of two sigmoids' product, so neither may be below its square.
    (found,) = np.nonzero(np.minimum(places[0], places[1]) >= _logit(_NEARLY * score_threshold**2))
    if not len(found):
        return np.empty((0, 15), np.float32)
    seen = places[:, found].T
    with np.errstate(over="ignore"):
        scores = np.sqrt(np.prod(1.0 / (1.0 + np.exp(-seen[:, :_BOX])), axis=1))
    is_face = scores >= score_threshold
    found, seen, scores = found[is_face], seen[is_face], scores[is_face]
    row, column = np.divmod(found, columns)
    at = np.stack([column, row], axis=1).astype(np.float32)
    stride = np.float32(stride_px)
    size = np.exp(seen[:, _BOX + 2 : _POINTS]) * stride
    corner = (at + seen[:, _BOX : _BOX + 2]) * stride - size / 2
    points = (at[:, np.newaxis] + seen[:, _POINTS:].reshape(-1, 5, 2)) * stride
    return np.concatenate([corner, size, points.reshape(-1, 10), scores[:, np.newaxis]], axis=1)


def _logit(probability: float) -> float:
    """What a sigmoid makes this probability of; minus infinity for 0."""
    return math.log(probability / (1.0 - probability)) if probability > 0.0 else -math.inf


def _without_repetitions(rows: NDArray[np.float32], score_threshold: float) -> NDArray[np.float32]:
    if len(rows) < 2:
        return rows
    # `FaceDetectorYN` compares boxes in whole pixels.
    return suppressed(rows, np.trunc(rows[:, :4]).astype(np.float64), score_threshold)
