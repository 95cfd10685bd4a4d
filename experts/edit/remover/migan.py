"""MI-GAN (Sargsyan et al., ICCV 2023): one network pass that invents what nobody saw."""

from __future__ import annotations

import threading

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from experts.threads import onnx_session


class Migan:
    """The ONNX pipeline: it crops, scales and blends by itself, so any frame size will do."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self._session: onnxruntime.InferenceSession | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Open the weights (28 MB), once."""
        with self._lock:
            if self._session is None:
                self._session = onnx_session("migan", self.threads)

    def close(self) -> None:
        with self._lock:
            self._session = None

    def paint(self, frame: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """`frame` [H, W, 3] RGB with `hole` [H, W] invented; all else as it was."""
        self.load()
        session = self._session
        assert session is not None
        image = np.ascontiguousarray(frame.transpose(2, 0, 1)[None])
        keep = np.where(hole, 0, 255).astype(np.uint8)[None, None]
        (painted,) = session.run(None, {"image": image, "mask": keep})
        return np.where(hole[..., None], painted[0].transpose(1, 2, 0), frame)
