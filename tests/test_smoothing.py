from itertools import pairwise

import numpy as np
import pytest

from mien.labels import FER2013, UNCERTAIN, LabelSet
from mien.recognition.smoothing import PATIENCE_S, Smoother

PAIR = LabelSet("pair", FER2013.labels[:2])


def two(first: float) -> np.ndarray:
    return np.array([[first, 1.0 - first]])


def labels(smoother: Smoother, values: np.ndarray, rate_hz: float = 25.0) -> list[int]:
    """Indices of the labels that are shown for one track."""
    return [
        smoother.smooth([1], two(value), number / rate_hz)[0].index
        for number, value in enumerate(values)
    ]


def changes(indices: list[int]) -> int:
    return int(np.count_nonzero(np.diff(indices)))


def test_the_first_frame_is_as_it_came() -> None:
    probabilities = np.array([[0.1, 0.2, 0.3, 0.05, 0.05, 0.2, 0.1]])
    (expression,) = Smoother(FER2013).smooth([1], probabilities, 5.0)
    assert expression.probabilities == tuple(probabilities[0].tolist())
    assert expression.index == expression.held == 2


def test_half_life() -> None:
    """After one half-life, half of the way is gone; after two, three quarters."""
    smoother = Smoother(PAIR, half_life_s=0.2)
    values = [
        smoother.smooth([1], two(value), time_s)[0].probabilities[0]
        for time_s, value in ((0.0, 1.0), (0.2, 0.0), (0.4, 0.0), (1.4, 0.0))
    ]
    assert values == pytest.approx([1.0, 0.5, 0.25, 0.25 / 32])


@pytest.mark.parametrize("rate_hz", [5, 24, 60, 240])
def test_frame_rates_do_not_matter(rate_hz: int) -> None:
    smoother = Smoother(PAIR, half_life_s=0.2)
    smoother.smooth([1], two(1.0), 0.0)
    for number in range(1, rate_hz + 1):
        (expression,) = smoother.smooth([1], two(0.0), number / rate_hz)
    assert expression.probabilities[0] == pytest.approx(2**-5)


def test_a_gap_makes_the_past_pale() -> None:
    smoother = Smoother(PAIR)
    for number in range(100):
        smoother.smooth([1], two(0.95), number / 25)
    (expression,) = smoother.smooth([1], two(0.1), 5.0)
    assert expression.probabilities[0] == pytest.approx(0.1, abs=0.01)
    assert expression.index == 1


def test_the_label_changes_at_the_margin_and_back_at_the_other() -> None:
    smoother = Smoother(PAIR, half_life_s=1e-6, margin=0.2)
    values = np.array([0.55, 0.45, 0.41, 0.39, 0.45, 0.55, 0.59, 0.61, 0.5])
    assert labels(smoother, values) == [0, 0, 0, 1, 1, 1, 1, 0, 0]


def test_a_held_label_says_so() -> None:
    smoother = Smoother(PAIR, half_life_s=1e-6)
    smoother.smooth([1], two(0.6), 0.0)
    (expression,) = smoother.smooth([1], two(0.48), 1.0)
    assert (expression.index, expression.held) == (0, 0)
    assert expression.label == PAIR[0]
    assert expression.confidence == pytest.approx(0.48)


def test_noise_does_not_flicker() -> None:
    noisy = np.clip(0.5 + np.random.default_rng(0).normal(0, 0.1, 500), 0, 1)
    raw = labels(Smoother(PAIR, half_life_s=0), noisy)
    assert changes(raw) > 200
    assert changes(labels(Smoother(PAIR), noisy)) <= changes(raw) / 10


def test_a_flash_of_one_frame_does_not_show() -> None:
    values = np.full(50, 0.9)
    values[25] = 0.1
    assert changes(labels(Smoother(PAIR), values)) == 0


@pytest.mark.parametrize("rate_hz", [5, 10, 24, 60])
def test_a_true_change_shows_within_three_tenths_of_a_second(rate_hz: int) -> None:
    values = np.where(np.arange(4 * rate_hz) < 2 * rate_hz, 0.85, 0.15)
    shown = labels(Smoother(PAIR), values, rate_hz)
    assert changes(shown) == 1
    assert (shown.index(1) - 2 * rate_hz) / rate_hz <= 0.3


