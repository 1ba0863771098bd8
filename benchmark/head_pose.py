"""How far roll, yaw and pitch are from the truth: of faces that are rendered, and that are turned.

    python benchmark/head_pose.py rendered meshes.npz --per-photo 4
    python benchmark/head_pose.py turned photo.jpg more/*.png
    python benchmark/head_pose.py swaying photo.jpg more/*.png

*rendered*: each photo's face becomes a mesh (head_pose_meshes.py), which is brought to face the
camera, turned by known angles and drawn again with the photo on it, 400 pixels wide. A face looks
straight ahead where its sides are level and the top of its forehead is as far away as its chin.

*turned*: photos are turned in their plane; what is found must turn by as much.

*swaying*: the same as videos of two seconds, in which a photo sways once to each side, without and
with the second look at tilted faces.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import Delaunay

from mien.head_pose import head_pose, rotation_of
from mien.images import read_image
from mien.recognition.detectors import load_detector
from mien.recognition.detectors.detector import FaceDetector, LooksAgain
from mien.recognition.recognizer import Recognizer
from mien.recognition.video_recognizer import VideoRecognizer
from mien.results import Detection, Face, HeadPose

SIDE_PX = 400
DISTANCE_MM, EYES_MM, PIXELS_PER_MM = 1000.0, 63.0, 1.55
PIVOT_MM = np.array([0.0, 30.0, 60.0])
"""About which the head turns, from between the eyes."""
FRAMES, FRAME_RATE_HZ, MOST_SWAY = 50, 25.0, 40.0
MOST = (30.0, 45.0, 25.0)
"""Of roll, yaw and pitch, in degrees."""
MIRRORED = ((33, 263), (133, 362), (61, 291), (234, 454), (127, 356), (50, 280))
FOREHEAD, CHIN, EYE_CORNERS = 10, 152, (33, 133, 362, 263)
OUTLINE = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
RINGS = ((1.12, 18.0), (1.28, 50.0), (1.45, 95.0))
"""What is around the face, as shares of its outline and millimetres behind it."""


def ahead(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A mesh of a head that looks into the camera, in millimetres, and its places in the photo."""
    across = np.mean([mesh[b] - mesh[a] for a, b in MIRRORED], axis=0)
    across /= np.linalg.norm(across)
    down = mesh[CHIN] - mesh[FOREHEAD]
    down -= across * (across @ down)
    down /= np.linalg.norm(down)
    axes = np.stack([across, down, np.cross(across, down)], axis=1)
    points = (mesh - mesh[list(EYE_CORNERS)].mean(axis=0)) @ axes
    eyes = points[[33, 133]].mean(axis=0) - points[[263, 362]].mean(axis=0)
    points *= EYES_MM / np.linalg.norm(eyes)
    outline, flat = points[list(OUTLINE)], mesh[list(OUTLINE), :2]
    rings, places = [], []
    for share, behind in RINGS:
        ring = outline.mean(axis=0) + (outline - outline.mean(axis=0)) * (share, share, 1.0)
        ring[:, 2] = (outline[:, 2] + outline[:, 2].mean()) / 2 + behind
        rings.append(ring)
        places.append(flat.mean(axis=0) + (flat - flat.mean(axis=0)) * share)
    return np.concatenate([points, *rings]), np.concatenate([mesh[:, :2], *places])


def drawn(image: np.ndarray, points: np.ndarray, places: np.ndarray, pose: HeadPose) -> np.ndarray:
    """The head with the photo on it, turned, far triangles first."""
    turned = (points - PIVOT_MM) @ rotation_of(pose).T + PIVOT_MM * (0.0, 0.0, 1.0)
    turned += (0.0, 0.0, DISTANCE_MM)
    seen = turned[:, :2] / turned[:, 2:] * DISTANCE_MM * PIXELS_PER_MM + SIDE_PX / 2
    out = cv2.GaussianBlur(cv2.resize(image, (SIDE_PX, SIDE_PX)), (0, 0), 16)
    triangles = Delaunay(points[:, :2]).simplices
    for corners in triangles[np.argsort(-turned[triangles, 2].mean(axis=1))]:
        to, at = seen[corners].astype(np.float32), places[corners].astype(np.float32)
        area = twice_the_area(to)
        if abs(area) < 0.1 or area * twice_the_area(at) <= 0:
            continue  # seen from behind
        low = np.maximum(np.floor(to.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(to.max(axis=0)).astype(int) + 2, SIDE_PX)
        if (high <= low).any():
            continue
        width, height = (high - low).tolist()
        matrix = cv2.getAffineTransform(at, to - low.astype(np.float32))
        patch = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, np.round((to - low) * 16).astype(np.int32), 255, cv2.LINE_8, 4)
        inside = cv2.dilate(mask, np.ones((2, 2), np.uint8)) > 0
        out[low[1] : high[1], low[0] : high[0]][inside] = patch[inside]
    return out


def twice_the_area(corners: np.ndarray) -> float:
    """Of a triangle, (3, 2); negative where its corners go the other way round."""
    (ax, ay), (bx, by) = corners[1] - corners[0], corners[2] - corners[0]
    return float(ax * by - ay * bx)


