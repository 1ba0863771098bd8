"""Rewritten graphs compute what they computed before."""

import math

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.formats.graph_rewrites import (
    FEWEST_LAYERS,
    fold_pools,
    outer_layers,
    renumber,
    scale_planes,
    shorten_names,
    spell_out_erfc,
)


def make_model(**pool: object) -> onnx.ModelProto:
    """(n, 8, 8, 1) -> scaling -> planes -> convolution -> pool -> convolution of 1 x 1."""
    rng = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(rng.normal(0, 1, shape).astype(np.float32), name)

    tile = {"kernel_shape": [2, 2], "strides": [2, 2], **pool}
    nodes = [
        helper.make_node("Mul", ["image", "factor"], ["multiplied"], name="multiply"),
        helper.make_node("Add", ["multiplied", "offset"], ["scaled"], name="add"),
        helper.make_node("Transpose", ["scaled"], ["planes"], name="turn", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "w0", "b0"], ["x"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("AveragePool", ["x"], ["pooled"], name="pool", **tile),
        helper.make_node("Conv", ["pooled", "w1"], ["y"], name="pointwise"),
    ]
    tensors = [
        numpy_helper.from_array(np.float32(0.01), "factor"),
        numpy_helper.from_array(np.float32(-1.0), "offset"),
        *(weights("w0", 3, 1, 3, 3), weights("b0", 3), weights("w1", 5, 3, 1, 1)),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 8, 8, 1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5, "h", "w"])
    graph = helper.make_graph(nodes, "rewritten", [image], [result], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def computed(model: onnx.ModelProto) -> np.ndarray:
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    image = np.random.default_rng(1).uniform(0, 255, (3, 8, 8, 1)).astype(np.float32)
    return np.asarray(session.run(None, {"image": image})[0])


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_a_pool_becomes_part_of_the_convolution_after_it() -> None:
    model = make_model()
    before = computed(model)
    fold_pools(model.graph)
    assert kinds(model) == ["Mul", "Add", "Transpose", "Conv", "Conv"]
    np.testing.assert_allclose(computed(model), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pool", [{"strides": [1, 1]}, {"pads": [1, 1, 1, 1]}, {"ceil_mode": 1}])
def test_overlapping_and_padded_pools_stay(pool: dict[str, object]) -> None:
    model = make_model(**pool)
    fold_pools(model.graph)
    assert "AveragePool" in kinds(model)


def test_a_pool_that_others_use_stays() -> None:
    model = make_model()
    model.graph.node.append(helper.make_node("Relu", ["pooled"], ["z"], name="relu"))
    fold_pools(model.graph)
    assert "AveragePool" in kinds(model)


def test_scaling_comes_after_the_layout() -> None:
    model = make_model()
    before = computed(model)
    assert outer_layers(model.graph)[:3] == ["multiply", "add", "turn"]
    scale_planes(model.graph)
    assert kinds(model)[:4] == ["Transpose", "Mul", "Add", "Conv"]
    np.testing.assert_array_equal(computed(model), before)
    scale_planes(model.graph)  # nothing is left to be done
    np.testing.assert_array_equal(computed(model), before)


def test_nodes_without_a_name_get_one() -> None:
    model = make_model()
    for node in model.graph.node:
        node.name = ""
    assert outer_layers(model.graph)[:3] == ["node_0", "node_1", "node_2"]
    assert model.graph.node[1].name == "node_1"


def test_the_outer_layers_stay_in_float32() -> None:
    def chain(n_layers: int) -> onnx.GraphProto:
        nodes = [helper.make_node("Mul", ["image", "factor"], ["x0"], name="scale")]
        for n in range(n_layers):
            nodes.append(helper.make_node("Conv", [f"x{n}", "w"], [f"y{n}"], name=f"layer{n}"))
            nodes.append(helper.make_node("Relu", [f"y{n}"], [f"x{n + 1}"], name=f"relu{n}"))
        last = f"x{n_layers}"
        for head in "ab":  # two heads, as those of an ensemble
            nodes.append(helper.make_node("MatMul", [last, "v"], [f"m{head}"], name=f"head_{head}"))
            nodes.append(helper.make_node("Softmax", [f"m{head}"], [head], name=f"softmax_{head}"))
        nodes.append(helper.make_node("Mean", ["a", "b"], ["mean"], name="mean"))
        return helper.make_graph(nodes, "chain", [], [])

    heads = ["head_a", "softmax_a", "head_b", "softmax_b", "mean"]
    assert outer_layers(chain(2)) == ["scale", "layer0", *heads]
    few = [name for name in ("scale", *heads) if not name.startswith("head")]
    assert outer_layers(chain(FEWEST_LAYERS - 2)) == few


def test_scaling_that_others_use_stays() -> None:
    model = make_model()
    model.graph.node.append(helper.make_node("Relu", ["scaled"], ["z"], name="relu"))
    scale_planes(model.graph)
    assert kinds(model)[0] == "Mul"


def test_short_names_change_no_result() -> None:
    model = make_model()
    model.graph.node[0].doc_string = "words"
    images = np.random.default_rng(1).uniform(0, 255, (3, 8, 8, 1)).astype(np.float32)

    def computed() -> np.ndarray:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        assert [value.name for value in session.get_inputs()] == ["image"]
        assert [value.name for value in session.get_outputs()] == ["y"]
        return session.run(None, {"image": images})[0]

    before, size = computed(), len(model.SerializeToString())
    shorten_names(model.graph)
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(computed(), before)
    assert len(model.SerializeToString()) < size
    named = {name for node in model.graph.node for name in (*node.input, *node.output)}
    assert max(map(len, named - {"image", "y"})) <= 3


def numbered(first: int, second: int) -> onnx.ModelProto:
    """image + a constant, negated and turned: names as tf2onnx makes them, numbers as given."""
    return helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Add", ["image", f"const__{first}"], [f"net/sum__{second}:0"]),
                helper.make_node("Neg", [f"net/sum__{second}:0"], ["net/relu:0"], name="net/relu"),
                helper.make_node(
                    "Transpose",
                    ["net/relu:0"],
                    ["logits"],
                    name=f"Transpose__{second}",
                    perm=[1, 0],
                ),
            ],
            "g",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [f"unk__{first}", 3])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [3, f"unk__{first}"])],
            [numpy_helper.from_array(np.ones((2, 3), np.float32), f"const__{first}")],
            doc_string=f"converted from f_{first}",
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def test_other_numbers_give_the_same_file_which_computes_the_same():
    one, other = numbered(37, 46), numbered(39, 48)
    assert one != other
    for model in (one, other):
        renumber(model.graph)
    assert one.SerializeToString() == other.SerializeToString()
    session = onnxruntime.InferenceSession(one.SerializeToString())
    image = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(session.run(None, {"image": image})[0], -(image + 1).T)


