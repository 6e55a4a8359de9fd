"""Turns a dynamically quantised ONNX model into a float model with the same weights, which ONNX Runtime runs faster on a CPU.

ONNX Runtime has slow kernels for convolutions of bytes: YOLOv8n takes 0.40 CPU seconds a frame with them, 0.10 with floats.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import MissingExtraError

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["float_model"]


def float_model(path: Path) -> bytes | None:
    """Return an ONNX model whose convolutions of bytes are convolutions of floats; None if it has none of them.

    The bytes of the weights are multiplied by their scales. The inputs of the convolutions are not rounded to bytes any more.

    Args:
        path: The model, as `onnxruntime.quantization.quantize_dynamic` writes it. Other patterns are kept as they are.

    Raises:
        MissingExtraError: The package `onnx` is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingExtraError("an .onnx detector", "onnx", "objects") from error
    model = onnx.load(str(path))
    graph = _Graph(model.graph)
    replaced = [graph.replaced(node) for node in [*model.graph.node] if node.op_type == "ConvInteger"]
    if not any(replaced):
        return None
    graph.prune()
    content: bytes = model.SerializeToString()
    return content


class _Graph:
    """A graph, with the nodes that make and read each of its values."""

    def __init__(self, graph: "GraphProto") -> None:
        self._graph = graph
        self._constants = {constant.name: constant for constant in graph.initializer}
        self._maker = {output: node for node in graph.node for output in node.output}
        self._readers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def replaced(self, convolution: "NodeProto") -> bool:
        """Replace a convolution of bytes and the product with its scales by a convolution of floats; False: another pattern."""
        from onnx import helper, numpy_helper

        quantised, weights, *zero_points = convolution.input
        maker = self._maker.get(quantised)
        cast = self._only_reader(convolution, "Cast")
        product = self._only_reader(cast, "Mul")
        if maker is None or maker.op_type != "DynamicQuantizeLinear" or cast is None or product is None:
            return False
        scales = self._maker.get(next(name for name in product.input if name != cast.output[0]))
        scale = next((name for name in scales.input if name in self._constants), "") if scales else ""
        if weights not in self._constants or not scale:
            return False
        values = self._value(weights)
        zero = self._value(zero_points[1]) if len(zero_points) > 1 else np.zeros((), np.float32)
        floats = (values - _by_channel(zero, values.ndim)) * _by_channel(self._value(scale), values.ndim)
        name = f"{weights}_as_floats"
        self._graph.initializer.append(numpy_helper.from_array(floats.astype(np.float32), name))
        node = helper.make_node("Conv", [maker.input[0], name], [product.output[0]], f"{convolution.name}_of_floats")
        node.attribute.extend(convolution.attribute)
        self._graph.node.insert(list(self._graph.node).index(product), node)
        self._graph.node.remove(product)
        return True

    def prune(self) -> None:
        """Remove what no output depends on."""
        needed = {output.name for output in self._graph.output}
        for node in reversed(self._graph.node):
            if needed.intersection(node.output):
                needed.update(node.input)
        for group in (self._graph.node, self._graph.initializer):
            kept = [one for one in group if needed.intersection(_names(one))]
            del group[:]
            group.extend(kept)

    def _only_reader(self, node: "NodeProto | None", kind: str) -> "NodeProto | None":
        readers = self._readers.get(node.output[0], []) if node else []
        return readers[0] if len(readers) == 1 and readers[0].op_type == kind else None

    def _value(self, name: str) -> npt.NDArray[np.float32]:
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(self._constants[name]), np.float32)


def _names(one: Any) -> list[str]:
    """The values that a node makes, or the name of a constant."""
    return list(one.output) if hasattr(one, "output") else [one.name]


def _by_channel(values: npt.NDArray[np.float32], dimensions: int) -> npt.NDArray[np.float32]:
    """One value, or one for each output channel, shaped to be combined with weights of some dimensions."""
    return values.reshape(-1, *[1] * (dimensions - 1)) if values.size > 1 else values.reshape(())
