"""A training that goes on from an exported network."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from mien import zoo
from mien.errors import ModelError
from mien.formats.bundle import logits_of
from mien.model import store
from mien.model.network import softmax
from mien.preprocessing import InputSpec
from mien.recognition.classifier import Classifier
from mien.training.pretrained import load_pretrained
from mien.training.recipe import Recipe, load_recipe
from samples_factory import random_faces

RECIPES = Path(__file__).parent.parent / "recipes"
FACES = random_faces(300)[..., np.newaxis].astype(np.float32)


def built(recipe: Recipe) -> keras.Model:
    options = recipe.architecture_options
    return zoo.build(recipe.architecture, InputSpec(48, 48, 1), 7, **options)


def file_of(name: str) -> Path:
    found = store.find(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("recipe", "name", "tolerance"),
    [("mien_small", "mien-small", 1e-3), ("mien_tiny", "mien-tiny", 0.2)],
)
def test_shipped_networks_are_taken_apart(recipe: str, name: str, tolerance: float):
    path = file_of(name)
    network = built(load_recipe(RECIPES / f"{recipe}.py"))
    facts = load_pretrained(network, "slim_resnet", str(path), faces=lambda: FACES)
    assert (facts["layers"], facts["file"]) == ("all", path.name)
    said = [softmax(logits_of(network, FACES)), softmax(Classifier(path).logits(FACES))]
    np.testing.assert_allclose(said[0], said[1], atol=tolerance)
    # Its normalisations know what arrives at them, so a batch's own statistics say nearly the same.
    trained = softmax(keras.ops.convert_to_numpy(network(FACES, training=True)))
    assert np.abs(trained - said[0]).mean() < 0.1


def test_another_network_is_refused():
    recipe = load_recipe(RECIPES / "mien_small.py")
    with pytest.raises(ModelError, match="does not fit slim_resnet"):
        load_pretrained(
            built(recipe), "slim_resnet", str(file_of("mien-tiny")), faces=lambda: FACES
        )
