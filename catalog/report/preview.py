"""A pair as one small video: source and target lie side by side in every frame.

Two video elements drift apart in a browser, however they are steered; one picture cannot. So both
sides are put on one grid of frames and encoded together, and the page draws each half where it
belongs. The same holds for the difference of the two sides. It costs a source that several pairs
share being encoded with each of them.

Sides of different length or rate are matched by normalised time: frame `k` of `n` shows both at
`k / (n - 1)` of their way.

Masks become polygons in px of the target's half: a few kB instead of a third video, and sharp.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.media.decode import probe, read_masks, sample_frames
from catalog.media.encode import write_video
from catalog.media.geometry import crop_resize
from catalog.query import Queries
from catalog.records import LocalEdit, Pair, to_row
from catalog.samples.local_edit import LocalSample, read
from catalog.storage.files import unwritable, write_bytes

LONG_SIDE = 320
"""px of a side's longer edge; nothing is enlarged."""

MAX_FRAMES = 72
"""Longer pairs are thinned out evenly, at the same speed."""

CRF = 24
"""libx264's scale; at this size about 1 kB per frame and side on street footage."""

ALIGN = 16
"""px the halves are aligned to, so that no coded block holds both sides (H.264's macroblock)."""

TOLERANCE = 0.8
"""px by which a polygon may miss the mask's outline."""

SPECK = 4
"""Outlines of fewer px² are left out."""

FORMAT = 1
"""Part of the cache's key; to be raised whenever this module makes something else."""

Rect = tuple[int, int, int, int]
Outlines = list[list[int]]
"""Closed polygons, each x0, y0, x1, y1, … in px; overlaps cancel (even-odd)."""


@dataclass(frozen=True, slots=True)
class Preview:
    """`source` and `target` are x, y, width, height in px; `masks` holds one entry per frame."""

    fps: float
    frames: int
    source: Rect
    target: Rect
    masks: list[Outlines]
    video: str  # base64 of an MP4


def preview(pair: Pair, media: Callable[[str], Path], cache: Path) -> Preview:
    """The pair's preview, from the cache if it was made before.

    The cache is keyed by the media's references, which are content addresses. Raises BadInput as
    `catalog.media.sample_frames` does, EditmillError where the cache cannot be written.
    """
    identity = [pair.source_video, pair.target_video, pair.mask]
    settings = [FORMAT, LONG_SIDE, MAX_FRAMES, CRF, TOLERANCE, SPECK]
    return _cached(cache, [identity, settings], lambda video: _make(pair, media, video))


def local_preview(edit: LocalEdit, catalog: Queries, cache: Path) -> Preview:
    """The same of a local edit: x on the left, x̃ on the right, m as outlines."""
    identity = [edit.video, edit.mask, edit.first_frame, edit.frames, edit.crop, edit.width]
    settings = [FORMAT, LONG_SIDE, MAX_FRAMES, CRF, TOLERANCE, SPECK]
    return _cached(cache, [identity, settings], lambda video: _make_local(edit, catalog, video))


def _cached(cache: Path, identity: object, make: Callable[[Path], Preview]) -> Preview:
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
    stored = cache / f"{key}.json"
    if stored.is_file():
        return _load(stored)
    made = make(cache / f"{key}.{uuid.uuid4().hex}.mp4")
    write_bytes(stored, json.dumps(asdict(made), separators=(",", ":")).encode())
    return made


def _make_local(edit: LocalEdit, catalog: Queries, video: Path) -> Preview:
    sample = read(catalog, to_row(edit))
    picked = np.unique(np.rint(np.linspace(0, edit.frames - 1, MAX_FRAMES)).astype(int))
    scale = min(1.0, LONG_SIDE / max(edit.width, edit.height))
    size = (round(edit.height * scale), round(edit.width * scale))
    small = LocalSample(
        crop_resize(sample.x[picked], size), crop_resize(sample.m[picked], size), sample.captions
    )
    fps = edit.fps * len(picked) / edit.frames
    return _assemble(small.x, small.masked, [_polygons(m) for m in small.m], fps, video)


def _make(pair: Pair, media: Callable[[str], Path], video: Path) -> Preview:
    source, target = media(pair.source_video), media(pair.target_video)
    seen, made = probe(source), probe(target)
    frames = min(max(seen.frames, made.frames), MAX_FRAMES)
    left = sample_frames(source, frames, LONG_SIDE)
    right = sample_frames(target, frames, LONG_SIDE)
    size = right.shape[1], right.shape[2]
    outlines = _outlines(media(pair.mask), frames, size) if pair.mask else []
    return _assemble(left, right, outlines, frames / made.duration, video)


def _assemble(
    left: NDArray[np.uint8],
    right: NDArray[np.uint8],
    outlines: list[Outlines],
    fps: float,
    video: Path,
) -> Preview:
    try:
        write_video(video, _side_by_side(left, right), fps, CRF)
        encoded = base64.b64encode(video.read_bytes()).decode()
    except OSError as error:
        raise unwritable(video, error) from None
    finally:
        video.unlink(missing_ok=True)
    height, width = right.shape[1:3]
    return Preview(
        fps=fps,
        frames=len(right),
        source=(0, 0, left.shape[2], left.shape[1]),
        target=(_aligned(left.shape[2]), 0, width, height),
        masks=outlines,
        video=encoded,
    )


def _aligned(side: int) -> int:
    return -(-side // ALIGN) * ALIGN


def _side_by_side(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[T, H, W, 3] of both; what a half is short of is filled with its last row and column."""
    height = _aligned(max(left.shape[1], right.shape[1]))
    halves = [
        np.pad(
            half,
            (
                (0, 0),
                (0, height - half.shape[1]),
                (0, _aligned(half.shape[2]) - half.shape[2]),
                (0, 0),
            ),
            mode="edge",
        )
        for half in (left, right)
    ]
    return np.concatenate(halves, axis=2)


def _outlines(path: Path, frames: int, size: tuple[int, int]) -> list[Outlines]:
    masks = read_masks(path, size=size)
    picked = np.rint(np.linspace(0, len(masks) - 1, frames)).astype(int)
    return [_polygons(masks[k]) for k in picked]


def _polygons(mask: NDArray[np.bool_]) -> Outlines:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    polygons = []
    for contour in contours:
        if cv2.contourArea(contour) < SPECK:
            continue
        polygons.append(cv2.approxPolyDP(contour, TOLERANCE, closed=True).ravel().tolist())
    return polygons


def _load(path: Path) -> Preview:
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["source"], fields["target"] = tuple(fields["source"]), tuple(fields["target"])
    return Preview(**fields)
