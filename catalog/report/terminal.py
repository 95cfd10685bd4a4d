"""Pictures in a terminal: each character is two pixels, one above the other."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

UPPER_HALF = "▀"


def half_blocks(picture: NDArray[np.uint8], columns: int) -> str:
    """RGB [H, W, 3] as lines of at most `columns` characters, in 24-bit colours (ANSI SGR 38;2 and
    48;2). A character is about twice as high as wide, so that the picture keeps its shape; it is
    never enlarged."""
    height, width = picture.shape[:2]
    columns = max(1, min(columns, width))
    rows = max(1, round(height * columns / width / 2))
    small = cv2.resize(picture, (columns, 2 * rows), interpolation=cv2.INTER_AREA)
    lines = []
    for upper, lower in zip(small[::2], small[1::2], strict=True):
        cells = [
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]}m\x1b[48;2;{b[0]};{b[1]};{b[2]}m{UPPER_HALF}"
            for a, b in zip(upper.tolist(), lower.tolist(), strict=True)
        ]
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)