def test_numbers_that_others_had_before_do_not_collide():
    model = numbered(1, 0)
    renumber(model.graph)
    onnx.checker.check_model(model, full_check=True)
    assert [node.name for node in model.graph.node] == ["", "net/relu", "Transpose__2"]
    assert model.graph.initializer[0].name == "const__0"


def test_erfc_is_spelt_out():
    nodes = [
        helper.make_node("Neg", ["x"], ["a"], "n"),
        helper.make_node("Erfc", ["a"], ["b"], "first"),
        helper.make_node("Erfc", ["b"], ["y"], "second"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    spell_out_erfc(model.graph)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.linspace(-2, 2, 9, dtype=np.float32)
    expected = [math.erfc(math.erfc(-value)) for value in x]
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=1e-6)


def test_it_does_not_matter_whose_constant_stayed():
    def clipped(layer: str, after: str):
        nodes = [
            helper.make_node("Min", ["x", f"{layer}/Relu6_min__7"], ["a"], "a"),
            helper.make_node("Max", ["a", f"{after}/Relu6_max__5"], ["y"], "b"),
        ]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
        stored = [
            numpy_helper.from_array(np.float32(6), f"{layer}/Relu6_min__7"),
            numpy_helper.from_array(np.float32(0), f"{after}/Relu6_max__5"),
        ]
        stored.sort(key=lambda tensor: tensor.name)
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], stored)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    one, other = clipped("block_1", "block_2"), clipped("block_9", "block_3")
    for model in (one, other):
        renumber(model.graph)
    assert one.SerializeToString() == other.SerializeToString()
    x = np.array([-1, 3, 9], np.float32)
    session = onnxruntime.InferenceSession(one.SerializeToString())
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], [0, 3, 6])
