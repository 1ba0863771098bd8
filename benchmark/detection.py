"""Processor time of face detection: YuNet in ONNX Runtime against the same in OpenCV.

    python benchmark/detection.py PHOTO CLIP [--yunet FILE] [--rounds 40]

Both search the same pictures, in turn, in one process, and both with the same code around the
network: a photo of 640 x 480 twice, at 640 and at 320; frames of 640 x 360 once, at 320. The
processor time of all threads is printed, which other work on the machine disturbs less than the
clock does, and how far the boxes and scores lie apart.
"""

import argparse
import os
import statistics
import threading
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import read_image
from mien.model import store
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.detectors.yunet_network import NMS_IOU
from mien.recognition.video_recognizer import video_search_side_px
from mien.samples import Image
from mien.sources import open_frames

PHOTO_PX, FRAME_PX = (640, 480), (640, 360)
N_FRAMES = 60


class OpenCvNetwork:
    """`YuNetNetwork` by OpenCV's ``FaceDetectorYN``, as mien had it before."""

    def __init__(self, content: bytes) -> None:
        self._content = np.frombuffer(content, np.uint8)
        self._lock = threading.Lock()
        self._detector = cv2.FaceDetectorYN.create(
            "onnx", self._content, np.empty(0, np.uint8), (320, 320), 0.7, NMS_IOU
        )

    def find(self, image_rgb: Image, score_threshold: float) -> NDArray[np.float32]:
        """Rows as those of `YuNetNetwork.find`."""
        bgr = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
        with self._lock:
            self._detector.setScoreThreshold(score_threshold)
            self._detector.setInputSize((bgr.shape[1], bgr.shape[0]))
            found = self._detector.detect(bgr)[1]
        return np.array([] if found is None else found, np.float32).reshape(-1, 15)


def compare(name: str, ours: YuNet, opencvs: YuNet, pictures: Sequence[Image], rounds: int) -> None:
    """Measure both in turn and print a line."""
    times_ms: dict[YuNet, list[float]] = {ours: [], opencvs: []}
    for number in range(rounds + 1):
        image = pictures[number % len(pictures)]
        for detector in (ours, opencvs):
            start = time.process_time()
            detector.detect(image)
            if number:  # the first round prepares
                times_ms[detector].append(1e3 * (time.process_time() - start))
    mien_ms, opencv_ms = (statistics.median(times_ms[detector]) for detector in (ours, opencvs))
    box_px, score, n_faces = 0.0, 0.0, 0
    for image in pictures:
        a, b = ours.detect(image), opencvs.detect(image)
        if len(a) != len(b):
            raise SystemExit(f"{name}: {len(a)} faces in place of {len(b)}")
        n_faces += len(a)
        for one, other in zip(a, b, strict=True):
            difference = np.subtract(one.box_xywh_px, other.box_xywh_px)
            box_px = max(box_px, float(np.abs(difference).max()))
            score = max(score, abs(one.score - other.score))
    print(
        f"{name:24} {mien_ms:7.2f} {opencv_ms:7.2f} {mien_ms / opencv_ms:6.2f}   "
        f"{n_faces} faces in {len(pictures)} pictures, boxes within {box_px:.1e} px, scores "
        f"within {score:.0e}"
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--yunet", type=Path, metavar="FILE", help="YuNet's file, if not fetched")
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    path = arguments.yunet or store.fetch("yunet")

    photo = cv2.resize(read_image(arguments.photo), PHOTO_PX, interpolation=cv2.INTER_AREA)
    with open_frames(arguments.clip) as source:
        frames = [cv2.resize(frame.image_rgb, FRAME_PX) for frame in islice(source, N_FRAMES)]
    print(f"load {os.getloadavg()[0]:.1f}; processor ms, median of {arguments.rounds}")
    print(f"{'':24} {'mien':>7} {'OpenCV':>7} {'ratio':>6}")
    for name, side_px, pictures in (
        ("photo of 640 x 480", None, [photo]),
        ("frame of 640 x 360", video_search_side_px(*FRAME_PX), frames),
    ):
        ours, opencvs = (YuNet(path, search_side_px=side_px) for _ in range(2))
        opencvs._network = OpenCvNetwork(path.read_bytes())  # type: ignore[assignment]
        compare(name, ours, opencvs, pictures, arguments.rounds)


if __name__ == "__main__":
    main()
