"""How many threads one call of a model may use: a number per process, as torch and OpenCV have one.

onnxruntime, LiteRT and llama.cpp are told it when a network is opened. Their bytes do not depend on
it, nor do OpenCV's: measured on every network of the manifest and on DIS flow, with 1, 2 and 3
threads. Torch's do, in the last bits (HED, TransNet V2 and EfficientNet, 1 against 2 threads, in
float32 too), and what runs in torch here is small; so torch gets one thread whatever the number,
and no key needs to know it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experts.weights import fetch

if TYPE_CHECKING:  # both take a second to import, and not everybody needs them
    import onnxruntime

USUAL = 2
"""For who sets none, as with a single edit: two cores are always there."""

_threads = USUAL


def limit(threads: int) -> None:
    """Networks opened from now on may use so many threads per call."""
    global _threads
    _threads = threads


def per_call() -> int:
    """How many it is now."""
    return _threads


def one_for_torch() -> None:
    """Called where a torch network is opened. The number is torch's own, for the whole process."""
    import torch

    torch.set_num_threads(1)


def onnx_session(slot: str, threads: int | None = None) -> onnxruntime.InferenceSession:
    """The network of the manifest's `slot`, fetched and opened on the CPU."""
    return onnx_file_session(fetch(slot), threads)


def onnx_file_session(path: Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """The network in an ONNX file, opened on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or per_call()
    options.inter_op_num_threads = 1
    # Waiting threads sleep: other workers need the cores, and it costs nothing measurable.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
