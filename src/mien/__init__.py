"""mien: recognise the expressions that faces show.

    import mien

    result = mien.recognize("photo.jpg")
    for face in result.faces:
        print(face.box_xywh_px, face.expression.label.key, face.expression.confidence)
    result.save("annotated.jpg")

    video = mien.recognize_video("talk.mp4", out="annotated.mp4", timeline="talk.html")
    print(video.to_dataframe())

Everything that is public stands here; docs/python.md shows it. Names are loaded on first use:
importing mien loads neither Keras nor ONNX Runtime nor OpenCV.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.data import read_samples
    from mien.drawing import annotate
    from mien.errors import (
        CalibrationError,
        DatasetError,
        DetectorError,
        EngineError,
        ImageError,
        ImageTooLargeError,
        MienError,
        MissingExtraError,
        ModelError,
        OutputError,
        ParityError,
        PictureError,
        RecipeError,
        ServeError,
        SourceError,
        TrainingError,
        VideoError,
        WeightsError,
        WindowError,
    )
    from mien.formats.reading import Reading
    from mien.images import read_image
    from mien.labels import FER2013, FERPLUS, UNCERTAIN, Label, LabelSet
    from mien.live.session import show_live
    from mien.model.card import ModelCard
    from mien.outputs.dataframe import to_dataframe
    from mien.recognition.classifier import Classifier
    from mien.recognition.recognizer import Recognizer
    from mien.recognition.segments import Segment
    from mien.recognition.video_recognizer import VideoRecognizer
    from mien.results import Detection, Expression, Face, FrameResult
    from mien.samples import Samples, Split
    from mien.sources import open_frames
    from mien.sources.source import Frame
    from mien.workflows.auditing import audit
    from mien.workflows.calibrating import CalibrationResult, calibrate
    from mien.workflows.cards import CardResult, card, notice
    from mien.workflows.comparing import ComparisonResult, compare
    from mien.workflows.datasets.results import DatasetResult
    from mien.workflows.datasets.run import recognize_dataset
    from mien.workflows.evaluating import EvaluationResult, evaluate
    from mien.workflows.explained import ExplainResult
    from mien.workflows.explaining import explain, explain_data
    from mien.workflows.exporting import ExportResult, ensemble, export
    from mien.workflows.folders import FolderResult, recognize_folder
    from mien.workflows.group_alarms import GroupsResult, groups
    from mien.workflows.grouping import GroupsWanted
    from mien.workflows.models import KnownModel, fetch_model, known_models
    from mien.workflows.pictures import PictureResult, recognize
    from mien.workflows.stressing import StressResult, stress
    from mien.workflows.training import train
    from mien.workflows.videos import VideoResult, recognize_video, stream

__version__ = "0.1.0"

# ONNX Runtime from 1.32 on reports its use to Microsoft unless this is set before it is loaded
# (its Privacy.md). mien calls nobody without being asked.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_MODULE_OF_NAME = {
    "CalibrationError": "mien.errors",
    "CalibrationResult": "mien.workflows.calibrating",
    "CardResult": "mien.workflows.cards",
    "Classifier": "mien.recognition.classifier",
    "ComparisonResult": "mien.workflows.comparing",
    "DatasetError": "mien.errors",
    "DatasetResult": "mien.workflows.datasets.results",
    "Detection": "mien.results",
    "DetectorError": "mien.errors",
    "EngineError": "mien.errors",
    "EvaluationResult": "mien.workflows.evaluating",
    "ExplainResult": "mien.workflows.explained",
    "ExportResult": "mien.workflows.exporting",
    "Expression": "mien.results",
    "FER2013": "mien.labels",
    "FERPLUS": "mien.labels",
    "Face": "mien.results",
    "FolderResult": "mien.workflows.folders",
    "Frame": "mien.sources.source",
    "FrameResult": "mien.results",
    "GroupsResult": "mien.workflows.group_alarms",
    "GroupsWanted": "mien.workflows.grouping",
    "ImageError": "mien.errors",
    "ImageTooLargeError": "mien.errors",
    "KnownModel": "mien.workflows.models",
    "Label": "mien.labels",
    "LabelSet": "mien.labels",
    "MienError": "mien.errors",
    "MissingExtraError": "mien.errors",
    "ModelCard": "mien.model.card",
    "ModelError": "mien.errors",
    "OutputError": "mien.errors",
    "ParityError": "mien.errors",
    "PictureError": "mien.errors",
    "PictureResult": "mien.workflows.pictures",
    "Reading": "mien.formats.reading",
    "RecipeError": "mien.errors",
    "Recognizer": "mien.recognition.recognizer",
    "Samples": "mien.samples",
    "ServeError": "mien.errors",
    "Segment": "mien.recognition.segments",
    "SourceError": "mien.errors",
    "Split": "mien.samples",
    "StressResult": "mien.workflows.stressing",
    "Summary": "mien.summaries.summary",
    "TableError": "mien.errors",
    "TrainingError": "mien.errors",
    "UNCERTAIN": "mien.labels",
    "VideoError": "mien.errors",
    "VideoRecognizer": "mien.recognition.video_recognizer",
    "VideoResult": "mien.workflows.videos",
    "WeightsError": "mien.errors",
    "WindowError": "mien.errors",
    "annotate": "mien.drawing",
    "audit": "mien.workflows.auditing",
    "calibrate": "mien.workflows.calibrating",
    "card": "mien.workflows.cards",
    "compare": "mien.workflows.comparing",
    "ensemble": "mien.workflows.exporting",
    "evaluate": "mien.workflows.evaluating",
    "explain": "mien.workflows.explaining",
    "explain_data": "mien.workflows.explaining",
    "export": "mien.workflows.exporting",
    "export_page": "mien.workflows.page",
    "fetch_model": "mien.workflows.models",
    "groups": "mien.workflows.group_alarms",
    "known_models": "mien.workflows.models",
    "notice": "mien.workflows.cards",
    "open_frames": "mien.sources",
    "read_image": "mien.images",
    "read_samples": "mien.data",
    "recognize": "mien.workflows.pictures",
    "recognize_dataset": "mien.workflows.datasets.run",
    "recognize_folder": "mien.workflows.folders",
    "recognize_video": "mien.workflows.videos",
    "show_live": "mien.live.session",
    "stream": "mien.workflows.videos",
    "stress": "mien.workflows.stressing",
    "summarize": "mien.workflows.summarizing",
    "to_dataframe": "mien.outputs.dataframe",
    "train": "mien.workflows.training",
}

__all__ = [  # noqa: RUF022  (sorted as a person would)
    "CalibrationError",
    "CalibrationResult",
    "CardResult",
    "Classifier",
    "ComparisonResult",
    "DatasetError",
    "DatasetResult",
    "Detection",
    "DetectorError",
    "EngineError",
    "EvaluationResult",
    "ExplainResult",
    "ExportResult",
    "Expression",
    "FER2013",
    "FERPLUS",
    "Face",
    "FolderResult",
    "Frame",
    "FrameResult",
    "GroupsResult",
    "GroupsWanted",
    "ImageError",
    "ImageTooLargeError",
    "KnownModel",
    "Label",
    "LabelSet",
    "MienError",
    "MissingExtraError",
    "ModelCard",
    "ModelError",
    "OutputError",
    "ParityError",
    "PictureError",
    "PictureResult",
    "Reading",
    "RecipeError",
    "Recognizer",
    "Samples",
    "ServeError",
    "Segment",
    "SourceError",
    "Split",
    "StressResult",
    "Summary",
    "TableError",
    "TrainingError",
    "UNCERTAIN",
    "VideoError",
    "VideoRecognizer",
    "VideoResult",
    "WeightsError",
    "WindowError",
    "annotate",
    "audit",
    "calibrate",
    "card",
    "compare",
    "ensemble",
    "evaluate",
    "explain",
    "explain_data",
    "export",
    "export_page",
    "fetch_model",
    "groups",
    "known_models",
    "notice",
    "open_frames",
    "read_image",
    "read_samples",
    "recognize",
    "recognize_dataset",
    "recognize_folder",
    "recognize_video",
    "show_live",
    "stream",
    "stress",
    "summarize",
    "to_dataframe",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF_NAME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
