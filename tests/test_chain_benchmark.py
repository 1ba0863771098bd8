"""The chain test of benchmark/: pictures with a face whose place is known, and its accounts."""

import numpy as np
import pytest

from chain_costs import Outcomes, cost, costs, nearest
from composed_pictures import FRAME_SIDE_PX, Condition, Place, compose, composed, place_of
from mien.preprocessing import InputSpec, crop_square, to_network_input

SPEC = InputSpec(48, 48, 1)


@pytest.fixture(scope="module")
def tiles():
    """Smooth tiles that look different from every side: (4, 48, 48)."""
    y, x = np.mgrid[:48, :48] / 48
    waves = [np.sin(7 * x + phase) + np.cos(4 * x * y + 5 * y - phase) for phase in (0, 2, 4, 5)]
    return np.round(127 + 60 * np.array(waves)).astype(np.uint8)


def test_an_unscaled_tile_at_whole_pixels_is_left_as_it_is(tiles):
    picture = compose(tiles[0], Place((100.0, 60.0), 48.0, 0.0))
    assert picture.shape == (FRAME_SIDE_PX, FRAME_SIDE_PX, 3)
    assert np.array_equal(picture[36:84, 76:124, 1], tiles[0])
    assert (picture[..., 0] == picture[..., 2]).all()


@pytest.mark.parametrize("roll_deg", [0.0, 10.0, -30.0])
@pytest.mark.parametrize("scale", [1.0, 2.0, 3.5, 4.0])
def test_the_true_crop_gives_the_tile_back(tiles, scale, roll_deg):
    condition = Condition(scale, roll_deg)
    for row, (picture, place) in enumerate(composed(tiles, np.arange(4), condition)):
        crop = crop_square(picture, *place.square, place.roll_deg)
        seen = to_network_input([crop], SPEC)[0, ..., 0]
        # Upright squares are cut to whole pixels: half a pixel off at most.
        differences = np.abs(seen - tiles).mean(axis=(1, 2))
        assert differences[row] < 4.0
        assert np.delete(differences, row).min() > 15.0


def test_roll_is_clockwise():
    tile = np.zeros((48, 48), np.uint8)
    tile[:24] = 200  # bright above
    picture = compose(tile, Place((160.0, 160.0), 96.0, 90.0))[..., 0]
    assert picture[160, 130] < 10
    assert picture[160, 190] > 190


def test_the_surroundings_continue_the_border_and_fade(tiles):
    picture = compose(tiles[1], Place((160.0, 160.0), 48.0, 0.0))[..., 0].astype(int)
    assert np.corrcoef(picture[130, 136:184], picture[136, 136:184])[0, 1] > 0.9
    assert np.ptp(picture[:, :60]) <= 1  # the plain ground, a tile's width away
    border = np.concatenate([tiles[1][0], tiles[1][-1], tiles[1][1:-1, 0], tiles[1][1:-1, -1]])
    assert abs(picture[0, 0] - border.mean()) <= 1


def test_blur_is_in_pixels_of_the_tile(tiles):
    sharp = compose(tiles[0], Place((160.0, 160.0), 144.0, 0.0))
    tile = np.where(np.arange(48) < 24, 50, 200).astype(np.uint8) * np.ones((48, 1), np.uint8)
    step = compose(tile, Place((160.0, 160.0), 144.0, 0.0), blur_px=2.0)[160, :, 0].astype(float)
    # A Gaussian of 6 pixels: from 16 to 84 % of the step within two deviations.
    share = (step - 50) / 150
    assert share[153] == pytest.approx(0.14, abs=0.03)
    assert share[166] == pytest.approx(0.86, abs=0.03)
    assert not np.array_equal(sharp, compose(tiles[0], Place((160.0, 160.0), 144.0, 0.0), 1.0))


def test_places_depend_on_row_and_seed_alone_and_hold_the_tile():
    for condition in (Condition(1.0), Condition(4.0), Condition(4.0, 30.0), Condition(2.0, -20.0)):
        places = [place_of(row, condition, 48) for row in range(50)]
        assert places == [place_of(row, condition, 48) for row in range(50)]
        assert len(set(places)) == 50
        for place in places:
            matrix = place.matrix(48)
            corners = np.array([[-0.5, -0.5], [47.5, -0.5], [47.5, 47.5], [-0.5, 47.5]])
            moved = corners @ matrix[:, :2].T + matrix[:, 2]
            assert moved.min() >= -0.5 - 1e-9
            assert moved.max() <= FRAME_SIDE_PX - 0.5 + 1e-9
    assert place_of(3, Condition(2.0), 48) != place_of(3, Condition(2.0), 48, seed=1)
    with pytest.raises(ValueError, match="too large"):
        place_of(0, Condition(6.0, 45.0), 48)


def outcomes(n=400, seed=0):
    generator = np.random.default_rng(seed)
    bare, true_crop, turned, found, unturned, chain = generator.random((6, n)) < 0.7
    return Outcomes(
        bare, true_crop, turned, found, unturned & found, chain & found, np.zeros(n, np.int64)
    )


def test_the_costs_add_up():
    o = outcomes()
    parts = costs(o)
    assert list(parts) == ["transform", "not found", "crop", "total"]
    total = sum(parts[name].points for name in ("transform", "not found", "crop"))
    assert total == pytest.approx(parts["total"].points)
    assert parts["total"].points == pytest.approx(100 * (o.bare.mean() - o.chain.mean()))
    assert parts["not found"].points == pytest.approx(100 * (o.true_crop & ~o.found).mean())
    for part in parts.values():
        assert part.ci95[0] < part.points < part.ci95[1]
    all_found = Outcomes(
        o.bare, o.bare, o.bare, np.ones(400, bool), o.bare, o.bare, np.zeros(400, np.int64)
    )
    assert all(part.points == 0.0 for part in costs(all_found).values())


def test_rows_of_outcomes():
    o = outcomes()
    some = np.arange(400) % 3 == 0
    assert len(o.take(some)) == 134
    assert np.array_equal(o.take(some).chain, o.chain[some])


def test_who_was_not_found_cannot_be_right():
    o = outcomes()
    with pytest.raises(ValueError, match="only faces that were found"):
        Outcomes(
            o.bare, o.bare, o.bare, np.zeros(400, bool), o.unturned & False, o.bare, o.false_faces
        )


def test_the_interval_is_paired():
    right = np.arange(400) < 300
    same = cost(right, right)
    assert (same.points, same.ci95) == (0.0, (0.0, 0.0))
    worse = right.copy()
    worse[:8] = False
    assert cost(right, worse).points == pytest.approx(2.0)
    low, high = cost(right, worse).ci95
    assert 0.5 < low < 2.0 < high < 3.6


def test_the_nearest_crop_shows_the_tile():
    tile = {"center_px": (100.0, 100.0), "side_px": 60.0}
    assert nearest([], **tile) is None
    assert nearest([(150.0, 70.0, 60.0)], **tile) is None
    assert nearest([(0.0, 0.0, 9.0), (82.0, 70.0, 60.0), (60.0, 50.0, 90.0)], **tile) == 2
    assert nearest([(89.9, 70.0, 60.0)], **tile) == 0
    assert nearest([(90.1, 70.0, 60.0)], **tile) is None
