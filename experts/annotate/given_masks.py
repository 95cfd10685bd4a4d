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
from experts.annotate.tracking.association import similarity
from experts.annotate.tracking.results import TrackedObject
from experts.annotate.tracking.segment import Segmenter
from experts.annotate.tracking.settings import TrackerSettings
from experts.annotate.tracking.tracker import Tracker
from experts.base import Frames, Masks
from experts.instances import loaded
from experts.masks import files as mask_files
from experts.masks.geometry import Box, box_iou
from experts.masks.packed import Union

log = logging.getLogger("editmill")

ALL = 50
"""Objects tracked when a label asks for all there are."""

SAME = 0.5
"""Box IoU from which two boxes are of one object (the usual one of detection benchmarks)."""

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


class _FromBox:
    """The detector, told where one object is in the first frame. What it finds there itself gives
    the object its kind, by which later detections continue the track."""

    def __init__(self, detector: Detector, box: Box, label: str) -> None:
        self._detector, self._box, self._label = detector, box, label
        self._begun = False
        self.version = detector.version

    def detect(
        self, frames: Sequence[np.ndarray], phrases: Sequence[str] = ()
    ) -> list[list[Detection]]:
        found = self._detector.detect(frames, phrases)
        if not self._begun:
            self._begun = True
            found[0] = self._with_box(found[0])
        return found

    def _with_box(self, found: Sequence[Detection]) -> list[Detection]:
        overlaps = [box_iou(one.box, self._box) for one in found]
        label = self._label or "object"
        if found and max(overlaps) >= SAME:
            label = found[int(np.argmax(overlaps))].label
        others = [one for one, o in zip(found, overlaps, strict=True) if o < SAME]
        return [Detection(label, 1.0, self._box), *others]


class _OfLabel:
    """The detector, asked for one kind of object: what nobody asked for need not be followed."""

    def __init__(self, detector: Detector, label: str) -> None:
        self._detector, self._label = detector, label
        self.labels: set[str] = set()  # of all that was detected
        self.version = detector.version

    def detect(
        self, frames: Sequence[np.ndarray], phrases: Sequence[str] = ()
    ) -> list[list[Detection]]:
        found = self._detector.detect(frames, phrases)
        self.labels.update(one.label for each in found for one in each)
        return [[one for one in each if similarity(one.label, self._label, 1.0)] for each in found]


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
    box = x0, y0, x1, y1
    found = _track(frames, fps, _FromBox(loaded(Detector), box, label), min_frames=1)
    begun = [f for f in found if f.first == 0 and box_iou(f.boxes[0], box) >= SAME]
    begun.sort(key=lambda f: -box_iou(f.boxes[0], box))
    if not begun:
        raise EditmillError(
            f"--box {text}: nothing in it could be followed; draw it tightly around one object, or "
            "give --mask"
        )
    return _masks(begun[:1], len(frames), f"--box {text}", "--object or --mask")


def from_label(frames: Frames, label: str, fps: float) -> Masks:
    """Every object of that label the detector finds, tracked over all frames."""
    if not label:
        raise EditmillError("no object given; add --object, --box or --mask")
    detector = _OfLabel(loaded(Detector), label)
    asked = f"--object {label}"
    found = [f for f in _track(frames, fps, detector) if f.label == label]
    if not found:
        others = f"; seen: {', '.join(sorted(detector.labels))}" if detector.labels else ""
        raise EditmillError(
            f"{asked}: no such object found in the video{others}; give --mask or --box"
        )
    if crowded := {frame for f in found for frame, _ in f.rivals}:
        log.warning(
            "%s: at %s more of them are seen than could be followed; these "
            "stay as they are, and a removal of the others may show them as ghosts: look at the "
            "result, or give --mask",
            asked,
            counted(len(crowded), "moment"),
        )
    return _masks(found, len(frames), asked, "--mask")


def _track(
    frames: Frames,
    fps: float,
    detector: _OfLabel | _FromBox,
    min_frames: int = TrackerSettings.min_frames,
) -> list[TrackedObject]:
    """All objects that are followed for `min_frames` at least."""
    interval = max(1, round(Annotate().keyframe_seconds * fps))
    tracker = Tracker(detector, loaded(Segmenter), max_objects=ALL, min_frames=min_frames)  # type: ignore[arg-type]
    return tracker.track(frames, interval)


def _masks(found: Sequence[TrackedObject], frames: int, asked: str, other: str) -> Masks:
    """Where any of them is; says where none is, and what `other` option may help."""
    masks: Masks = np.stack(Union([f.masks for f in found]))
    followed = int(masks.any((1, 2)).sum())
    if followed < frames:
        log.warning(
            "%s: found in %d of %d frames, and only these are edited; where it is to be seen in "
            "others too, give %s",
            asked,
            followed,
            frames,
            other,
        )
    return masks
