"""Names inside an ONNX file that do not change from one export to the next.

tf2onnx numbers what it makes, and the numbers depend on the order of Python's sets, which is
another one in every process. One network would have another hash after every export, and a report
or a card that names the hash would no longer know it.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_NUMBER = re.compile(r"__\d+")


def renumber(model: "onnx.ModelProto") -> None:
    """Number generated names anew, in place, in the order in which the nodes use them.

    Args:
        model: a graph without subgraphs, whose inputs and outputs have names of their own.
    """
    names: dict[str, str] = {}

    def renamed(name: str) -> str:
        if not _NUMBER.search(name):
            return name
        return names.setdefault(name, _NUMBER.sub("", name) + f"__{len(names)}")

    for node in model.graph.node:
        node.name = renamed(node.name)
        for places in (node.input, node.output):
            for index, name in enumerate(places):
                places[index] = renamed(name)
    for tensor in (*model.graph.initializer, *model.graph.value_info):
        tensor.name = renamed(tensor.name)
