import numpy as np
import pytest

from mien.recognition.appearance import SIZE, Appearances, describe, distances, mixed
from picture_factory import gradient
from samples_factory import random_faces

FRAME = (640, 480)


def colour_faces(n: int, side: int = 80) -> list[np.ndarray]:
    grey = random_faces(3 * n, side=side)
    return [np.stack(list(grey[3 * i : 3 * i + 3]), axis=2) for i in range(n)]


def described(crops, places=None):
    """Crops that lie far from each other, or at given left and top."""
    places = places or [(10.0 + 120 * i, 10.0) for i in range(len(crops))]
    sides = [float(crop.shape[0]) for crop in crops]
    squares = np.array([(*place, side) for place, side in zip(places, sides, strict=True)])
    boxes = np.array([(x + 0.1 * s, y, 0.8 * s, s) for x, y, s in squares])
    return describe(crops, squares.reshape(-1, 3), boxes.reshape(-1, 4), FRAME)


def test_the_same_face_is_near_and_others_are_far() -> None:
    faces = colour_faces(4)
    between = distances(described(faces), described(faces))
    assert between.shape == (4, 4)
    assert np.abs(np.diag(between)).max() < 0.01
    assert between[~np.eye(4, dtype=bool)].min() > 0.4


def test_light_and_size_do_not_count() -> None:
    (face,) = colour_faces(1, 160)
    darker = (face * 0.5 + 20).astype(np.uint8)
    smaller = np.ascontiguousarray(face[::3, ::3])
    for changed in (darker, smaller):
        assert distances(described([face]), described([changed]))[0, 0] < 0.1


def test_what_lies_outside_of_the_frame_does_not_count() -> None:
    (face,) = colour_faces(1)
    cut = face.copy()
    cut[:, :40] = face[:, 40:41]  # the edge, repeated
    at_the_edge = described([cut], [(-40.0, 100.0)])
    assert at_the_edge.weights.sum() == SIZE / 2
    assert distances(described([face]), at_the_edge)[0, 0] < 0.15
    assert distances(described([face]), described([cut]))[0, 0] > 0.25


def test_what_another_face_hides_does_not_count() -> None:
    face, other = colour_faces(2)
    behind = face.copy()
    behind[:, 40:] = other[:, :40]
    found = described([behind, other], [(100.0, 100.0), (140.0, 100.0)])
    assert distances(described([face]), found)[0, 0] < 0.3
    assert distances(described([face]), described([behind]))[0, 0] > 0.4


def test_a_plain_face_says_nothing() -> None:
    plain = described([np.full((50, 50, 3), 90, np.uint8)])
    assert not plain.colours.any()
    assert distances(plain, described(colour_faces(2))).tolist() == [[0.0, 0.0]]


def test_no_faces() -> None:
    none = described([])
    assert none.colours.shape == none.weights.shape == (0, SIZE)
    assert distances(none, described(colour_faces(2))).shape == (0, 2)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (7, 7), (900, 900)])
def test_any_size(shape: tuple[int, int]) -> None:
    crop = gradient(max(2, shape[0]), max(2, shape[1]))[: shape[0], : shape[1]]
    assert np.isfinite(described([crop]).colours).all()


def test_memory_follows_and_completes() -> None:
    def one(value: float, weight: float) -> Appearances:
        rows = np.full((1, SIZE), value, np.float32)
        return Appearances(rows, np.full((1, SIZE), weight, np.float32))

    quarter = np.full((1, 1), 0.25, np.float32)
    assert mixed(one(0, 1), one(1, 1), quarter).colours[0, 0] == pytest.approx(0.25)
    assert mixed(one(0, 1), one(1, 0), quarter).colours[0, 0] == 0.0
    seen_first = mixed(one(0, 0), one(1, 1), quarter)
    assert seen_first.colours[0, 0] == 1.0
    assert seen_first.weights[0, 0] == 1.0
