import cv2
import numpy as np
import pytest

from mien.preprocessing import (
    CropGeometry,
    InputSpec,
    crop_face,
    crop_square,
    to_grey,
    to_network_input,
)
from picture_factory import gradient, noise

GREY = InputSpec(48, 48, 1)


def test_crop_inside_is_a_slice():
    image = gradient(40, 60)
    assert np.array_equal(crop_square(image, 10.2, 4.6, 20.4), image[5:25, 10:30])
    assert np.array_equal(crop_square(image[..., 0], 0, 0, 40), image[:40, :40, 0])


def test_crop_beyond_the_edge_repeats_it():
    image = gradient(10, 10)
    padded = np.pad(image, ((20, 20), (20, 20), (0, 0)), mode="edge")
    for left, top in ((-5, -5), (5, 7), (-5, 7), (0, -3), (-10, 2)):
        expected = padded[20 + top : 30 + top, 20 + left : 30 + left]
        assert np.array_equal(crop_square(image, left, top, 10), expected)


def test_crop_that_misses_the_picture_still_has_its_size():
    image = gradient(10, 10)
    assert (crop_square(image, 50, 50, 8) == image[9, 9]).all()
    assert crop_square(image, 50, -50, 8).shape == (8, 8, 3)
    assert crop_square(image, 3, 3, 0.2).shape == (1, 1, 3)


def test_geometry_moves_and_scales():
    geometry = CropGeometry(side_per_width=2.0, shift_x=0.25, shift_y=-0.5)
    left, top, side = geometry.square((100.0, 50.0, 10.0, 30.0))
    assert side == 20.0
    assert (left + side / 2, top + side / 2) == (105.0 + 5.0, 65.0 - 10.0)


def test_crop_face_follows_the_geometry():
    image = noise(80, 80)
    box = (20.0, 20.0, 20.0, 30.0)
    whole = crop_face(image, box, CropGeometry(1.0, 0.0, 0.0))
    assert np.array_equal(whole, image[25:45, 20:40])
    shifted = crop_face(image, box, CropGeometry(1.0, 0.0, 0.1))
    assert np.array_equal(shifted, image[27:47, 20:40])


def test_a_tile_of_the_right_size_passes_unchanged():
    tiles = noise(48, 48)[np.newaxis, ..., 0]
    batch = to_network_input(tiles, GREY)
    assert batch.dtype == np.float32
    assert batch.shape == (1, 48, 48, 1)
    assert np.array_equal(batch[0, ..., 0], tiles[0])
    assert np.array_equal(to_network_input(tiles[..., np.newaxis], GREY), batch)


def test_grey_rgb_is_the_same_as_grey():
    rgb = noise(48, 48)
    assert np.array_equal(to_network_input([rgb], GREY), to_network_input([rgb[..., 0]], GREY))


def test_luma_weighs_red_green_and_blue():
    colors = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert to_grey(colors)[0].tolist() == [76, 150, 29, 255]


def test_a_network_for_rgb_takes_grey_faces():
    batch = to_network_input([noise(48, 48)[..., 0]], InputSpec(48, 48, 3))
    assert batch.shape == (1, 48, 48, 3)
    assert np.array_equal(batch[..., 0], batch[..., 2])


def test_shrinking_averages():
    fine = np.indices((96, 96)).sum(axis=0) % 2 * 255
    batch = to_network_input([fine.astype(np.uint8)], GREY)
    assert np.abs(batch - 127.5).max() <= 1


def test_enlarging_interpolates():
    small = gradient(12, 12)[..., 0]
    expected = cv2.resize(small, (48, 48), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(to_network_input([small], GREY)[0, ..., 0], expected)


def test_faces_of_many_sizes_in_one_batch():
    sizes = [(1, 1), (48, 48), (200, 100), (5, 300)]
    batch = to_network_input((gradient(h + 1, w + 1) for h, w in sizes), GREY)
    assert batch.shape == (4, 48, 48, 1)
    assert batch.min() >= 0
    assert batch.max() <= 255


def test_no_faces_keep_the_shape():
    assert to_network_input([], InputSpec(32, 24, 3)).shape == (0, 32, 24, 3)


@pytest.mark.parametrize(
    "face",
    [np.zeros((48, 48)), np.zeros((48, 48, 4), np.uint8), np.zeros((2, 3, 3, 3), np.uint8)],
)
def test_what_is_no_picture(face):
    with pytest.raises(ValueError, match="expected uint8"):
        to_network_input([face], GREY)


@pytest.mark.parametrize("shape", [(0, 48, 1), (48, -1, 1), (48, 48, 2)])
def test_impossible_inputs(shape):
    with pytest.raises(ValueError, match="expected a size"):
        InputSpec(*shape)
