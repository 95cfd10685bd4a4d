"""The part of the picture that a removal looks at: what lies behind the object in any frame, and
enough around it to learn from. Objects are small, so this is half of the picture or less for most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import Transform, accumulate
from experts.base import Masks
from experts.masks.geometry import box_of

MARGIN = 1.0
"""Around the holes, share of their longer side: places beside the object that are hidden on purpose
(`held_out`) lie there."""

LEAST_MARGIN_PX = 48
"""Flow is measured in patches and followed past the holes."""

ALIGNED_PX = 8
"""A view begins and ends at multiples of it, so that it is shrunk as the whole picture is."""

WORTH_IT = 0.8
"""Share of the picture from which on all of it is looked at."""

P = TypeVar("P", bound=np.generic)


@dataclass(frozen=True, slots=True)
class View:
    """Rows `top` to `bottom` and columns `left` to `right` of a picture, px."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, pictures: NDArray[P]) -> NDArray[P]:
        """Its part of `pictures` [T, H, W, …], not copied."""
        return pictures[:, self.top : self.bottom, self.left : self.right]

    def placed(self, part: NDArray[P], picture: NDArray[P]) -> NDArray[P]:
        """A copy of the `picture` [H, W, …] that shows the `part` there."""
        whole = picture.copy()
        self.of(whole[None])[0] = part
        return whole

    def steps(self, steps: Sequence[Transform]) -> list[Transform]:
        """The camera's transforms between neighbouring pictures, in px of the view."""
        there, back = np.eye(3), np.eye(3)
        there[:2, 2] = -self.left, -self.top
        back[:2, 2] = self.left, self.top
        return [there @ step @ back for step in steps]


def view_of(holes: Masks, steps: Sequence[Transform]) -> View:
    """What to look at for `holes` [T, H, W], whose camera takes each frame to the next by `steps`
    (T − 1 transforms)."""
    height, width = holes.shape[1:]
    alive = np.flatnonzero(holes.any(axis=(1, 2)))
    boxes = np.array([box_of(holes[t]) for t in alive], np.float64)  # [N, 4]: x, y, x, y
    margin = LEAST_MARGIN_PX + MARGIN * float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1)))
    boxes += margin * np.array([-1, -1, 1, 1])
    x, y = boxes[:, [0, 2, 0, 2]], boxes[:, [1, 1, 3, 3]]  # of the four corners
    homogeneous = np.stack([x, y, np.ones_like(x)], axis=1)  # [N, 3, 4]
    first = np.linalg.inv(path := accumulate(steps))[alive] @ homogeneous
    placed = path[:, None] @ first  # [T, N, 3, 4]: where each frame shows what a hole hides
    x, y = placed[..., 0, :] / placed[..., 2, :], placed[..., 1, :] / placed[..., 2, :]
    left, right, top, bottom = x.min(-1), x.max(-1), y.min(-1), y.max(-1)
    shown = (right > 0) & (left < width) & (bottom > 0) & (top < height)
    view = View(
        *_aligned(top[shown].min(), bottom[shown].max(), height),
        *_aligned(left[shown].min(), right[shown].max(), width),
    )
    area = (view.bottom - view.top) * (view.right - view.left)
    return view if area < WORTH_IT * height * width else View(0, height, 0, width)


def _aligned(low: float, high: float, size: int) -> tuple[int, int]:
    start = int(max(0, low)) // ALIGNED_PX * ALIGNED_PX
    return start, min(size, -int(-min(size, high) // ALIGNED_PX) * ALIGNED_PX)
