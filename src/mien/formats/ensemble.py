"""Several bundles -> one bundle that averages what they say.

The members' graphs lie side by side in one ONNX file behind one input. Each one's logits are
divided by its own temperature; the output is the logarithm of the mean of their probabilities, so
that the ensemble is a network like any other: it can be calibrated, evaluated and used as it is.
Averaged probabilities were preferred to averaged logits because they do not depend on how sure a
member that was trained otherwise is in general.

What two members have in common is computed once: two heads of one network differ in their last
layer alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mien.errors import ModelError, needs_extra
from mien.formats.graph_rewrites import share_equals
from mien.formats.onnx_cards import with_card, with_runtime_golden
from mien.model.card import ModelCard
from mien.recognition.classifier import Classifier

ARCHITECTURE = "ensemble"
"""What the card of an ensemble says for its architecture."""

SMALLEST_PROBABILITY = 1e-12
"""Mean probabilities below are raised to it, so that every logit is a number."""

_INPUT, _OUTPUT = "image", "logits"


def to_ensemble(bundles: Sequence[bytes], name: str, *, common: bool = False) -> bytes:
    """Join bundles into one.

    Args:
        bundles: two or more ONNX files with cards: the same classes in the same order, the same
            input, the same framing.
        name: name of the ensemble.
        common: take the classes that all members have, in the first one's order, in place of asking
            for the same ones; the others are dropped, and the rest is scaled to a sum of 1.

    Returns:
        The ONNX file with a card of its own, sealed. The card names its members and their hashes,
        has their licences, and of their data and choices what all of them share.

    Raises:
        ModelError: there are fewer than two, one is no bundle or there twice, they do not fit
            together, or they have fewer than two classes in common.
    """
    if len(bundles) < 2:
        raise ModelError("an ensemble needs two models or more")
    cards = [Classifier(bundle).card for bundle in bundles]
    if len(set(bundles)) < len(bundles):
        raise ModelError("a member is named twice, which changes nothing; name each once")
    _check_alike(cards, common)
    labels = tuple(key for key in cards[0].labels if all(key in card.labels for card in cards))
    if len(labels) < 2:
        raise ModelError("the models have fewer than two classes in common")
    card = _card(cards, bundles, name, labels)
    graph = _joined(bundles, cards, labels)
    return with_card(graph, with_runtime_golden(graph, card))


def _check_alike(cards: Sequence[ModelCard], common: bool) -> None:
    first = cards[0]
    for other in cards[1:]:
        if first.labels != other.labels and not common:
            raise ModelError(
                f"{first.name} and {other.name} do not make an ensemble: the classes of the one "
                f"are {', '.join(first.labels)}, of the other {', '.join(other.labels)}; --common "
                "averages those that both have"
            )
        for what, here, there in (
            ("input", first.input_shape, other.input_shape),
            ("framing", first.framing, other.framing),
        ):
            if here != there:
                raise ModelError(
                    f"{first.name} and {other.name} do not make an ensemble: the {what} of the "
                    f"one is {here}, of the other {there}"
                )


def _card(
    cards: Sequence[ModelCard], bundles: Sequence[bytes], name: str, labels: tuple[str, ...]
) -> ModelCard:
    first = cards[0]
    shared = {
        key: value
        for key, value in first.data.items()
        if all(each.data.get(key) == value for each in cards)
    }
    members = [
        {
            "name": each.name,
            "sha256": hashlib.sha256(bundle).hexdigest(),
            "commit": each.commit,
            "temperature": each.temperature,
            "data": dict(each.data),
        }
        for each, bundle in zip(cards, bundles, strict=True)
    ]
    chosen = {
        key: first.chosen[key]
        for key in ("split", "metric")
        if key in first.chosen and all(each.chosen.get(key) == first.chosen[key] for each in cards)
    }
    commits = {each.commit for each in cards}
    precisions = {each.precision for each in cards}
    return replace(
        first,
        name=name,
        architecture=ARCHITECTURE,
        labels=labels,
        recipe={"members": members},
        data=shared,
        chosen=chosen,
        scores=(),
        temperature=1.0,
        calibration=None,
        precision="int8" if "int8" in precisions else "float32",
        licence="; ".join(dict.fromkeys(each.licence for each in cards if each.licence)),
        commit=commits.pop() if len(commits) == 1 else "",
        golden=(),
    )


def _joined(bundles: Sequence[bytes], cards: Sequence[ModelCard], labels: tuple[str, ...]) -> bytes:
    with needs_extra("train"):
        import onnx
        from onnx import TensorProto, compose, helper, numpy_helper
    shape: list[str | int | None] = ["n", *cards[0].input_shape]
    image = helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, shape)
    classes: list[str | int | None] = ["n", len(labels)]
    logits = helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, classes)
    nodes: list[Any] = []
    means: list[str] = []
    constants: list[Any] = []
    versions: dict[str, int] = {}
    ir_version = 0
    for number, (bundle, card) in enumerate(zip(bundles, cards, strict=True)):
        prefix = f"member{number}_"
        member = compose.add_prefix(onnx.load_model_from_string(bundle), prefix)
        ir_version = max(ir_version, member.ir_version)
        for opset in member.opset_import:
            if versions.setdefault(opset.domain, opset.version) != opset.version:
                raise ModelError(
                    f"{card.name} is of another version of ONNX than {cards[0].name}; "
                    "export both again"
                )
        if member.functions or member.graph.sparse_initializer:
            raise ModelError(f"{card.name} has parts that cannot be joined; export it again")
        nodes.append(helper.make_node("Identity", [_INPUT], [member.graph.input[0].name]))
        nodes.extend(member.graph.node)
        constants.extend(member.graph.initializer)
        temperature = np.array(card.temperature, np.float32)
        constants.append(numpy_helper.from_array(temperature, f"{prefix}temperature"))
        nodes.append(
            helper.make_node(
                "Div", [member.graph.output[0].name, f"{prefix}temperature"], [f"{prefix}cooled"]
            )
        )
        nodes.append(
            helper.make_node("Softmax", [f"{prefix}cooled"], [f"{prefix}probabilities"], axis=-1)
        )
        means.append(f"{prefix}probabilities")
        if card.labels != labels:
            rows = np.array([card.labels.index(key) for key in labels], np.int64)
            constants.append(numpy_helper.from_array(rows, f"{prefix}rows"))
            constants.append(numpy_helper.from_array(np.array([-1], np.int64), f"{prefix}last"))
            nodes += [
                helper.make_node("Gather", [means[-1], f"{prefix}rows"], [f"{prefix}kept"], axis=1),
                helper.make_node(
                    "ReduceSum", [f"{prefix}kept", f"{prefix}last"], [f"{prefix}sum"], keepdims=1
                ),
                # A member that is certain of a dropped class says nothing of the others.
                helper.make_node("Max", [f"{prefix}sum", "smallest"], [f"{prefix}divisor"]),
                helper.make_node("Div", [f"{prefix}kept", f"{prefix}divisor"], [f"{prefix}shares"]),
            ]
            means[-1] = f"{prefix}shares"
    constants.append(
        numpy_helper.from_array(np.array(SMALLEST_PROBABILITY, np.float32), "smallest")
    )
    nodes += [
        helper.make_node("Mean", means, ["mean"]),
        helper.make_node("Max", ["mean", "smallest"], ["positive"]),
        helper.make_node("Log", ["positive"], [_OUTPUT]),
    ]
    graph = helper.make_graph(nodes, ARCHITECTURE, [image], [logits], constants)
    share_equals(graph)
    opsets = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = ir_version
    return bytes(model.SerializeToString(deterministic=True))
