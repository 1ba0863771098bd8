"""The hash of an export: one and the same for one network."""

import pytest

pytest.importorskip("onnx", reason="needs the train extra")

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from mien.formats.onnx_names import renumber


def graph(first: int, second: int) -> onnx.ModelProto:
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
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [2, 3])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [3, 2])],
            [numpy_helper.from_array(np.ones((2, 3), np.float32), f"const__{first}")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def test_other_numbers_give_the_same_file_which_computes_the_same():
    one, other = graph(37, 46), graph(39, 48)
    assert one != other
    for model in (one, other):
        renumber(model)
    assert one.SerializeToString() == other.SerializeToString()
    session = onnxruntime.InferenceSession(one.SerializeToString())
    image = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(session.run(None, {"image": image})[0], -(image + 1).T)


def test_numbers_that_change_places_do_not_collide():
    model = graph(1, 0)
    renumber(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.name for node in model.graph.node] == ["", "net/relu", "Transpose__2"]
    assert model.graph.initializer[0].name == "const__0"
