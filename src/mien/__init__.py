"""mien: recognise the expressions that faces show.

    import mien

    recognizer = mien.Recognizer()
    result = recognizer.recognize(mien.read_image("photo.jpg"))
    for face in result.faces:
        print(face.box_xywh_px, face.expression.label.key, face.expression.confidence)

    video = mien.recognize_video("talk.mp4", out="annotated.mp4", timeline="talk.html")
    print(video.to_dataframe())

Names are loaded on first use: importing mien loads neither Keras nor ONNX Runtime nor OpenCV.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.data import read_samples
    from mien.drawing import annotate
    from mien.errors import MienError
    from mien.images import read_image
    from mien.labels import FER2013, FERPLUS, UNCERTAIN, Label, LabelSet
    from mien.model.card import ModelCard
    from mien.outputs.dataframe import to_dataframe
    from mien.recognition.classifier import Classifier
    from mien.recognition.recognizer import Recognizer
    from mien.recognition.segments import Segment
    from mien.recognition.video_recognizer import VideoRecognizer
    from mien.results import Detection, Expression, Face, FrameResult
    from mien.samples import Samples, Split
    from mien.sources import open_frames
    from mien.workflows.videos import VideoResult, recognize_video

__version__ = "0.1.0"

_MODULE_OF_NAME = {
    "Classifier": "mien.recognition.classifier",
    "Detection": "mien.results",
    "Expression": "mien.results",
    "FER2013": "mien.labels",
    "FERPLUS": "mien.labels",
    "Face": "mien.results",
    "FrameResult": "mien.results",
    "Label": "mien.labels",
    "LabelSet": "mien.labels",
    "MienError": "mien.errors",
    "ModelCard": "mien.model.card",
    "Recognizer": "mien.recognition.recognizer",
    "Samples": "mien.samples",
    "Segment": "mien.recognition.segments",
    "Split": "mien.samples",
    "UNCERTAIN": "mien.labels",
    "VideoRecognizer": "mien.recognition.video_recognizer",
    "VideoResult": "mien.workflows.videos",
    "annotate": "mien.drawing",
    "open_frames": "mien.sources",
    "read_image": "mien.images",
    "read_samples": "mien.data",
    "recognize_video": "mien.workflows.videos",
    "to_dataframe": "mien.outputs.dataframe",
}

__all__ = [  # noqa: RUF022  (sorted as a person would)
    "Classifier",
    "Detection",
    "Expression",
    "FER2013",
    "FERPLUS",
    "Face",
    "FrameResult",
    "Label",
    "LabelSet",
    "MienError",
    "ModelCard",
    "Recognizer",
    "Samples",
    "Segment",
    "Split",
    "UNCERTAIN",
    "VideoRecognizer",
    "VideoResult",
    "annotate",
    "open_frames",
    "read_image",
    "read_samples",
    "recognize_video",
    "to_dataframe",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF_NAME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
