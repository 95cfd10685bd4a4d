"""MI-GAN (Sargsyan et al., ICCV 2023): image inpainting in one pass of a small network."""

from __future__ import annotations

import threading

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from experts.threads import onnx_session


class Migan:
    """The authors' ONNX pipeline, which crops, scales and blends by itself: any size will do."""

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
        """Free the weights."""
        with self._lock:
            self._session = None

    def paint(self, frame: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """`frame` [H, W, 3] RGB with `hole` [H, W] inpainted and all else unchanged."""
        self.load()
        session = self._session
        assert session is not None
        image = np.ascontiguousarray(frame.transpose(2, 0, 1)[None])
        keep = np.where(hole, 0, 255).astype(np.uint8)[None, None]
        (painted,) = session.run(None, {"image": image, "mask": keep})
        return np.where(hole[..., None], painted[0].transpose(1, 2, 0), frame)
