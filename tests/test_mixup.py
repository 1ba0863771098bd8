import numpy as np

from mien.data.mixup import mix


def mixed(n: int = 64, *, alpha: float = 1.0, seed: int = 3):
    """Rows whose picture, target and weight all say which row they are."""
    images = np.zeros((n, 2, 2, 1), np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
    targets = {"a": np.eye(n, dtype=np.float32), "b": np.eye(n, 3, dtype=np.float32)}
    weights = {"a": np.ones(n, np.float32), "b": (np.arange(n) % 2).astype(np.float32)}
    return mix(images, targets, weights, alpha, np.random.default_rng(seed))


def test_pictures_and_targets_are_blended_in_the_same_proportion():
    images, targets, weights = mixed()
    assert images.dtype == np.uint8
    expected = targets["a"] @ np.arange(64)
    np.testing.assert_allclose(images[:, 0, 0, 0], expected, atol=0.51)
    np.testing.assert_allclose(targets["a"].sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(weights["a"], np.ones(64))


def test_the_larger_share_is_the_rows_own():
    _, targets, _ = mixed()
    own = np.diag(targets["a"])
    assert (own >= 0.5 - 1e-6).all()
    assert own.min() < 0.6 and own.max() > 0.95


def test_a_row_without_weight_gives_nothing_to_the_blend():
    _, targets, weights = mixed()
    share = np.diag(targets["a"])
    partner = np.where(np.eye(64, dtype=bool), 0, targets["a"]).argmax(axis=1)
    own_weight, other_weight = np.arange(64) % 2, partner % 2
    np.testing.assert_allclose(
        weights["b"], share * own_weight + (1 - share) * other_weight, atol=1e-6
    )
    only_other = (own_weight == 0) & (other_weight == 1) & (partner != np.arange(64))
    assert only_other.any()
    truth = np.eye(64, 3, dtype=np.float32)
    np.testing.assert_allclose(targets["b"][only_other], truth[partner[only_other]], atol=1e-6)


def test_a_small_alpha_mixes_little_and_the_seed_decides():
    little = np.diag(mixed(alpha=0.1)[1]["a"]).mean()
    assert little > np.diag(mixed(alpha=2.0)[1]["a"]).mean() + 0.1
    np.testing.assert_array_equal(mixed()[0], mixed()[0])
    assert not np.array_equal(mixed()[0], mixed(seed=4)[0])
