"""The model that is shipped: what it promises, held against the file."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from command_line import mien
from mien.data.duplicates import seen_twins
from mien.evaluation.metrics import evaluate
from mien.evaluation.predictions import predict
from mien.labels import FER2013
from mien.model_files import resolve_model
from mien.recognition.classifier import Classifier
from mien.samples import Split
from samples_factory import samples_of

YUNET = "face_detection_yunet_2023mar.onnx"


@pytest.fixture(scope="module", params=["mien-small", "mien-small-int8"])
def classifier(request: pytest.FixtureRequest) -> Classifier:
    return Classifier(resolve_model(request.param))


def test_the_default_is_the_fast_one() -> None:
    card = Classifier(resolve_model("default")).card
    assert (card.name, card.precision) == ("mien-small-int8", "int8")


def test_the_file_is_small_and_its_card_complete(classifier: Classifier) -> None:
    card = classifier.card
    limit = {"float32": 6_000_000, "int8": 1_300_000}[card.precision]
    assert resolve_model(card.name).stat().st_size <= limit
    assert card.label_set == FER2013
    assert card.input_shape == (48, 48, 1)
    assert card.chosen["split"] == "validation"
    assert card.data["train"]["n"] == 28_709
    assert card.licence and card.recipe["seed"] and len(card.golden) == 3
    assert len(card.commit) == 40, "trained with code that is not a commit"
    (score,) = card.scores
    assert score.n == 3_589
    assert score.accuracy >= 0.685
    assert score.accuracy_ci95[0] < score.accuracy < score.accuracy_ci95[1]
    assert score.n_seen_twins == 280


def test_the_card_tells_the_truth(
    classifier: Classifier, fer2013: tuple[np.ndarray, list[dict[str, str]]]
) -> None:
    images, rows = fer2013
    split_of = {"Training": "train", "PublicTest": "validation"}
    samples = samples_of(
        images, [int(row["emotion"]) for row in rows], [split_of[row["Usage"]] for row in rows]
    )
    predictions = predict(
        classifier.probabilities, samples, Split.VALIDATION, seen_twin=seen_twins(samples)
    )
    measured = evaluate(predictions, n_resamples=10)
    (score,) = classifier.card.scores
    assert samples.of(Split.VALIDATION).sha256() == score.data_sha256
    # Kernels differ between processors: a face on the border may change sides.
    assert measured.accuracy == pytest.approx(score.accuracy, abs=0.002)
    assert measured.accuracy_unseen == pytest.approx(score.accuracy_unseen, abs=0.002)
    assert measured.accuracy >= 0.685


@pytest.fixture
def place(tmp_path: Path, shared_folder: Path) -> Path:
    """A folder whose cache holds YuNet."""
    models = tmp_path / "cache" / "models"
    models.mkdir(parents=True)
    shutil.copy(shared_folder / "models" / YUNET, models)
    return tmp_path


def test_five_people(place: Path, shared_folder: Path) -> None:
    photo = shared_folder / "media" / "multi_face.jpg"
    command = ("recognize", photo, "--detector", "yunet", "--json")
    first, second = mien(*command, cwd=place), mien(*command, cwd=place)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    faces = json.loads(first.stdout)["faces"]
    assert len(faces) == 5
    for face in faces:
        assert tuple(face["probabilities"]) == FER2013.keys
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert sum(face["expression"] == "happy" for face in faces) >= 3


def test_a_photo_with_transparency(place: Path, shared_folder: Path) -> None:
    photo = shared_folder / "media" / "Image_with_alpha.png"
    done = mien("recognize", photo, "--json", "--out", "out.jpg", cwd=place)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["faces"]) == 1
    assert (place / "out.jpg").is_file()


def test_the_readmes_five_lines(shared_folder: Path) -> None:
    import mien as package

    recognizer = package.Recognizer(detector="haar")
    result = recognizer.recognize(package.read_image(shared_folder / "media" / "multi_face.jpg"))
    assert len(result.faces) >= 3
    for face in result.faces:
        assert face.expression is not None
        assert face.expression.label.key in FER2013.keys
        assert 1 / 7 < face.expression.confidence <= 1
