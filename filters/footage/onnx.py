"""What models share whose weights are one ONNX file of the manifest."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ClassVar

from experts.threads import onnx_session
from experts.weights import entry

if TYPE_CHECKING:
    import onnxruntime


class OnnxModel:
    """Thread-safe once loaded."""

    name: ClassVar[str]
    slots: ClassVar[tuple[str, ...]]  # the one that the weights are

    def __init__(self) -> None:
        self.version = f"1+{entry(self.slots[0]).sha256[:8]}"
        self._session: onnxruntime.InferenceSession | None = None
        self._loading = threading.Lock()

    def load(self) -> None:
        """Fetch and open the weights; raises EditmillError if they cannot be had."""
        with self._loading:
            if self._session is None:
                self._session = onnx_session(self.slots[0])

    def close(self) -> None:
        """Free the weights."""
        self._session = None

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """The network, loaded if nobody did before."""
        self.load()
        assert self._session is not None
        return self._session
