"""Where an object goes in its scene, whatever the camera does meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def scene_places(
    boxes: NDArray[np.float64], camera: Sequence[float] | NDArray[np.float64], width: int
) -> NDArray[np.float64] | None:
    """[n, 2]: the middles of an object's `boxes` [n, 4], px, as they would lie had the camera kept
    still since the first of them; None where the camera's path is not known.

    `camera` is how far the background has moved in the same n frames (x and y, flattened or not).
    That path knows of pans alone. Where the camera goes forward, what stands at the side drifts
    outwards and grows, both by the same factor (Hartley and Zisserman, ch. 8.4), so that much of
    the way is taken off as the growth of the box explains; `width` is the picture's, whose middle
    the camera goes to.
    """
    path = np.asarray(camera, np.float64).reshape(-1, 2)
    if len(path) != len(boxes) or not len(boxes):
        return None
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    heights = boxes[:, 3] - boxes[:, 1]
    growth = heights / max(float(heights[0]), 1.0) - 1
    drift = np.zeros_like(middles)
    drift[:, 0] = growth * (middles[0, 0] - width / 2)
    places: NDArray[np.float64] = middles - (path - path[0]) - drift
    return places
