"""Measure, per detector, the square around its box that frames a face as FER-2013's tiles do.

    python benchmark/crop_geometry.py pixels.png yunet --model face_detection_yunet_2023mar.onnx
    python benchmark/crop_geometry.py pixels.png haar

``pixels.png`` is a grey mosaic of 48 x 48 tiles, 180 in a line, in the data set's row order. Each
tile is enlarged 6 times (288 pixels) and its edge repeated for a quarter of its size, for
detectors look beyond the face; then the tile's square is expressed relative to the detector's
box. The median over all tiles with exactly one face is the geometry; the quartiles say how much
single faces differ. The border matters a little: a grey one moves YuNet's shift_y from 0.01 to
-0.01. Rows from --first on are PublicTest: the measure never sees the test split.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.detectors.haar import Haar
from mien.recognition.detectors.yunet import YuNet

TILE_PX = 48
TILES_IN_LINE = 180
ENLARGED = 6
BORDER = 72


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("mosaic", type=Path)
    parser.add_argument("detector", choices=("yunet", "haar"))
    parser.add_argument("--model", type=Path, help="YuNet's file")
    parser.add_argument("--first", type=int, default=28_709, help="first row")
    parser.add_argument("--rows", type=int, default=3_589, help="number of rows")
    parser.add_argument("--every", type=int, default=3, help="take every n-th row")
    arguments = parser.parse_args()
    if arguments.detector == "yunet" and arguments.model is None:
        parser.error("yunet needs --model")
    detector: FaceDetector = Haar() if arguments.detector == "haar" else YuNet(arguments.model)

    PIL.Image.MAX_IMAGE_PIXELS = None
    mosaic = np.asarray(PIL.Image.open(arguments.mosaic))
    rows = range(arguments.first, arguments.first + arguments.rows, arguments.every)
    tile = TILE_PX * ENLARGED
    found = []
    boxes = []
    landmarks = []
    for row in rows:
        line, column = divmod(row, TILES_IN_LINE)
        top, left = TILE_PX * line, TILE_PX * column
        pixels = mosaic[top : top + TILE_PX, left : left + TILE_PX]
        enlarged = cv2.resize(pixels, (tile, tile), interpolation=cv2.INTER_CUBIC)
        padded = np.pad(enlarged, BORDER, mode="edge")
        faces = detector.detect(np.repeat(padded[..., np.newaxis], 3, axis=2))
        if len(faces) != 1:
            continue
        x, y, width, height = faces[0].box_xywh_px
        center = BORDER + tile / 2
        found.append(
            (
                tile / width,
                (center - (x + width / 2)) / tile,
                (center - (y + height / 2)) / tile,
            )
        )
        boxes.append(((x - BORDER) / tile, (y - BORDER) / tile, width / tile, height / tile))
        landmarks.append((np.array(faces[0].landmarks_px).reshape(-1, 2) - center) / tile)

    table = np.asarray(found)
    print(f"{detector.name}: one face in {len(table)} of {len(rows)} tiles")
    for name, column in zip(("side_per_width", "shift_x", "shift_y"), table.T, strict=True):
        low, middle, high = np.percentile(column, [25, 50, 75])
        print(f"  {name:14} {middle:7.3f}   quartiles {low:.3f} {high:.3f}")
    print("  median box of the tile, x y w h:", np.round(np.median(boxes, axis=0), 3).tolist())
    print("  median landmarks from the centre:", np.round(np.median(landmarks, axis=0), 3).tolist())
    geometry = detector.crops["fer2013"]
    print(f"  stored: {geometry}")


if __name__ == "__main__":
    main()
