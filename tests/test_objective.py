import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.utils.class_weight import compute_class_weight

from mien.errors import RecipeError
from mien.training import objective
from mien.training.metrics import epoch_metrics
from mien.training.optimizer import optimizer
from mien.training.phases import Phase
from mien.training.recipe import Recipe
from samples_factory import random_faces, samples_of


def rates(recipe: Recipe, steps: list[int], phase: Phase | None = None) -> list[float]:
    """Learning rates at some steps of a phase with ten batches an epoch."""
    made = optimizer(recipe, phase or recipe.plan[0], 10)
    schedule = made._learning_rate
    if not callable(schedule):
        return [float(made.learning_rate.numpy())] * len(steps)
    return [float(keras.ops.convert_to_numpy(schedule(step))) for step in steps]


def test_balanced_class_weights_are_those_of_scikit_learn():
    labels = [0] * 30 + [1] * 10 + [4] * 5
    samples = samples_of(random_faces(45), labels, ["train"] * 45)
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 4]), y=np.array(labels))
    weights = objective.class_weights(samples)
    np.testing.assert_allclose(weights[[0, 1, 4]], expected, rtol=1e-6)
    assert weights[[2, 3, 5, 6]].tolist() == [0, 0, 0, 0]
    assert weights[samples.labels].mean() == pytest.approx(1)


def test_class_weights_are_for_training_rows_alone():
    samples = samples_of(random_faces(6), [0, 0, 0, 0, 1, 1], ["train"] * 6)
    recipe = Recipe("r", "plain_cnn", class_weights="balanced")
    _, weights = objective.targets(samples, recipe, training=True)
    np.testing.assert_allclose(weights["expression"], [0.75] * 4 + [1.5] * 2)
    _, weights = objective.targets(samples, recipe)
    assert weights["expression"].tolist() == [1] * 6


def test_the_rate_of_a_phase_is_its_own():
    recipe = Recipe(
        "r", "plain_cnn", epochs=4, learning_rate=0.2, phases=(Phase(), Phase(epochs=2))
    )
    assert rates(recipe, [0, 20, 40]) == pytest.approx([0.2, 0.1, 0.0], abs=1e-6)
    assert rates(recipe, [0, 10, 20], recipe.plan[1]) == pytest.approx([0.2, 0.1, 0.0], abs=1e-6)
    slower = Recipe("r", "plain_cnn", schedule="constant", phases=(Phase(learning_rate=0.01),))
    assert rates(slower, [0, 50]) == pytest.approx([0.01, 0.01])


def test_the_step_schedule_falls_at_its_epochs_after_the_warm_up():
    recipe = Recipe(
        "r",
        "plain_cnn",
        learning_rate=1.0,
        schedule="step",
        step_epochs=(2, 3),
        warmup_epochs=1,
        epochs=4,
    )
    expected = [0.0, 0.5, 1.0, 1.0, 0.1, 0.1, 0.01]
    assert rates(recipe, [0, 5, 10, 19, 20, 29, 30]) == pytest.approx(expected)
    with pytest.raises(RecipeError, match="step goes with step_epochs"):
        Recipe("r", "plain_cnn", schedule="step")


def test_epoch_metrics_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    truth, logits = random.integers(0, 7, 200), random.normal(size=(200, 7)).astype(np.float32)
    logits[np.arange(200), truth] += 1
    metrics = epoch_metrics()
    for start in (0, 120):
        part = slice(start, start + 120)
        for metric in metrics:
            metric.update_state(np.eye(7, dtype=np.float32)[truth[part]], logits[part])
    accuracy, precision, recall, f1 = (float(metric.result()) for metric in metrics)
    guess = logits.argmax(axis=1)
    assert accuracy == pytest.approx((guess == truth).mean())
    assert precision == pytest.approx(precision_score(truth, guess, average="macro"), abs=1e-6)
    assert recall == pytest.approx(recall_score(truth, guess, average="macro"), abs=1e-6)
    assert f1 == pytest.approx(f1_score(truth, guess, average="macro"), abs=1e-6)
