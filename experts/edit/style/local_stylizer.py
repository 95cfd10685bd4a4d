"""Changes the look of one object and nothing else: its colour, its material, or its style.

Pixels outside the mask are the source's, bit for bit; the edge is softened inside the mask. All
that a clip's look depends on (body colour, tone range) is measured once over the clip, so it cannot
drift from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.edit.style.global_stylizer import stylize
from experts.edit.style.materials import Casting
from experts.edit.style.painters import NETWORK, Painter
from experts.edit.style.recolor import Recolor, body_of, colour_named
from experts.edit.style.styles import style_named
from experts.edit.style.temporal import motion
from experts.licences import of_weights
from experts.progress import over
from experts.weights import entry

FEATHER = 2.5
"""px inside the mask over which the new look fades in."""

MARGIN = 32
"""px of the surroundings the style network sees around the object."""

LONG_SIDE = 448
"""px; a smaller crop is enlarged towards this before it is painted, else strokes swallow it."""

MAX_ENLARGEMENT = 2.5

GLAZED = ("car", "bus", "truck", "vehicle", "train")
"""Labels with windows above and paint below."""

SAMPLE = 8192
"""Pixels of the object from which its body colour is taken."""


class LocalStylizer:
    """`params`: `kind` `color` | `material` | `style`, and the look under the kind's own name."""

    name = "local_stylizer"
    slots = (NETWORK,)
    output_licence = of_weights(*slots)
    version = f"4+{entry(NETWORK).sha256[:8]}"

    def __init__(self, threads: int | None = None) -> None:
        self._painter = Painter(threads)
        self._makes: dict[
            str, Callable[[Frames, Masks, str, str], tuple[NDArray, dict[str, Any]]]
        ] = {
            "color": self._color,
            "material": self._material,
            "style": self._style,
        }

    def load(self) -> None:
        """Opens the style network."""
        self._painter.load()

    def close(self) -> None:
        """Frees it."""
        self._painter.close()

    def edit(self, request: EditRequest) -> EditResult:
        """The frames with the object changed; `masks` are the request's.

        `info`: `kind`, the look, `change` (mean absolute difference inside the mask, levels of
        255) and, for a colour, the body colour found. Raises :class:`BadInput`: `no_mask`,
        `unknown_kind`, `unknown_colour`, `already_so`, `unknown_material`, `unknown_style`.
        """
        frames, masks = request.frames, request.masks
        if masks is None or not masks.any():
            raise BadInput("no_mask", "local style transfer needs a mask that is not empty")
        kind = str(request.params.get("kind", ""))
        if kind not in self._makes:
            known = ", ".join(self._makes)
            raise BadInput("unknown_kind", f"kind {kind!r} is not known; use one of: {known}")
        look = str(request.params.get(kind, ""))
        y0, y1, x0, x1 = _window(masks)
        crop, inside = frames[:, y0:y1, x0:x1], masks[:, y0:y1, x0:x1]
        painted, found = self._makes[kind](crop, inside, look, request.label)
        made = frames.copy()
        for t in range(len(frames)):
            share = _edge(inside[t])[..., None]
            mixed = crop[t] + share * (painted[t] - crop[t].astype(np.float32))
            made[t, y0:y1, x0:x1] = np.where(share > 0, np.rint(mixed), crop[t])
        change = np.abs(made.astype(np.int16) - frames)[masks].mean()
        info = {"kind": kind, kind: look, "change": round(float(change), 2), **found}
        return EditResult(made, masks.copy(), info)

    def _color(
        self, crop: Frames, inside: Masks, look: str, label: str
    ) -> tuple[NDArray, dict[str, Any]]:
        glazed = label in GLAZED
        pixels = _sample(crop, inside)
        if glazed:  # paint counts twice
            pixels = np.concatenate([pixels, _sample(crop, _lower(inside))])
        body = body_of(pixels)
        target = colour_named(look)
        if body.looks(target):
            raise BadInput("already_so", f"the object is {look} already; ask for another colour")
        recolor = Recolor(body, target, glazed)
        pairs = over(zip(crop, inside, strict=True), "painting", len(crop))
        painted = [recolor.paint(*pair) for pair in pairs]
        return np.stack(painted), {"body": [round(float(x), 3) for x in body.colour]}

    def _material(
        self, crop: Frames, inside: Masks, look: str, label: str
    ) -> tuple[NDArray, dict[str, Any]]:
        casting = Casting(look, _sample(crop, inside))
        pairs = over(zip(crop, inside, strict=True), "painting", len(crop))
        return np.stack([casting.paint(*pair) for pair in pairs]), {}

    def _style(
        self, crop: Frames, inside: Masks, look: str, label: str
    ) -> tuple[NDArray, dict[str, Any]]:
        style = style_named(look)
        height, width = crop.shape[1:3]
        by = float(np.clip(LONG_SIDE / max(height, width), 1.0, MAX_ENLARGEMENT))
        size = (max(32, round(width * by)), max(32, round(height * by)))
        large = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in crop])
        styled = stylize(self._painter, large, style, motion(large))
        back = [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in styled]
        return np.stack(back).astype(np.float32), {}


def _window(masks: Masks) -> tuple[int, int, int, int]:
    """y0, y1, x0, x1 of a window that holds the object in every frame, with a margin."""
    rows = np.flatnonzero(masks.any(axis=(0, 2)))
    columns = np.flatnonzero(masks.any(axis=(0, 1)))
    return (
        max(0, int(rows[0]) - MARGIN),
        min(masks.shape[1], int(rows[-1]) + 1 + MARGIN),
        max(0, int(columns[0]) - MARGIN),
        min(masks.shape[2], int(columns[-1]) + 1 + MARGIN),
    )


def _edge(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """0 outside, rising to 1 over `FEATHER` px inside; the frame's border is no edge."""
    framed = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.asarray(np.clip(depth / FEATHER, 0.0, 1.0), np.float32)


def _sample(crop: Frames, inside: Masks) -> NDArray[np.uint8]:
    """Up to `SAMPLE` of the object's pixels, [N, 3], evenly over the clip, away from the edge."""
    core = np.stack([_edge(mask) >= 1.0 for mask in inside])
    pixels = crop[core if core.any() else inside]
    return pixels[:: max(1, len(pixels) // SAMPLE)]


def _lower(inside: Masks) -> Masks:
    """The mask without the upper half of its own height in each frame; where windows are not."""
    lower = inside.copy()
    for mask in lower:
        rows = np.flatnonzero(mask.any(axis=1))
        if len(rows):
            mask[: (rows[0] + rows[-1] + 1) // 2] = False
    return lower
