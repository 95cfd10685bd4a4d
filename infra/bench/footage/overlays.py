"""The footage bench's overlays: texts, clocks and a logo, laid over moving pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Frame = NDArray[np.uint8]

FPS = 6


@dataclass(frozen=True)
class Overlay:
    """What is laid over moving pictures: `at` its centre, `size` its height, as shares."""

    name: str
    text: str
    at: tuple[float, float]
    size: float
    opacity: float
    box: tuple[int, int, int] | None = None
    tiled: bool = False
    clock: bool = False
    emblem: bool = False  # a ring and a triangle in place of the text

    def over(self, frames: Sequence[Frame]) -> list[Frame]:
        made = []
        for k, frame in enumerate(frames):
            text = self.text
            if self.clock:
                now = datetime(2024, 5, 17, 14, 31, 50) + timedelta(seconds=k // FPS)
                text = now.strftime("%Y-%m-%d %H:%M:%S")
            places = [self.at]
            if self.tiled:
                places = [(x, y) for x in (0.2, 0.5, 0.8) for y in (0.15, 0.5, 0.85)]
            for at in places:
                if self.emblem:
                    frame = with_emblem(frame, at, self.size, self.opacity)
                else:
                    frame = with_text(frame, text, at, self.size, self.opacity, box=self.box)
            made.append(frame)
        return made


TUNING_OVERLAYS = (
    Overlay("corner", "TV 4", (0.9, 0.09), 0.07, 0.8),
    Overlay("middle", "stockfilm", (0.5, 0.5), 0.16, 0.35),
    Overlay("boxed", "NEWS", (0.1, 0.88), 0.07, 0.9, box=(180, 20, 20)),
    Overlay("clock", "", (0.22, 0.06), 0.05, 1.0, clock=True),
    Overlay("tiled", "sample", (0.5, 0.5), 0.09, 0.25, tiled=True),
    Overlay("emblem", "", (0.9, 0.88), 0.12, 0.8, emblem=True),
)

HELD_OUT_OVERLAYS = (
    Overlay("corner", "@wanderer", (0.13, 0.93), 0.06, 0.7),
    Overlay("middle", "PREVIEW", (0.5, 0.55), 0.2, 0.25),
    Overlay("boxed", "K1", (0.92, 0.1), 0.08, 0.85, box=(20, 60, 160)),
    Overlay("clock", "", (0.75, 0.94), 0.055, 1.0, clock=True),
    Overlay("tiled", "© demo", (0.5, 0.5), 0.07, 0.3, tiled=True),
    Overlay("emblem", "", (0.1, 0.12), 0.15, 0.6, emblem=True),
)


def with_text(
    frame: Frame,
    text: str,
    at: tuple[float, float],
    size: float,
    opacity: float,
    colour: tuple[int, int, int] = (255, 255, 255),
    box: tuple[int, int, int] | None = None,
) -> Frame:
    height, width = frame.shape[:2]
    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    font = ImageFont.load_default(max(9, size * height))
    left, top, right, bottom = draw.textbbox((at[0] * width, at[1] * height), text, font, "mm")
    if box:
        draw.rectangle((left - 5, top - 4, right + 5, bottom + 4), fill=(*box, 255))
    draw.text((at[0] * width, at[1] * height), text, (*colour, 255), font, "mm")
    drawn = np.asarray(layer, np.float32)
    alpha = drawn[..., 3:] / 255 * opacity
    return clipped(frame * (1 - alpha) + drawn[..., :3] * alpha)


def with_emblem(frame: Frame, at: tuple[float, float], size: float, opacity: float) -> Frame:
    height, width = frame.shape[:2]
    x, y, r = int(at[0] * width), int(at[1] * height), int(size * height / 2)
    drawn = np.zeros((height, width), np.uint8)
    cv2.circle(drawn, (x, y), r, 255, max(2, r // 5), cv2.LINE_AA)
    corners = [(x, y - r // 2), (x - r // 2, y + r // 3), (x + r // 2, y + r // 3)]
    cv2.fillPoly(drawn, [np.array(corners, np.int32)], 255, cv2.LINE_AA)
    alpha = drawn[..., None] / 255 * opacity
    return clipped(frame * (1 - alpha) + 245 * alpha)


def clipped(values: NDArray[np.floating]) -> Frame:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
