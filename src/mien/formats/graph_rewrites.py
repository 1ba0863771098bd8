"""Changes to ONNX graphs that leave what they compute as it is, and let it be computed faster.

Written for the quantised networks of `mien.formats.int8`: what ONNX Runtime is slow at in integers
is put into another form first. `renumber` and `share_equals` are for all.
"""

import re
from typing import Any

import numpy as np

_NUMBER = re.compile(r"__\d+")
_WEIGHTED = ("Conv", "Gemm", "MatMul")

FEWEST_LAYERS = 3
"""Networks of so many layers with weights, or fewer, are quantised in all of them."""


def fold_pools(graph: Any) -> None:
    """Make every average pool part of the convolution of 1 x 1 that alone takes its output.

    The mean over k x k pixels and then a weight is that weight / k^2 on each of them: a convolution
    of k x k with a stride of k, which ONNX Runtime computes five times as fast in integers.

    Args:
        graph: an onnx.GraphProto; changed in place.
    """
    from onnx import helper, numpy_helper

    weights = {tensor.name: tensor for tensor in graph.initializer}
    for pool in [node for node in graph.node if node.op_type == "AveragePool"]:
        takers = [node for node in graph.node if pool.output[0] in node.input]
        settings = {a.name: helper.get_attribute_value(a) for a in pool.attribute}
        side = list(settings["kernel_shape"])
        if len(takers) != 1 or not _is_tiling(settings) or not _is_pointwise(takers[0], weights):
            continue
        (taker,) = takers
        old = numpy_helper.to_array(weights[taker.input[1]])
        spread = np.broadcast_to(old / np.prod(side), (*old.shape[:2], *side))
        name = f"{pool.name}_folded"
        graph.initializer.append(
            numpy_helper.from_array(np.ascontiguousarray(spread, np.float32), name)
        )
        taker.input[0], taker.input[1] = pool.input[0], name
        kept = [a for a in taker.attribute if a.name not in ("kernel_shape", "strides")]
        del taker.attribute[:]
        taker.attribute.extend(kept)
        for attribute in ("kernel_shape", "strides"):
            taker.attribute.append(helper.make_attribute(attribute, side))
        graph.node.remove(pool)


def _is_tiling(settings: dict[str, Any]) -> bool:
    """Whether a pool's windows lie side by side, without padding."""
    return (
        list(settings.get("strides", [])) == list(settings["kernel_shape"])
        and not any(settings.get("pads", []))
        and settings.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        and not settings.get("ceil_mode", 0)
    )


def _is_pointwise(node: Any, weights: dict[str, Any]) -> bool:
    """Whether a node is a convolution of 1 x 1 with a stride of 1 and known weights."""
    from onnx import helper

    if node.op_type != "Conv" or node.input[1] not in weights:
        return False
    settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return (
        list(weights[node.input[1]].dims[2:]) == [1, 1]
        and set(settings.get("strides", [1])) == {1}
        and not any(settings.get("pads", []))
        and settings.get("group", 1) == 1
    )


def outer_layers(graph: Any) -> list[str]:
    """Names of the nodes up to the first one with weights, and from the last ones with weights on.

    These stay in float32: the scaling of the input and the first layer, which has too few channels
    to be quicker in integers; the logits, and what an ensemble does with those of its members. They
    are little work, and 8 bits cost most there. In a network of `FEWEST_LAYERS` or fewer no layer
    is named, as little would remain to be quantised.

    Args:
        graph: an onnx.GraphProto, its nodes in the order of their use; nameless ones get a name.
    """
    weighted = [n for n, node in enumerate(graph.node) if node.op_type in _WEIGHTED]
    with_layers = len(weighted) > FEWEST_LAYERS
    first = weighted[0] if weighted else len(graph.node)
    needed: set[str] = set()  # what nodes with weights take, directly or not
    outer = []
    for number, node in reversed(list(enumerate(graph.node))):
        node.name = node.name or f"node_{number}"
        has_weights = node.op_type in _WEIGHTED
        behind = not needed & set(node.output)
        if (number <= first or behind) and (with_layers or not has_weights):
            outer.append(node.name)
        if has_weights or not behind:
            needed |= set(node.input)
    return outer[::-1]


