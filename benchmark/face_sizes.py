"""Which faces YuNet finds when it searches a reduced picture once, by their width in it.

    python benchmark/face_sizes.py ../shared

``../shared`` holds YuNet's file, a group photo and a clip of one woman, as the tests use them.
Photo and frames of the clip are shrunk until a face has a wanted width, and laid on a plain ground
of 320 pixels; what YuNet finds in the unshrunk picture is the truth. The five people have their
shoulders with them; the woman's face fills her frame, so that around it, shrunk, there is nothing.
"""

import argparse
from pathlib import Path

import av
import cv2
import numpy as np

from mien.images import read_image
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.video_recognizer import SMALLEST_VIDEO_SEARCH_PX

BOUNDS_PX = (8, 10, 12, 14, 16, 20, 24, 30, 40, 60)


def frames_of_clip(shared: Path) -> list[np.ndarray]:
    """Every 60th picture of the clip."""
    with av.open(str(shared / "media" / "WolfgangLanger_Pexels.mp4")) as container:
        pictures = enumerate(container.decode(video=0))
        return [frame.to_ndarray(format="rgb24") for n, frame in pictures if n % 60 == 0]


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    shared = parser.parse_args().shared
    path = shared / "models" / "face_detection_yunet_2023mar.onnx"
    thorough, detector = YuNet(path), YuNet(path, search_side_px=SMALLEST_VIDEO_SEARCH_PX)
    group = read_image(shared / "media" / "multi_face.jpg")
    clip = frames_of_clip(shared)
    rng = np.random.default_rng(0)
    print(f"{'width, px':>10s} {'five people':>13s} {'one close up':>13s}")
    hits = np.zeros((2, len(BOUNDS_PX)))
    tries = np.zeros((2, len(BOUNDS_PX)))
    for image, kind in [(group, 0)] * 150 + [(image, 1) for image in clip] * 50:
        boxes = np.array([face.box_xywh_px for face in thorough.detect(image)])
        scale = np.exp(rng.uniform(np.log(8), np.log(60))) / np.median(boxes[:, 2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = small.shape[:2]
        ground = np.full(
            (max(213, height), max(320, width), 3), small.mean((0, 1)).astype(np.uint8)
        )
        left = int(rng.integers(0, ground.shape[1] - width + 1))
        top = int(rng.integers(0, ground.shape[0] - height + 1))
        ground[top : top + height, left : left + width] = small
        found = np.array([face.box_xywh_px for face in detector.detect(ground)]).reshape(-1, 4)
        centres = found[:, :2] + found[:, 2:] / 2
        for box in boxes * scale:
            cell = int(np.searchsorted(BOUNDS_PX, box[2], side="right")) - 1
            if cell >= 0:
                middle = box[:2] + box[2:] / 2 + (left, top)
                tries[kind, cell] += 1
                hits[kind, cell] += (np.hypot(*(centres - middle).T) < box[2] / 2).any()
    for cell, low in enumerate(BOUNDS_PX[:-1]):
        rates = [f"{hits[k, cell] / max(tries[k, cell], 1):12.0%}" for k in (0, 1)]
        print(f"{low:4d} to {BOUNDS_PX[cell + 1]:2d} {rates[0]} {rates[1]}")


if __name__ == "__main__":
    main()
