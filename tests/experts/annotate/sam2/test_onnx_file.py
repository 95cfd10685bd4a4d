"""Written graphs are run by onnxruntime, which is what they are for."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from experts.annotate.sam2.onnx_file import Graph, constants


@pytest.fixture
def graph() -> Graph:
    """Softmax over the last axis of the maxima of windows, plus a constant."""
    graph = Graph()
    pooled = graph.add("MaxPool", "x", kernel_shape=(2, 2), strides=(2, 2))
    flat = graph.add("Reshape", pooled, np.array([1, -1], np.int64))
    shifted = graph.add("Add", flat, np.array([[0, 1, 2, 300]], np.float32))
    graph.constants["unused"] = np.array([[-63, 0], [1, 63]], np.int8)
    graph.add("Softmax", shifted, axis=-1)
    return graph


def test_onnxruntime_runs_what_was_written(graph: Graph) -> None:
    file = graph.serialized(
        {"x": (1, 1, 4, "width")}, {"y": (f"Softmax_{len(graph.nodes) - 1}_0", (1, 4))}
    )
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 1, 4, "width"]
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    (y,) = session.run(["y"], {"x": x})
    logits = np.array([5, 7 + 1, 13 + 2, 15 + 300], np.float64)
    expected = np.exp(logits - logits.max())
    np.testing.assert_allclose(y[0], expected / expected.sum(), atol=1e-6)


def test_constants_are_read_back(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(graph.serialized({"x": (1, 1, 4, 4)}, {"y": ("Add_2_0", (1, 4))}))
    read = constants(path)
    assert set(read) == set(graph.constants)
    for name, value in graph.constants.items():
        assert read[name].dtype == value.dtype
        np.testing.assert_array_equal(read[name], value)


def test_the_same_graph_gives_the_same_bytes(graph: Graph) -> None:
    files = {graph.serialized({"x": (1, 1, 4, 4)}, {"y": ("Add_2_0", (1, 4))}) for _ in range(2)}
    assert len(files) == 1


def test_equal_constants_are_kept_once() -> None:
    graph = Graph()
    for value in (np.ones(3, np.float32), np.ones(3, np.float32), np.ones(3, np.int8)):
        graph.add("Add", "x", value)
    assert [value.dtype for value in graph.constants.values()] == [np.float32, np.int8]
