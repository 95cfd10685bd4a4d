"""Masks a user hands to a command: a mask video, a folder of images, a box, or just a word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from catalog import media
from catalog.errors import BadInput, EditmillError
from experts.annotate.detect import Detection, Detector
from experts.annotate.segment import Segmenter
from experts.annotate.track import Tracker
from experts.base import Frames, Masks
from flows.recipe import Annotate
from flows.worker import loaded

IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"))
HALF = 128

ALL = 50
"""Objects tracked when a label asks for all there are."""

CHANGED = 24
"""Levels of 255: above what compression does to footage that was not edited."""

OPENING = np.ones((3, 3), np.uint8)
CLOSING = 15  # px: joins the parts of an object whose colours hardly differ from what replaced them


def read(where: str, frames: int, height: int, width: int) -> Masks:
    """The masks in a video or a folder of images (light = object), [frames, height, width].

    Raises BadInput if there are too few; they are resized if their shape is the frames' own.
    """
    path = Path(where)
    if path.is_dir():
        masks = _images(path)
    else:
        masks = np.stack([frame.max(-1) >= HALF for frame in media.iter_frames(path)])
    if len(masks) < frames:
        raise BadInput(
            "mask_length",
            f"{where}: {len(masks)} masks for {frames} frames; give one mask per frame",
        )
    if abs(masks.shape[2] / masks.shape[1] - width / height) > 0.02:
        raise BadInput(
            "mask_shape",
            f"{where}: masks of {masks.shape[2]}×{masks.shape[1]} do not fit a video of "
            f"{width}×{height}; they must cover the same picture",
        )
    return media.crop_resize(masks[:frames], (height, width))


def from_change(source: Frames, target: Frames) -> Masks:
    """Where the two sides differ by CHANGED or more, gaps closed: the mask of a local edit that
    came without one. Both [T, H, W, 3]; answered at the target's size."""
    height, width = target.shape[1:3]
    before = media.crop_resize(source, (height, width))
    kernel = np.ones((CLOSING, CLOSING), np.uint8)
    change = np.abs(before.astype(np.int16) - target).max(-1) >= CHANGED
    opened = [cv2.morphologyEx(c.astype(np.uint8), cv2.MORPH_OPEN, OPENING) for c in change]
    return np.stack([cv2.morphologyEx(c, cv2.MORPH_CLOSE, kernel) > 0 for c in opened])


def _images(folder: Path) -> Masks:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise BadInput(
            "no_masks", f"{folder}: no image in it; name them in frame order, like 0001.png"
        )
    images = []
    for file in files:
        image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise BadInput("corrupt_image", f"{file}: not a readable image; write it again as PNG")
        images.append(image >= HALF)
    if len({image.shape for image in images}) > 1:
        raise BadInput(
            "mask_shape", f"{folder}: the mask images differ in size; make them one size"
        )
    return np.stack(images)


class _GivenBox:
    """Stands in for the detector: the object is where the user says, in the first frame."""

    version = "given"

    def __init__(self, box: tuple[float, float, float, float], label: str) -> None:
        self._first: Detection | None = Detection(label or "object", 1.0, box)

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[Detection]]:
        found: list[list[Detection]] = [[] for _ in frames]
        if self._first is not None:
            found[0].append(self._first)
            self._first = None
        return found


def from_box(frames: Frames, text: str, label: str, fps: float) -> Masks:
    """The object inside the box `x0,y0,x1,y1` (px) of the first frame, tracked over all frames."""
    try:
        x0, y0, x1, y1 = (float(value) for value in text.split(","))
    except ValueError:
        raise EditmillError(
            f"--box {text}: not four numbers; write x0,y0,x1,y1 in pixels"
        ) from None
    height, width = frames.shape[1:3]
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise EditmillError(f"--box {text}: not a box inside the {width}×{height} picture")
    return _tracked(frames, fps, _GivenBox((x0, y0, x1, y1), label), f"--box {text}")


def from_label(frames: Frames, label: str, fps: float) -> Masks:
    """Every object of that label the detector finds, tracked over all frames."""
    detector = loaded(Detector)
    if not label:
        raise EditmillError("no object given; add --object, --box or --mask")
    return _tracked(frames, fps, detector, f"--object {label}", label)


def _tracked(frames: Frames, fps: float, detector: object, asked: str, label: str = "") -> Masks:
    interval = max(1, round(Annotate().keyframe_seconds * fps))
    found = Tracker(detector, loaded(Segmenter), max_objects=ALL).track(frames, interval)  # type: ignore[arg-type]
    seen = sorted({f.label for f in found})
    found = [f for f in found if not label or f.label == label]
    if not found:
        others = f"; seen: {', '.join(seen)}" if seen else ""
        raise EditmillError(
            f"{asked}: no such object found in the video{others}; give --mask or --box"
        )
    return np.logical_or.reduce([f.masks for f in found])
