"""Dynamically quantised ONNX models run with floats."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `objects` is not installed")

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from playhead.tools.dequantised import float_model


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Two convolutions of floats, the second one with a bias, padding, and a stride."""
    path = tmp_path_factory.mktemp("network") / "float.onnx"
    random = np.random.default_rng(0)
    weights = {
        "first": random.normal(0, 0.2, (8, 3, 3, 3)),
        "second": random.normal(0, 0.1, (4, 8, 3, 3)) * np.arange(1, 5).reshape(4, 1, 1, 1),
        "bias": random.normal(0, 1, 4),
    }
    nodes = [
        helper.make_node("Conv", ["picture", "first"], ["a"], "conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "second", "bias"], ["out"], "conv2", pads=[1, 1, 1, 1], strides=[2, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 4, 8, 8])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def outputs(model, picture):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"picture": picture})[0]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", [QuantType.QUInt8, QuantType.QInt8])
def test_a_quantised_model_becomes_a_float_model_with_nearly_the_same_outputs(network, tmp_path, per_channel, kind):
    quantised = tmp_path / "int8.onnx"
    quantize_dynamic(network, quantised, op_types_to_quantize=["Conv"], weight_type=kind, per_channel=per_channel)
    made = float_model(quantised)
    assert made is not None
    kinds = sorted(node.op_type for node in onnx.load_from_string(made).graph.node)
    assert kinds.count("Conv") == 2
    assert not {"ConvInteger", "DynamicQuantizeLinear", "Cast"} & {*kinds}
    assert len(onnx.load_from_string(made).graph.initializer) <= 4  # weights, bias, and the bias's shape
    picture = np.random.default_rng(1).random((1, 3, 16, 16)).astype(np.float32)
    true, floats, bytes_ = outputs(str(network), picture), outputs(made, picture), outputs(str(quantised), picture)
    error, bytes_error = np.abs(floats - true).max(), np.abs(bytes_ - true).max()
    assert error < 0.02 * np.abs(true).max()
    assert error <= 1.5 * bytes_error


def test_a_float_model_is_kept(network):
    assert float_model(network) is None


def test_a_convolution_of_bytes_in_another_pattern_is_kept(tmp_path):
    path = tmp_path / "bytes.onnx"
    graph = helper.make_graph(
        [helper.make_node("ConvInteger", ["picture", "weights"], ["out"], "conv")],
        "bytes",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("out", TensorProto.INT32, [1, 1, 2, 2])],
        [numpy_helper.from_array(np.ones((1, 1, 3, 3), np.uint8), "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    assert float_model(path) is None
