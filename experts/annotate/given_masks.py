"""Masks a user hands to a command: a mask video, a folder of images, a box, or just a word."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from catalog import media
from catalog.errors import BadInput, EditmillError
from catalog.media.sides import one_shape
from catalog.wording import counted
from experts.annotate.detection.detect import Detection, Detector
from experts.annotate.rules import Annotate
from experts.annotate.tracking.segment import Segmenter
from experts.annotate.tracking.tracker import Tracker
from experts.base import Frames, Masks
from experts.instances import loaded
from experts.masks import files as mask_files
from experts.masks.packed import Union

log = logging.getLogger("editmill")

ALL = 50
"""Objects tracked when a label asks for all there are."""

CHANGED = 24
"""Levels of 255: above what compression does to footage that was not edited."""

MOSTLY = 0.8
"""Share of all pixels above which a mask may well be inverted."""

OPENING = np.ones((3, 3), np.uint8)
CLOSING = 15  # px: joins the parts of an object whose colours hardly differ from what replaced them


def read(where: str, frames: int, height: int, width: int, of: int | None = None) -> Masks:
    """The masks in a video, or a folder of images, of `frames` frames, [frames, height, width].

    :mod:`experts.masks.files` says what in them is the object. There must be one for each of the
    video's frames, which are `of`, if more than those asked for. They are resized if their shape is
    the frames' own.

    Raises BadInput: `mask_length`, `mask_shape`, `empty_mask` (no pixel in any frame), `full_mask`
    (every pixel of every frame), and as :mod:`experts.masks.files` does.
    """
    path = Path(where)
    images = path.is_dir() or path.suffix.lower() in mask_files.IMAGE_SUFFIXES
    masks = mask_files.from_images(path) if images else mask_files.from_video(path)
    if len(masks) not in (frames, of or frames):
        plural = "" if len(masks) == 1 else "s"
        raise BadInput(
            "mask_length",
            f"{where}: {len(masks)} mask{plural} for {of or frames} frames; give one per frame",
        )
    if not one_shape((masks.shape[2], masks.shape[1]), (width, height)):
        raise BadInput(
            "mask_shape",
            f"{where}: masks of {masks.shape[2]}×{masks.shape[1]} do not fit a video of "
            f"{width}×{height}; they must cover the same picture",
        )
    masks = media.crop_resize(masks[:frames], (height, width))
    if not masks.any():
        raise BadInput("empty_mask", f"{where}: no object in any frame; make it white on black")
    if masks.all():
        raise BadInput(
            "full_mask", f"{where}: every pixel of every frame is object; make all else black"
        )
    if (share := masks.mean()) > MOSTLY:
        log.warning("%s: %.0f%% is object; light is, dark is not", where, 100 * share)
    return masks


def from_change(source: Frames, target: Frames) -> Masks:
    """Where the two sides differ by CHANGED or more, gaps closed: the mask of a local edit that
    came without one. Both [T, H, W, 3]; answered at the target's size."""
    height, width = target.shape[1:3]
    before = media.crop_resize(source, (height, width))
    kernel = np.ones((CLOSING, CLOSING), np.uint8)
    change = np.abs(before.astype(np.int16) - target).max(-1) >= CHANGED
    opened = [cv2.morphologyEx(c.astype(np.uint8), cv2.MORPH_OPEN, OPENING) for c in change]
    return np.stack([cv2.morphologyEx(c, cv2.MORPH_CLOSE, kernel) > 0 for c in opened])


class _GivenBox:
    """Stands in for the detector: the object is where the user says, in the first frame."""

    version = "given"

    def __init__(self, box: tuple[float, float, float, float], label: str) -> None:
        self._first: Detection | None = Detection(label or "object", 1.0, box)

    def detect(
        self, frames: Sequence[np.ndarray], phrases: Sequence[str] = ()
    ) -> list[list[Detection]]:
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
        other = "--mask" if asked.startswith("--box") else "--mask or --box"
        raise EditmillError(f"{asked}: no such object found in the video{others}; give {other}")
    crowded = {frame for f in found for frame, _ in f.rivals} if label else set()
    if crowded:
        log.warning(
            "%s: at %s more of them are seen than could be followed; these "
            "stay as they are, and a removal of the others may show them as ghosts: look at the "
            "result, or give --mask",
            asked,
            counted(len(crowded), "moment"),
        )
    masks: Masks = np.stack(Union([f.masks for f in found]))
    followed = int(masks.any((1, 2)).sum())
    if followed < len(masks):
        # A label is looked for at every keyframe, a box is only followed from the first frame.
        other = "--object or --mask" if asked.startswith("--box") else "--mask"
        log.warning(
            "%s: found in %d of %d frames, and only these are edited; where it is to be seen in "
            "others too, give %s",
            asked,
            followed,
            len(masks),
            other,
        )
    return masks