def scale_planes(graph: Any) -> None:
    """Let the scaling of the input come after the change of its layout.

    ONNX Runtime multiplies (n, height, width, 1) by a number one element at a time, and
    (n, 1, height, width) row by row: 0.02 in place of 0.5 ms for ten faces.

    Args:
        graph: an onnx.GraphProto; changed in place. Left alone where it does not begin with
            operations by one number, and then one layout change.
    """
    numbers = {tensor.name for tensor in graph.initializer if not tensor.dims}
    chain: list[Any] = []
    for node in graph.node:
        before = chain[-1].output[0] if chain else graph.input[0].name
        if node.op_type not in ("Mul", "Add", "Sub", "Div") or node.input[0] != before:
            break
        if node.input[1] not in numbers:
            break
        chain.append(node)
    layout = next(
        (node for node in graph.node if chain and chain[-1].output[0] in node.input), None
    )
    if layout is None or layout.op_type not in ("Reshape", "Transpose"):
        return
    last, end = chain[-1].output[0], layout.output[0]
    if any(last in node.input for node in graph.node if node is not layout):
        return
    layout.input[0], chain[0].input[0] = graph.input[0].name, f"{end}_unscaled"
    layout.output[0], chain[-1].output[0] = f"{end}_unscaled", end
    nodes = [layout, *chain, *(n for n in graph.node if n is not layout and n not in chain)]
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def share_equals(graph: Any) -> None:
    """Compute once what is computed twice: equal nodes of equal inputs become one, and so do
    equal constants.

    Args:
        graph: an onnx.GraphProto whose nodes stand in the order of their use, none of them random;
            changed in place. Its outputs keep their names. One with graphs inside of its nodes
            stays as it is.
    """
    if any(each.HasField("g") or each.graphs for node in graph.node for each in node.attribute):
        return
    same: dict[str, str] = {}
    constants: dict[bytes, str] = {}
    for tensor in list(graph.initializer):
        content = type(tensor)()
        content.CopyFrom(tensor)
        content.ClearField("name")
        first = constants.setdefault(content.SerializeToString(deterministic=True), tensor.name)
        if first != tensor.name:
            same[tensor.name] = first
            graph.initializer.remove(tensor)
    given = {value.name for value in graph.output}
    nodes: dict[bytes, list[str]] = {}
    for node in list(graph.node):
        node.input[:] = [same.get(name, name) for name in node.input]
        content = type(node)()
        content.CopyFrom(node)
        content.ClearField("name")
        content.ClearField("output")
        attributes = sorted(content.attribute, key=lambda attribute: str(attribute.name))
        del content.attribute[:]
        content.attribute.extend(attributes)
        outputs = list(node.output)
        first_outputs = nodes.setdefault(content.SerializeToString(deterministic=True), outputs)
        if first_outputs != outputs and not given & set(outputs):
            same.update(zip(outputs, first_outputs, strict=True))
            graph.node.remove(node)


def shorten_names(graph: Any) -> None:
    """Give everything inside of a graph a short name: about 2 % of a small quantised network.

    Converters name tensors by the whole path of their layer, and quantisers lengthen that. The
    names of inputs and outputs stay; nodes lose theirs, and shapes of what lies between go.

    Args:
        graph: an onnx.GraphProto; changed in place. Left alone where a node holds a graph of its
            own, which could mean names of this one.
    """
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return
    short: dict[str, str] = {value.name: value.name for value in (*graph.input, *graph.output)}
    short[""] = ""  # an input that is left out

    def of(name: str) -> str:
        return short.setdefault(name, f"t{len(short)}")

    for node in graph.node:
        node.input[:] = [of(name) for name in node.input]
        node.output[:] = [of(name) for name in node.output]
        node.name = node.doc_string = ""
    for tensor in graph.initializer:
        tensor.name = of(tensor.name)
    del graph.value_info[:]


def spell_out_erfc(graph: Any) -> None:
    """Make Erfc, which ONNX does not have, of Erf: the two add up to one. GELU needs it.

    Args:
        graph: an onnx.GraphProto; changed in place.
    """
    from onnx import helper, numpy_helper

    nodes = []
    for node in graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        (value,), (result,) = node.input, node.output
        nodes.append(helper.make_node("Erf", [value], [f"{result}_erf"], f"{node.name}_erf"))
        nodes.append(helper.make_node("Sub", ["one", f"{result}_erf"], [result], node.name))
    if len(nodes) == len(graph.node):
        return
    graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "one"))
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def renumber(graph: Any) -> None:
    """Number generated names anew, in the order in which the nodes use them, and take out the
    graph's remark.

    tf2onnx numbers what it makes, and the numbers depend on the order of Python's sets, which is
    another one in every process; its remark names a function of the process. One network would have
    another hash after every export, and a report that names the hash would no longer know it.

    Args:
        graph: an onnx.GraphProto without graphs inside its nodes; changed in place. Its inputs and
            outputs have names without a number.
    """
    names: dict[str, str] = {}
    constants = {tensor.name for tensor in graph.initializer}

    def of(name: str) -> str:
        if not _NUMBER.search(name):
            return name
        # Of equal constants one stays, with a name of any of their layers.
        kind = "const" if name in constants else _NUMBER.sub("", name)
        return names.setdefault(name, f"{kind}__{len(names)}")

    for node in graph.node:
        node.name = of(node.name)
        node.input[:] = [of(name) for name in node.input]
        node.output[:] = [of(name) for name in node.output]
    for tensor in (*graph.initializer, *graph.value_info):
        tensor.name = of(tensor.name)
    graph.initializer.sort(key=lambda tensor: tensor.name)
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = of(size.dim_param)
    graph.doc_string = ""
