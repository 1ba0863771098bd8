import cv2
import numpy as np
import pytest

from mien.preprocessing import (
    BATCH_BYTES,
    MAX_BATCH,
    TURN_FROM_DEG,
    TURNED_SIDE_PX,
    CropGeometry,
    InputSpec,
    crop_face,
    crop_square,
    faces_at_once,
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


LANDMARKS = ((-0.2, -0.1), (0.2, -0.1), (0.0, 0.1), (-0.15, 0.3), (0.15, 0.3))


def turned_points(degrees, scale=80.0, shift=(300.0, 20.0)):
    """The landmarks of a face turned clockwise as seen, in pixels."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return [tuple(point) for point in (scale * np.array(LANDMARKS) @ turn.T + shift).tolist()]


def smooth(height, width):
    """Gradients and waves in three colours."""
    y, x = np.mgrid[:height, :width]
    waves = [127 + 100 * np.sin((a * x + b * y) / 30) for a, b in ((1, 0.3), (0.2, 1), (0.8, -0.7))]
    return np.stack(waves, axis=2).astype(np.uint8)


@pytest.mark.parametrize("degrees", [-170.0, -45.0, -5.1, 12.0, 30.0, 90.0])
@pytest.mark.parametrize("scale", [3.0, 500.0])
def test_landmarks_tell_the_angle(degrees, scale):
    geometry = CropGeometry(1.0, 0.0, 0.0, LANDMARKS)
    assert geometry.turn_deg(turned_points(degrees, scale)) == pytest.approx(degrees)


def test_small_angles_and_faces_without_landmarks_are_left_as_they_are():
    geometry = CropGeometry(1.0, 0.0, 0.0, LANDMARKS)
    for degrees in (0.0, TURN_FROM_DEG - 0.1, 0.1 - TURN_FROM_DEG):
        assert geometry.turn_deg(turned_points(degrees)) == 0.0
        assert geometry.turn_deg(turned_points(degrees), from_deg=0.0) == pytest.approx(degrees)
    assert geometry.turn_deg(turned_points(20.0), from_deg=21.0) == 0.0
    assert geometry.turn_deg(()) == 0.0
    assert CropGeometry(1.0, 0.0, 0.0).turn_deg(turned_points(20.0)) == 0.0
    image = noise(80, 80)
    box = (20.0, 20.0, 20.0, 30.0)
    upright = crop_face(image, box, geometry, turned_points(2.0))
    assert np.array_equal(upright, image[25:45, 20:40])
    with pytest.raises(ValueError, match="zip"):
        geometry.turn_deg(turned_points(20.0)[:2])


@pytest.mark.parametrize("degrees", [-30.0, 10.0, 90.0, 171.0])
@pytest.mark.parametrize("side", [40.0, 100.0, 2 * TURNED_SIDE_PX + 70.0])
def test_a_turned_crop_undoes_the_turn(degrees, side):
    upright = smooth(800, 800)
    matrix = cv2.getRotationMatrix2D((399.5, 399.5), -degrees, 1.0)  # OpenCV counts the other way
    turned = cv2.warpAffine(upright, matrix, (800, 800), flags=cv2.INTER_CUBIC)
    corner = 400 - side / 2
    crop = crop_square(turned, corner, corner, side, degrees)
    assert crop.shape == (min(round(side), TURNED_SIDE_PX),) * 2 + (3,)
    expected = to_network_input([crop_square(upright, corner, corner, side)], InputSpec(40, 40, 3))
    difference = to_network_input([crop], InputSpec(40, 40, 3)) - expected
    assert np.abs(difference).max() < 12
    assert np.abs(difference).mean() < 3
    grey = crop_square(turned[..., 0], corner, corner, side, degrees)
    assert np.array_equal(grey, crop[..., 0])


def test_turned_crops_beyond_the_edge_repeat_it():
    image = np.full((30, 40, 3), 90, np.uint8)
    image[:, 20:] = 200
    crop = crop_square(image, -60.0, -45.0, 100.0, 20.0)
    assert crop.shape == (100, 100, 3)
    assert set(np.unique(crop[:, :60])) == {90}
    assert (crop_square(image, 500.0, 500.0, 50.0, 45.0) == 200).all()
    assert crop_square(image, 3.0, 3.0, 0.2, 45.0).shape == (1, 1, 3)


def test_a_read_only_or_mirrored_picture_is_enough():
    image = smooth(60, 90)
    image.setflags(write=False)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    expected = crop_square(mirrored, 20.0, 10.0, 30.0, 15.0)
    assert np.array_equal(crop_square(image[:, ::-1], 20.0, 10.0, 30.0, 15.0), expected)


def test_crop_face_turns_by_the_landmarks():
    image = noise(80, 80)
    box = (20.0, 20.0, 20.0, 30.0)
    geometry = CropGeometry(1.2, 0.1, -0.1, LANDMARKS)
    crop = crop_face(image, box, geometry, turned_points(25.0))
    assert np.array_equal(crop, crop_square(image, *geometry.square(box), 25.0))
    assert not np.array_equal(crop, crop_face(image, box, geometry))


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


def test_batches_are_bounded_by_what_their_faces_take():
    assert faces_at_once(1) == faces_at_once(BATCH_BYTES // MAX_BATCH) == MAX_BATCH
    assert faces_at_once(BATCH_BYTES // 5) == 5
    assert faces_at_once(BATCH_BYTES // 5 + 1) == 4
    assert faces_at_once(10 * BATCH_BYTES) == 1
    assert InputSpec(48, 48, 1).batch_faces == InputSpec(64, 64, 3).batch_faces == MAX_BATCH
    assert InputSpec(224, 224, 3).batch_faces == 20
