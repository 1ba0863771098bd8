"""Every number of recognition in the browser, as JSON: the one source is where Python keeps it."""

from typing import Any

import mien
from mien import head_pose
from mien.drawing.style import ink_on
from mien.labels import UNCERTAIN, Label, label_set_of
from mien.model.card import ModelCard
from mien.outputs.rows import columns
from mien.page.runtime import GLUE_NAME, MODULE_NAME, WASM_NAME
from mien.preprocessing import TURN_FROM_DEG, TURNED_SIDE_PX
from mien.recognition import appearance, scenes, smoothing, tracks, turning
from mien.recognition.detectors import second_look, yunet
from mien.recognition.video_recognizer import (
    LARGEST_VIDEO_SEARCH_PX,
    LIVE_SEARCH_SIDE_PX,
    SMALLEST_VIDEO_SEARCH_PX,
)
from mien.results import LANDMARKS

MODEL_NAME, DETECTOR_NAME, NUMBERS_NAME = "model.onnx", "yunet.onnx", "model.json"
"""Files beside the page's modules: the classifier, the detector, and what `numbers_of` gives."""

MOST_PIXELS = 16_000_000
"""Larger photos are reduced to this in the browser: the canvas of an iPhone holds no more."""


def numbers_of(card: ModelCard) -> dict[str, Any]:
    """What the page needs to know of a model, and of everything around it.

    Args:
        card: of the classifier.

    Returns:
        JSON-ready values; pixels, seconds and degrees as the names say.
    """
    label_set = label_set_of(tuple(card.labels))
    keys = label_set.keys
    return {
        "mien": mien.__version__,
        "model": {
            "name": card.name,
            "licence": card.licence,
            "file": MODEL_NAME,
            "width_px": card.input.width_px,
            "height_px": card.input.height_px,
            "channels": card.input.channels,
            "temperature": card.temperature,
        },
        "labels": [_shown(label) for label in label_set],
        UNCERTAIN.key: _shown(UNCERTAIN),
        "crop": _crop(card),
        "detector": {"name": yunet.YuNet.name, "file": DETECTOR_NAME, **yunet.NUMBERS},
        "turning": turning.NUMBERS,
        "second_look": second_look.NUMBERS,
        "pose": {"names": LANDMARKS, **head_pose.NUMBERS},
        "video": {
            "live_side_px": LIVE_SEARCH_SIDE_PX,
            "smallest_side_px": SMALLEST_VIDEO_SEARCH_PX,
            "largest_side_px": LARGEST_VIDEO_SEARCH_PX,
        },
        "tracks": tracks.NUMBERS,
        "appearance": appearance.NUMBERS,
        "cuts": scenes.NUMBERS,
        "smoothing": smoothing.NUMBERS,
        "photo_columns": columns(keys, with_raw=False),
        "video_columns": columns(keys, with_raw=True),
        "most_pixels": MOST_PIXELS,
        "runtime": {"module": MODULE_NAME, "glue": GLUE_NAME, "wasm": WASM_NAME},
    }


def _shown(label: Label) -> dict[str, Any]:
    return {
        "key": label.key,
        "name": label.display_name,
        "color_rgb": label.color_rgb,
        "ink_rgb": ink_on(label.color_rgb),
    }


def _crop(card: ModelCard) -> dict[str, Any] | None:
    """From YuNet's box to the crop; None where it was not measured for the model's framing."""
    geometry = yunet.YuNet.crops.get(card.framing)
    if geometry is None:
        return None
    return {
        "side_per_width": geometry.side_per_width,
        "shift_x": geometry.shift_x,
        "shift_y": geometry.shift_y,
        "landmarks": geometry.landmarks,
        "turn_from_deg": TURN_FROM_DEG,
        "turned_side_px": TURNED_SIDE_PX,
    }
