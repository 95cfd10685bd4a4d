"""How much of the picture is text: PP-OCR's detector (Du et al., "PP-OCR: A practical ultra
lightweight OCR system", 2020; its network is Liao et al.'s DB, "Real-time scene text detection with
differentiable binarization", AAAI 2020)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.footage.onnx import OnnxModel

MULTIPLE = 32
"""px; the network halves the picture five times."""

PIXEL = 0.3
REGION = 0.5
GROWTH = 1.6
"""Least probability of a pixel, least mean of a region, and by how much a region, which the network
shrinks, is grown again (area × GROWTH / perimeter): RapidOCR's settings for this file."""

MIN_HEIGHT = 3
"""px; regions that are flatter are edges."""


TALL = 0.12
OBLONG = 3.0
"""A region taller than this share of the picture is a line of text only if it is so many times as
long as high: the network takes many an object that fills the picture for one letter."""


class TextDetector(OnnxModel):
    """Finds lines of text in any script. Thread-safe once loaded."""

    name = "text"
    slots = ("ppocr_v4_detection",)

    def look(self, frames: NDArray[np.uint8]) -> dict[str, float]:
        """`text_area`: mean share of the picture that lines of text take, 0–1; frames are RGB,
        [n, h, w, 3]."""
        areas = [self.lines(frame).mean() for frame in frames]
        return {"text_area": float(np.mean(areas))}

    def lines(self, frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where there is text, [h, w]."""
        session = self.session
        height, width = frame.shape[:2]
        size = tuple(max(MULTIPLE, -(-side // MULTIPLE) * MULTIPLE) for side in (width, height))
        scaled = cv2.resize(frame, size)[..., ::-1].astype(np.float32) / 127.5 - 1  # BGR, −1…1
        (found,) = session.run(None, {"x": scaled.transpose(2, 0, 1)[None]})
        return _lines(cv2.resize(found[0, 0], (width, height)))


def _lines(probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    drawn = np.zeros(probability.shape, np.uint8)
    regions = (probability > PIXEL).astype(np.uint8)
    outlines, _ = cv2.findContours(regions, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for outline in outlines:
        centre, (w, h), angle = cv2.minAreaRect(outline)
        if min(w, h) < MIN_HEIGHT:
            continue
        grow = GROWTH * w * h / (w + h)
        across, along = min(w, h) + grow, max(w, h) + grow
        if across > TALL * min(probability.shape) and along < OBLONG * across:
            continue
        inside = np.zeros_like(drawn)
        cv2.fillPoly(inside, [outline], 1)
        if probability[inside > 0].mean() < REGION:
            continue
        grown = cv2.boxPoints((centre, (w + grow, h + grow), angle))
        cv2.fillPoly(drawn, [np.rint(grown).astype(np.int32)], 1)
    return drawn > 0
