"""Object detection with EfficientDet-Lite2 (Tan, Pang & Le, "EfficientDet: Scalable and Efficient
Object Detection", CVPR 2020), a TFLite file with COCO's labels and NMS built in."""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from pydantic import PositiveInt

from experts.providers.bounds import Share
from experts.threads import per_call
from experts.weights import entry, fetch

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, px; x1 and y1 are exclusive."""

SCORE_THRESHOLD = 0.35
"""Least score of a detection; below it most boxes on street footage are wrong."""

SAME_OBJECT_IOU = 0.7
"""Boxes of one label that overlap more are one object: the built-in NMS is soft and leaves some."""

OBLONG = 1.2
"""Ratio of the sides from which a frame is looked at in square tiles too."""

CUT = 0.01
"""Share of a tile's side within which a box that reaches its edge is taken as cut by it."""

PADDING = 127
"""The quantised input's zero point: what the network sees as nothing."""

UNUSED_LABEL = "???"
"""Marks the ids of COCO's 90 that have no category."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one frame; `label` is a name of the detector's vocabulary, or a phrase that it
    was asked for; `score` is 0–1."""

    label: str
    score: float
    box: Box


class Detector:
    """Finds COCO's 80 kinds of objects. A lock serialises calls: the interpreter holds state."""

    name = "efficientdet_lite2"
    slots = ("efficientdet_lite2",)

    def __init__(
        self, *, threshold: Share = SCORE_THRESHOLD, threads: PositiveInt | None = None
    ) -> None:
        self.threshold = threshold
        self.version = f"2+{entry('efficientdet_lite2').sha256[:8]}"
        self._threads = threads
        self._interpreter: Any = None
        self._labels: list[str] = []
        self._lock = threading.Lock()

    def load(self) -> None:
        """Fetch and open the weights; raises EditmillError if they cannot be had."""
        with self._lock:
            self._open()

    def close(self) -> None:
        """Free the weights."""
        with self._lock:
            self._interpreter = None

    def detect(
        self, frames: Sequence[NDArray[np.uint8]], phrases: Sequence[str] = ()
    ) -> list[list[Detection]]:
        """The objects in each frame ([H, W, 3] RGB), best first; `phrases` make no difference, as
        its vocabulary is closed."""
        return [self._detect(frame) for frame in frames]

    def _open(self) -> None:
        if self._interpreter is None:
            path = fetch("efficientdet_lite2")
            self._labels = _labels(path)
            with no_notice():
                interpreter = Interpreter(str(path), num_threads=self._threads or per_call())
                interpreter.allocate_tensors()
            self._interpreter = interpreter

    def _detect(self, frame: NDArray[np.uint8]) -> list[Detection]:
        """Those of the whole frame and of its square tiles, where small objects are larger."""
        height, width = frame.shape[:2]
        found = self._look(frame, width, height)
        for x, y, side in tiles(width, height):
            part = self._look(frame[y : y + side, x : x + side], side, side)
            moved = (_moved(one, x, y) for one in part)
            found += [one for one in moved if not _cut((x, y, side), one.box, (width, height))]
        return drop_doubles(found)

    def _look(self, frame: NDArray[np.uint8], width: int, height: int) -> list[Detection]:
        with self._lock:
            self._open()
            (entrance,) = self._interpreter.get_input_details()
            side = int(entrance["shape"][1])
            self._interpreter.set_tensor(entrance["index"], letterbox(frame, side)[None])
            self._interpreter.invoke()
            exits = self._interpreter.get_output_details()
            boxes, labels, scores, _ = (
                self._interpreter.get_tensor(tensor["index"])[0].copy() for tensor in exits
            )
        to_px = max(height, width)  # boxes are shares of the square
        found = []
        for (y0, x0, y1, x1), label, score in zip(boxes * to_px, labels, scores, strict=True):
            box = (
                float(np.clip(x0, 0, width)),
                float(np.clip(y0, 0, height)),
                float(np.clip(x1, 0, width)),
                float(np.clip(y1, 0, height)),
            )
            name = self._labels[int(label)]
            visible = box[2] - box[0] >= 1 and box[3] - box[1] >= 1
            if score >= self.threshold and visible and name != UNUSED_LABEL:
                found.append(Detection(name, float(score), box))
        return found


def tiles(width: int, height: int) -> list[tuple[int, int, int]]:
    """Squares (x, y, side) as high as a wide frame, or as wide as a high one, that cover it; none
    for a frame that is nearly square, which a square network sees well as it is."""
    side, length = min(width, height), max(width, height)
    if length < OBLONG * side:
        return []
    count = -(-length // side)
    starts = [round(i * (length - side) / (count - 1)) for i in range(count)]
    return [(s, 0, side) if width > height else (0, s, side) for s in starts]


def _moved(one: Detection, x: int, y: int) -> Detection:
    x0, y0, x1, y1 = one.box
    return Detection(one.label, one.score, (x0 + x, y0 + y, x1 + x, y1 + y))


def _cut(tile: tuple[int, int, int], box: Box, size: tuple[int, int]) -> bool:
    """Whether the box ends where the tile does, inside the frame: then part of it is missing."""
    x, y, side = tile
    margin = CUT * side
    return (
        (x > 0 and box[0] < x + margin)
        or (y > 0 and box[1] < y + margin)
        or (x + side < size[0] and box[2] > x + side - margin)
        or (y + side < size[1] and box[3] > y + side - margin)
    )


def letterbox(frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The frame scaled to fit a square's top left corner, the rest padded; as in training."""
    height, width = frame.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.full((side, side, 3), PADDING, np.uint8)
    square[: size[1], : size[0]] = cv2.resize(frame, size, interpolation=shrinks)
    return square


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0–1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def drop_doubles(detections: Sequence[Detection]) -> list[Detection]:
    """Best first, without the lesser of any two nearly identical boxes of one label."""
    kept: list[Detection] = []
    for one in sorted(detections, key=lambda d: d.score, reverse=True):
        if all(one.label != k.label or iou(one.box, k.box) <= SAME_OBJECT_IOU for k in kept):
            kept.append(one)
    return kept


def known_labels() -> list[str]:
    """The labels that a detection may have; raises EditmillError if the weights cannot be had."""
    return [label for label in _labels(fetch("efficientdet_lite2")) if label != UNUSED_LABEL]


def _labels(path: Path) -> list[str]:
    """The label of each class id, from the zip that a TFLite model with metadata ends in."""
    with zipfile.ZipFile(path) as attached:
        return attached.read("labelmap.txt").decode().splitlines()


@contextmanager
def no_notice() -> Iterator[None]:
    """Meanwhile, what compiled code writes to stderr is lost: LiteRT says there which delegate it
    created, in the middle of a live table."""
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed: nothing can be said there
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
