"""Whether faces are to be seen: BlazeFace, full range (Bazarevsky et al., "BlazeFace:
Sub-millisecond Neural Face Detection on Mobile GPUs", 2019; MediaPipe's model for faces within five
metres)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from experts.annotate.detection.detect import no_notice, tiles
from experts.threads import per_call
from experts.weights import entry, fetch

SCORE = 0.75
"""Least probability of a face. MediaPipe's is 0.6, at which the fronts of cars and a fence of the
sample clips are faces (up to 0.73); the faces in other clips have 0.75 to 0.93."""


class FaceDetector:
    """Says in which frames a face is seen. A lock serialises calls: the interpreter holds state."""

    name = "faces"
    slots = ("blazeface_full_range",)

    def __init__(self, score: float = SCORE) -> None:
        self.score = score
        self.version = f"1+{entry(self.slots[0]).sha256[:8]}"
        self._interpreter: Any = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Fetch and open the weights; raises EditmillError if they cannot be had."""
        with self._lock:
            if self._interpreter is None:
                path = fetch(self.slots[0])
                with no_notice():
                    interpreter = Interpreter(str(path), num_threads=per_call())
                    interpreter.allocate_tensors()
                self._interpreter = interpreter

    def close(self) -> None:
        """Free the weights."""
        with self._lock:
            self._interpreter = None

    def look(self, frames: NDArray[np.uint8]) -> dict[str, float]:
        """`face_share`: share of the frames, RGB [n, h, w, 3], in which a face is seen, 0–1."""
        seen = [self.best_score(frame) >= self.score for frame in frames]
        return {"face_share": float(np.mean(seen))}

    def best_score(self, frame: NDArray[np.uint8]) -> float:
        """Probability of the surest face in a frame, 0–1."""
        self.load()
        return max(self._score(view) for view in _views(frame))

    def _score(self, view: NDArray[np.uint8]) -> float:
        with self._lock:
            (entrance,) = self._interpreter.get_input_details()
            side = int(entrance["shape"][1])
            square = cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA)
            scaled = square.astype(np.float32) / 127.5 - 1
            self._interpreter.set_tensor(entrance["index"], scaled[None])
            self._interpreter.invoke()
            _, classifier = self._interpreter.get_output_details()
            logits = self._interpreter.get_tensor(classifier["index"])
        return float(1 / (1 + np.exp(-min(80.0, float(logits.max())))))


def _views(frame: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The frame, padded to a square, and its square tiles, in which small faces are larger."""
    height, width = frame.shape[:2]
    side = max(height, width)
    below, right = side - height, side - width
    yield cv2.copyMakeBorder(frame, 0, below, 0, right, cv2.BORDER_CONSTANT)
    for x, y, length in tiles(width, height):
        yield frame[y : y + length, x : x + length]