def test_off_means_off() -> None:
    smoother = Smoother(FER2013, half_life_s=0.0)
    rows = np.random.default_rng(0).dirichlet(np.ones(7), 50)
    for number, row in enumerate(rows):
        (expression,) = smoother.smooth([1], row[np.newaxis], number / 25)
        assert expression.probabilities == tuple(row.tolist())
        assert expression.held is None
        assert expression.index == row.argmax()


def test_tracks_do_not_mix() -> None:
    together, alone = Smoother(PAIR), Smoother(PAIR)
    rng = np.random.default_rng(0)
    for number in range(50):
        rows = rng.dirichlet(np.ones(2), 3)
        order = rng.permutation(3)
        tracks = (order + 1).tolist()
        several = together.smooth(tracks, rows[order], number / 25)
        assert several[tracks.index(2)] == alone.smooth([2], rows[1:2], number / 25)[0]


def test_forgotten_tracks_begin_anew() -> None:
    smoother = Smoother(PAIR)
    rows = np.array([[1.0, 0.0], [1.0, 0.0]])
    smoother.smooth([1, 2], rows, 0.0)
    smoother.keep({2})
    first, second = smoother.smooth([1, 2], 1.0 - rows, 0.02)
    assert first.probabilities == (0.0, 1.0)
    assert second.probabilities[0] > 0.5


def test_probabilities_go_on_summing_to_one() -> None:
    smoother = Smoother(FER2013)
    rows = np.random.default_rng(0).dirichlet(np.full(7, 0.2), 5000)
    for number, row in enumerate(rows):
        (expression,) = smoother.smooth([1], row[np.newaxis], number / 60)
    assert sum(expression.probabilities) == pytest.approx(1.0, abs=1e-12)


def test_the_input_is_not_changed() -> None:
    smoother = Smoother(PAIR)
    rows = two(0.7)
    for number in range(3):
        smoother.smooth([1], rows, number / 25)
    assert rows.tolist() == two(0.7).tolist()
    assert smoother.smooth([], np.empty((0, 2)), 1.0) == ()


@pytest.mark.parametrize("half_life_s", [-0.1, float("nan"), float("inf")])
def test_half_lives_that_mean_nothing(half_life_s: float) -> None:
    with pytest.raises(ValueError, match="half_life_s"):
        Smoother(PAIR, half_life_s=half_life_s)


