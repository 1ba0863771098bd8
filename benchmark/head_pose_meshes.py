"""Meshes of the faces of photos, for head_pose.py, by MediaPipe's face mesh.

Run it with a Python that has MediaPipe, which needs other versions than mien does:

    python -m venv /tmp/mesh && /tmp/mesh/bin/pip install mediapipe==0.10.14 "numpy<2"
    /tmp/mesh/bin/python benchmark/head_pose_meshes.py meshes.npz photo.jpg more/*.png

Photos of one face each give the clearest result; small faces should be enlarged before.
"""

import sys
from pathlib import Path

import cv2
import mediapipe
import numpy as np


def main() -> None:
    """Find meshes and store them."""
    out, photos = sys.argv[1], sys.argv[2:]
    found = {}
    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=1, min_detection_confidence=0.3
    ) as network:
        for photo in photos:
            image = cv2.imread(photo)
            result = network.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            for face in result.multi_face_landmarks or ():
                height, width = image.shape[:2]
                found[str(Path(photo).resolve())] = np.array(
                    [
                        [point.x * width, point.y * height, point.z * width]
                        for point in face.landmark
                    ]
                )
    np.savez(out, **found)
    print(f"{len(found)} meshes of {len(photos)} photos")


if __name__ == "__main__":
    main()