def rendered(path: Path, per_photo: int, seed: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each face that is found: its photo, the true angles and those that mien gives."""
    detector, random = load_detector("yunet"), np.random.default_rng(seed)
    with np.load(path) as meshes:
        for photo in meshes.files:
            image = read_image(Path(photo))
            points, places = ahead(meshes[photo])
            for _ in range(per_photo):
                truth = random.uniform(-np.array(MOST), MOST)
                picture = drawn(image, points, places, HeadPose(*truth))
                middle = (SIDE_PX / 2, SIDE_PX / 2)
                faces = [
                    face
                    for face in seen_by(detector, picture)
                    if math.dist(np.mean(face.landmarks_px, axis=0), middle) < SIDE_PX / 4
                ]
                if faces:
                    best = max(faces, key=lambda face: face.score)
                    yield photo, truth, angles(head_pose(best.landmarks_px))


def seen_by(detector: FaceDetector, image: np.ndarray) -> tuple[Detection, ...]:
    """The faces of a picture, as a recogniser gives them: those of photos are looked at again."""
    found = detector.detect(image)
    is_photo = isinstance(detector, LooksAgain) and detector.search_side_px is None
    return detector.look_again(image, found) if is_photo else found


def on_a_larger_ground(image: np.ndarray, turn_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture turned about its middle, and the affine map (2, 3) from its points."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turn_deg, 1.0)
    matrix[:, 2] += 0.25 * np.array([width, height])
    size = (int(1.5 * width), int(1.5 * height))
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE), matrix


def rolls(
    upright: Sequence[Detection | Face], found: Sequence[Detection | Face], matrix: np.ndarray
) -> Iterator[float]:
    """By how many degrees the roll of each upright face differs where it is found again."""
    for face in upright:
        center = matrix[:, :2] @ np.mean(face.landmarks_px, axis=0) + matrix[:, 2]
        for other in found:
            away = math.dist(np.mean(other.landmarks_px, axis=0), center)
            if away < face.box_xywh_px[2] / 3:
                there, here = (angles(head_pose(one.landmarks_px))[0] for one in (other, face))
                yield there - here
                break


def turned(photos: list[str], side_px: int | None) -> Iterator[tuple[float, float]]:
    """By how much each face of each photo was turned, and by how much mien says it was."""
    detector = load_detector("yunet", search_side_px=side_px)
    for photo in photos:
        image = read_image(Path(photo))
        upright = seen_by(detector, image)
        for turn in np.linspace(-40.0, 40.0, 13):
            picture, matrix = on_a_larger_ground(image, turn)
            for rolled in rolls(upright, seen_by(detector, picture), matrix):
                yield turn, rolled


def swaying(photos: list[str], side_px: int, exact_tilt: bool) -> Iterator[tuple[float, float]]:
    """As `turned`, frame by frame of videos."""
    still = load_detector("yunet")
    video = VideoRecognizer(
        Recognizer("default", load_detector("yunet", search_side_px=side_px)),
        search_side_px=side_px,
        exact_tilt=exact_tilt,
    )
    for photo in photos:
        image = read_image(Path(photo))
        upright = seen_by(still, image)
        video.restart()
        for frame in range(FRAMES):
            turn = MOST_SWAY * math.sin(2 * math.pi * frame / FRAMES)
            picture, matrix = on_a_larger_ground(image, turn)
            found = video.recognize(picture, frame=frame, time_s=frame / FRAME_RATE_HZ).faces
            for rolled in rolls(upright, found, matrix):
                yield turn, rolled


def angles(pose: HeadPose | None) -> np.ndarray:
    """Roll, yaw and pitch in degrees, (3,)."""
    assert pose is not None
    return np.array([pose.roll_deg, pose.yaw_deg, pose.pitch_deg])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("rendered")
    one.add_argument("meshes", type=Path)
    one.add_argument("--per-photo", type=int, default=4)
    one.add_argument("--seed", type=int, default=5)
    other = kinds.add_parser("turned")
    other.add_argument("photos", nargs="+")
    third = kinds.add_parser("swaying")
    third.add_argument("photos", nargs="+")
    options = parser.parse_args()
    if options.kind == "swaying":
        for side_px in (640, 320):
            for exact_tilt in (False, True):
                truth, said = np.array(list(swaying(options.photos, side_px, exact_tilt))).T
                away = np.abs(said - truth)
                print(
                    f"search {side_px}, {'with' if exact_tilt else 'without'} the second look: "
                    f"{len(away)} faces, roll off by {np.median(away):.1f} (median), "
                    f"{np.percentile(away, 90):.1f} (90 of 100)"
                )
        return
    if options.kind == "turned":
        for side_px in (None, 640, 320):
            truth, said = np.array(list(turned(options.photos, side_px))).T
            away = np.abs(said - truth)
            print(
                f"search {side_px or 'as for photos'}: {len(away)} faces, roll off by "
                f"{np.median(away):.1f} (median), {np.percentile(away, 90):.1f} (90 of 100)"
            )
        return
    found = list(rendered(options.meshes, options.per_photo, options.seed))
    photos = sorted({photo for photo, _, _ in found})
    for name, half in (("all", photos), ("every second photo", photos[1::2])):
        rows = [(truth, said) for photo, truth, said in found if photo in half]
        truth, said = (np.array(column) for column in zip(*rows, strict=True))
        away = np.abs(said - truth)
        print(f"{name}: {len(rows)} faces; roll, yaw, pitch")
        print(
            f"  median {np.median(away, axis=0).round(1)}, 90 of 100 below "
            f"{np.percentile(away, 90, axis=0).round(1)}"
        )


if __name__ == "__main__":
    main()
