"""Several bundles as one: what it computes, what its card says, who does not fit together."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from command_line import assert_fails_on_one_line, mien
from mien.errors import ModelError
from mien.formats.ensemble import to_ensemble
from mien.formats.int8 import to_int8
from mien.labels import FER2013, FERPLUS
from mien.model.network import softmax
from mien.recognition.classifier import Classifier
from onnx_factory import make_card, make_graph, with_card
from samples_factory import random_faces, samples_of

FACES = random_faces(50)


def member(seed: int, **changes: object) -> bytes:
    graph = make_graph(seed=seed, gain=6.0)
    return with_card(graph, make_card(graph, **{"name": f"m{seed}", **changes}))


def test_it_gives_the_mean_of_the_calibrated_probabilities() -> None:
    members = [member(0, temperature=2.0), member(1), member(2, temperature=0.5)]
    joined = Classifier(to_ensemble(members, "three"))
    each = [Classifier(content).probabilities(FACES) for content in members]
    np.testing.assert_allclose(joined.probabilities(FACES), np.mean(each, axis=0), atol=1e-6)
    assert np.ptp(each, axis=0).max() > 0.1, "the members differ"
    assert joined.probabilities(FACES[:1]).shape == (1, 7)


def test_the_card_says_who_is_in_it_and_what_they_share() -> None:
    train = {"n": 5, "sha256": "a"}
    data = [{"train": train, "validation": {"n": n, "sha256": str(n)}} for n in (1, 2)]
    chosen = {"split": "validation", "metric": "val_accuracy", "epoch": 3}
    members = [
        member(0, data=data[0], chosen=chosen, licence="MIT"),
        member(1, data=data[1], chosen={**chosen, "epoch": 9}, licence="CC0"),
    ]
    card = Classifier(to_ensemble(members, "both")).card
    assert (card.name, card.architecture, card.precision) == ("both", "ensemble", "float32")
    assert [each["name"] for each in card.recipe["members"]] == ["m0", "m1"]
    assert all(len(each["sha256"]) == 64 for each in card.recipe["members"])
    assert [card.split_with_hash(sha) for sha in ("a", "1", "2", "3")] == [
        *("train", "validation", "validation"),
        None,
    ]
    assert card.data == {"train": train}
    assert card.chosen == {"split": "validation", "metric": "val_accuracy"}
    assert card.licence == "MIT; CC0"
    assert card.temperature == 1 and card.scores == () and len(card.golden) == 3


def test_impossible_certainty_stays_a_number() -> None:
    graph = make_graph(gain=1e6)
    sure = with_card(graph, make_card(graph))
    other = with_card(graph, make_card(graph, name="other"))
    joined = Classifier(to_ensemble([sure, other], "sure"))
    inputs = FACES[..., np.newaxis].astype(np.float32)
    logits = joined.logits(inputs)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(softmax(logits), softmax(Classifier(sure).logits(inputs)), atol=1e-6)


def test_quantised_members_stay_quantised() -> None:
    labels = Classifier(member(0)).probabilities(FACES).argmax(axis=1).tolist()
    samples = samples_of(FACES, labels, ["validation"] * 50)
    small = to_int8(member(0), samples, samples).bundle
    joined = to_ensemble([small, member(1)], "mixed")
    assert Classifier(joined).card.precision == "int8"
    assert sum(node.op_type == "QuantizeLinear" for node in _nodes(joined)) == sum(
        node.op_type == "QuantizeLinear" for node in _nodes(small)
    )
    each = [Classifier(content).probabilities(FACES) for content in (small, member(1))]
    mean = np.mean(each, axis=0)
    np.testing.assert_allclose(Classifier(joined).probabilities(FACES), mean, atol=1e-3)


def test_means_of_probabilities_are_not_quantised() -> None:
    eight = make_graph(classes=8, seed=5, gain=6.0)
    votes = with_card(eight, make_card(eight, name="votes", labels=FERPLUS.keys))
    joined = to_ensemble([member(0, temperature=2.0), votes], "both", common=True)
    shown = Classifier(joined).probabilities(FACES)
    # Faces with labels of all eight classes; none shows the one that the ensemble lacks.
    labels = [FERPLUS.index(FER2013.keys[index]) for index in shown.argmax(axis=1)]
    samples = samples_of(FACES, labels, ["validation"] * 50)
    samples = replace(samples, label_set=FERPLUS)
    small = to_int8(joined, samples, samples)
    assert small.accuracy_before == 1 and small.accuracy_after > 0.9
    readers = {name: node.op_type for node in _nodes(small.bundle) for name in node.input}
    behind = ("Softmax", "Mean", "Gather", "ReduceSum", "Max")
    found = [node for node in _nodes(small.bundle) if node.op_type in behind]
    assert {node.op_type for node in found} == set(behind)
    assert not [node for node in found if readers[node.output[0]] == "QuantizeLinear"]
    np.testing.assert_allclose(
        softmax(np.log(Classifier(small.bundle).probabilities(FACES)) * small.card.temperature),
        shown,
        atol=0.05,
    )
    labels[0] = FERPLUS.index("contempt")
    with pytest.raises(ModelError, match="the network's classes are"):
        to_int8(joined, samples, replace(samples, labels=np.array(labels)))


def _nodes(content: bytes) -> list[onnx.NodeProto]:
    return list(onnx.load_model_from_string(content).graph.node)


def test_those_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="two models or more"):
        to_ensemble([member(0)], "one")
    with pytest.raises(ModelError, match="named twice"):
        to_ensemble([member(0), member(0)], "x")
    turned = member(1, labels=FER2013.keys[::-1])
    with pytest.raises(
        ModelError, match="m0 and m1 do not make an ensemble: the classes of the one are"
    ):
        to_ensemble([member(0), turned], "x")
    with pytest.raises(ModelError, match="the framing of the one is fer2013, of the other tight"):
        to_ensemble([member(0), member(1, framing="tight")], "x")
    graph = make_graph((64, 64, 1))
    with pytest.raises(ModelError, match="the input of the one is"):
        to_ensemble([member(0), with_card(graph, make_card(graph))], "x")
    old = make_graph(seed=3)
    old.opset_import[0].version = 16
    with pytest.raises(ModelError, match="another version of ONNX"):
        to_ensemble([member(0), with_card(old, make_card(old))], "x")


def test_classes_that_all_have() -> None:
    eight = make_graph(classes=8, seed=5, gain=6.0)
    votes = with_card(eight, make_card(eight, name="votes", labels=FERPLUS.keys))
    turned = member(1, labels=FER2013.keys[::-1])
    joined = Classifier(to_ensemble([member(0), votes, turned], "common", common=True))
    assert joined.card.labels == FER2013.keys
    shares = Classifier(votes).probabilities(FACES)[:, [FERPLUS.index(k) for k in FER2013.keys]]
    parts = [
        Classifier(member(0)).probabilities(FACES),
        shares / shares.sum(axis=1, keepdims=True),
        Classifier(turned).probabilities(FACES)[:, ::-1],
    ]
    np.testing.assert_allclose(joined.probabilities(FACES), np.mean(parts, axis=0), atol=1e-6)
    with pytest.raises(ModelError, match=r"the classes of the one are angry.*--common"):
        to_ensemble([member(0), votes], "x")
    two = make_graph(classes=2)
    other = with_card(two, make_card(two, labels=("angry", "awake")))
    with pytest.raises(ModelError, match="fewer than two classes in common"):
        to_ensemble([member(0), other], "x", common=True)


def test_certainty_of_a_class_that_is_left_out_stays_a_number() -> None:
    eight = make_graph(classes=8, gain=1.0)
    (bias,) = [tensor for tensor in eight.graph.initializer if tensor.name == "bias"]
    values = np.zeros(8, np.float32)
    values[FERPLUS.index("contempt")] = 1e4
    bias.CopyFrom(onnx.numpy_helper.from_array(values, "bias"))
    votes = with_card(eight, make_card(eight, name="votes", labels=FERPLUS.keys))
    assert Classifier(votes).probabilities(FACES)[:, FERPLUS.index("contempt")].min() == 1
    joined = Classifier(to_ensemble([member(0), votes], "both", common=True))
    alone = Classifier(member(0)).probabilities(FACES)
    np.testing.assert_allclose(joined.probabilities(FACES), alone, atol=1e-6)


def test_the_command_names_the_classes_that_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "seven.onnx").write_bytes(member(0))
    eight = make_graph(classes=8, seed=5)
    votes = with_card(eight, make_card(eight, name="votes", labels=FERPLUS.keys))
    (tmp_path / "eight.onnx").write_bytes(votes)
    members = ("ensemble", "seven.onnx", "eight.onnx", "--out", "both.onnx")
    assert_fails_on_one_line(mien(*members, cwd=tmp_path), "--common averages those that both have")
    done = mien(*members, "--common", cwd=tmp_path)
    assert done.stdout.strip().endswith("left out, as not all members have it: contempt")


def test_what_members_have_in_common_is_computed_once() -> None:
    warm = member(0, temperature=2.0)
    joined = to_ensemble([member(0), warm, member(1)], "three")
    # The cells are the same in all; two differ in nothing but the temperature behind their logits.
    kinds = Counter(node.op_type for node in _nodes(joined))
    assert (kinds["AveragePool"], kinds["Gemm"], kinds["Softmax"]) == (1, 2, 3)
    assert len(joined) < 2.2 * len(member(0)) + 5000
    each = [Classifier(content).probabilities(FACES) for content in (member(0), warm, member(1))]
    got = Classifier(joined).probabilities(FACES)
    np.testing.assert_allclose(got, np.mean(each, axis=0), atol=1e-6)


def test_the_command(tmp_path: Path) -> None:
    for seed in (0, 1):
        (tmp_path / f"m{seed}.onnx").write_bytes(member(seed))
    done = mien("ensemble", "m0.onnx", "m1.onnx", "--out", "both.onnx", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "both.onnx: 2 members" in done.stdout
    assert Classifier(tmp_path / "both.onnx").card.name == "both"
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    for arguments, message in (
        (("m0.onnx", "none.onnx", "--out", "x.onnx"), "no such model file: none.onnx"),
        (("m0.onnx", "m1.onnx", "--out", "m1.onnx"), "m1.onnx is what the new file is made of"),
        (("m0.onnx", "m1.onnx", "--out", "x"), "the file must end in .onnx"),
        (("m0.onnx", "bad.onnx", "--out", "x.onnx"), "bad.onnx is not a working ONNX file"),
    ):
        assert_fails_on_one_line(mien("ensemble", *arguments, cwd=tmp_path), message)
    assert mien("ensemble", "m0.onnx", "--out", "x.onnx", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "x.onnx").exists()