@pytest.mark.parametrize("margin", [-0.1, 1.0, float("nan")])
def test_margins_that_mean_nothing(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        Smoother(PAIR, margin=margin)


def test_one_distribution_per_face() -> None:
    with pytest.raises(ValueError, match=r"expected probabilities \(2, 2\), got \(1, 2\)"):
        Smoother(PAIR).smooth([1, 2], two(0.5), 0.0)


def test_a_lead_below_the_margin_is_shown_after_a_while() -> None:
    smoother = Smoother(FER2013, half_life_s=0.05, margin=0.5)
    a, b = np.eye(7)[[0]], np.array([[0.4, 0.6, 0, 0, 0, 0, 0]], np.float64)
    smoother.smooth([1], a, 0.0)
    shown = [smoother.smooth([1], b, (n + 1) * 0.04)[0].index for n in range(20)]
    assert shown[0] == 0 and shown[-1] == 1
    assert shown == sorted(shown)
    change_s = (shown.index(1) + 1) * 0.04
    assert PATIENCE_S <= change_s <= PATIENCE_S + 0.2


def unsure(most: float, index: int = 0) -> np.ndarray:
    """A distribution whose most probable class is as probable as this."""
    row = np.full((1, 7), (1.0 - most) / 6)
    row[0, index] = most
    return row


def shown(smoother: Smoother, values: list[float], rate_hz: float = 25.0) -> list[str]:
    """Keys of the labels that are shown for one track."""
    return [
        smoother.smooth([1], unsure(value), number / rate_hz)[0].label.key
        for number, value in enumerate(values)
    ]


def test_the_first_frame_is_uncertain_as_it_came() -> None:
    for most, expected in ((0.49, UNCERTAIN), (0.5, FER2013[2]), (0.51, FER2013[2])):
        (expression,) = Smoother(FER2013, min_confidence=0.5).smooth([1], unsure(most, 2), 0.0)
        assert expression.label is expected
        assert (expression.index, expression.min_confidence) == (2, 0.5)
        assert expression.confidence == pytest.approx(most)


def test_uncertain_goes_at_once_beyond_the_margin_and_comes_after_a_while() -> None:
    smoother = Smoother(FER2013, half_life_s=1e-6, margin=0.1, min_confidence=0.6)
    values = [0.3, 0.55, 0.65, 0.69, 0.71, *[0.55, 0.3, 0.5, 0.59] * 3]
    key = FER2013.keys[0]
    assert shown(smoother, values) == [*["uncertain"] * 4, *[key] * 8, *["uncertain"] * 5]


@pytest.mark.parametrize("rate_hz", [10, 25, 60])
def test_by_less_than_the_margin_it_takes_a_while(rate_hz: int) -> None:
    n = rate_hz  # a second each
    smoother = Smoother(FER2013, half_life_s=1e-6, min_confidence=0.6)
    keys = shown(smoother, [*[0.65] * n, *[0.55] * n, *[0.65] * n], rate_hz)
    key = FER2013.keys[0]
    changes_s = [i / rate_hz for i in range(1, len(keys)) if keys[i] != keys[i - 1]]
    assert [keys[0], keys[2 * n - 1], keys[-1]] == [key, "uncertain", key]
    assert len(changes_s) == 2
    for change_s, turned_s in zip(changes_s, (1.0, 2.0), strict=True):
        assert PATIENCE_S <= change_s - turned_s <= PATIENCE_S + 1.5 / rate_hz


def test_noise_around_the_least_confidence_does_not_flicker() -> None:
    noisy = np.clip(0.6 + np.random.default_rng(0).normal(0, 0.06, 500), 0, 1).tolist()
    raw = shown(Smoother(FER2013, half_life_s=0, min_confidence=0.6), noisy)
    calm = shown(Smoother(FER2013, min_confidence=0.6), noisy)
    flickers, changes_left = (sum(a != b for a, b in pairwise(keys)) for keys in (raw, calm))
    assert set(raw) == {FER2013.keys[0], "uncertain"}
    assert flickers > 200
    assert changes_left <= flickers / 20


@pytest.mark.parametrize("rate_hz", [10, 25, 60])
@pytest.mark.parametrize("min_confidence", [0.3, 0.6, 0.8])
def test_a_true_change_does_not_pass_through_uncertain(rate_hz, min_confidence) -> None:
    smoother = Smoother(FER2013, min_confidence=min_confidence)
    rows = [unsure(0.9, 0 if number < rate_hz else 3) for number in range(2 * rate_hz)]
    keys = [smoother.smooth([1], row, n / rate_hz)[0].label.key for n, row in enumerate(rows)]
    before, after = FER2013.keys[0], FER2013.keys[3]
    assert keys == sorted(keys, key=[before, after].index)
    assert keys.count(before) >= rate_hz
    assert keys.index(after) / rate_hz - 1.0 <= 0.3


def test_a_class_that_is_held_and_one_that_is_not_yet_shown_say_so() -> None:
    smoother = Smoother(FER2013, half_life_s=1e-6, min_confidence=0.6)
    smoother.smooth([1], unsure(0.7), 0.0)
    (held,) = smoother.smooth([1], unsure(0.55), 0.04)
    assert (held.is_uncertain, held.held, held.held_uncertain) == (False, 0, False)
    (lost,) = smoother.smooth([1], unsure(0.45), 0.3)
    assert (lost.is_uncertain, lost.held, lost.held_uncertain) == (True, None, True)
    (waits,) = smoother.smooth([1], unsure(0.65, 4), 0.34)
    assert waits.label is UNCERTAIN
    assert (waits.index, waits.confidence) == (4, pytest.approx(0.65))


def test_without_a_least_confidence_nothing_changes() -> None:
    plain, off = Smoother(FER2013), Smoother(FER2013, min_confidence=0.0)
    rows = np.random.default_rng(0).dirichlet(np.ones(7), 100)
    for number, row in enumerate(rows):
        (expression,) = plain.smooth([1], row[np.newaxis], number / 25)
        assert expression.held_uncertain is None and not expression.is_uncertain
        assert off.smooth([1], row[np.newaxis], number / 25) == (expression,)


def test_off_leaves_the_decision_to_the_frame() -> None:
    smoother = Smoother(FER2013, half_life_s=0.0, min_confidence=0.6)
    assert shown(smoother, [0.7, 0.59, 0.6, 0.1]) == [
        *(FER2013.keys[0], "uncertain", FER2013.keys[0], "uncertain")
    ]


@pytest.mark.parametrize("min_confidence", [-0.1, 1.1, float("nan")])
def test_least_confidences_that_mean_nothing(min_confidence: float) -> None:
    with pytest.raises(ValueError, match="min_confidence"):
        Smoother(PAIR, min_confidence=min_confidence)
