"""The rendered scenes, read without Blender.

from infra.bench.rendered.load import names, scene
square = scene("square")
square.with_object, square.without, square.masks, square.depth, square.flow
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.media import probe, read_video
from experts.base import Frames, Masks

HERE = Path(__file__).parent
CLIPS = HERE / "clips"
STRIDE = 2
"""px: depth and flow are those of every second pixel of every second row, from the first on, where
`scenes.toml` has no other stride (leaves and grass need many bytes)."""

DEPTH_UNIT, FLOW_UNIT, FLOW_ZERO = 256, 64, 2**15
"""How 16-bit PNGs hold them, as those of KITTI do (Geiger et al., CVPR 2012): depth · 256, 0 where
there is none; flow · 64 + 2¹⁵."""


@dataclass(frozen=True, slots=True)
class RenderedScene:
    """T frames of H×W px, with an object and without it, and what is exactly known about them.

    `with_object`, `without`: uint8 RGB [T, H, W, 3], as decoded. `coverage`: uint8 [T, H, W], the
    share of each pixel that the object's visible part covers, of 255, motion blur included.
    `labels`: uint8 [T, H, W], what the middle of each pixel shows with the object in place, without
    motion blur: 0 what does not move on its own, 1 the object, from 2 on the others that move.
    Of the version without the object, without motion blur, at the pixels (stride·x, stride·y):
    `depth`: float32 [T, h, w], m along the camera's axis, infinite in the sky; `flow`: float32
    [T − 1, h, w, 2], px of the full frame to the right and down, from frame t to t + 1 (in the sky:
    the camera's turn). `intrinsics`: float64 [T, 3, 3], px; `poses`: float64 [T, 4, 4], from the
    world (m) to the camera (x right, y down, z forward).
    """

    name: str
    what: str
    traits: tuple[str, ...]
    fps: float
    stride: int
    with_object: Frames
    without: Frames
    coverage: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth: NDArray[np.float32]
    flow: NDArray[np.float32]
    intrinsics: NDArray[np.float64]
    poses: NDArray[np.float64]

    @property
    def masks(self) -> Masks:
        """[T, H, W]: the pixels that the object covers at least a little."""
        return np.asarray(self.coverage > 0)

    @property
    def others(self) -> list[Masks]:
        """Per other object that moves, the pixels that show it, [T, H, W]."""
        return [self.labels == label for label in range(2, int(self.labels.max()) + 1)]

    def affected(self, least: float = 8.0, smooth_px: float = 2.0) -> Masks:
        """[T, H, W]: where the object changes the picture by itself, its shadow or its reflection:
        where the two versions, smoothed by a Gaussian of `smooth_px` against codec and noise, are
        `least` gray values apart or more, and the object's own pixels. The defaults lie above what
        the codec leaves between two versions of the same picture."""
        apart = [
            cv2.GaussianBlur(a.astype(np.float32) - b, (0, 0), smooth_px)
            for a, b in zip(self.with_object, self.without, strict=True)
        ]
        return np.asarray((np.abs(np.stack(apart)).max(axis=3) >= least) | self.masks)


def table() -> dict[str, dict[str, object]]:
    """`scenes.toml`: what is in each scene, and how it is developed."""
    return tomllib.loads((HERE / "scenes.toml").read_text())


def stride(name: str) -> int:
    """Of the scene's depth and flow, px."""
    return int(table()[name].get("stride", STRIDE))  # type: ignore[call-overload]


def names() -> list[str]:
    """The scenes whose clips are there."""
    return [name for name in table() if (CLIPS / name / "cameras.json").exists()]


def scene(name: str) -> RenderedScene:
    """The scene of that name of `scenes.toml`. Raises KeyError for one that is not there."""
    if name not in names():
        raise KeyError(f"no rendered scene {name!r}; there are {', '.join(names())}")
    entry, folder = table()[name], CLIPS / name
    cameras = json.loads((folder / "cameras.json").read_text())
    count = len(cameras)
    coverage = _read_strip(folder / "coverage.png", count)
    depth = _read_strip(folder / "depth.png", count).astype(np.float32) / DEPTH_UNIT
    flow = _read_strip(folder / "flow.png", 2 * (count - 1)).astype(np.float32)
    flow = (flow - FLOW_ZERO) / FLOW_UNIT
    x, y = (coverage.shape[2] - 1) / 2, (coverage.shape[1] - 1) / 2
    return RenderedScene(
        name=name,
        what=str(entry["what"]),
        traits=tuple(entry["traits"]),  # type: ignore[arg-type]
        fps=probe(folder / "with.mp4").fps,
        stride=stride(name),
        with_object=read_video(folder / "with.mp4"),
        without=read_video(folder / "without.mp4"),
        coverage=coverage,
        labels=_read_strip(folder / "labels.png", count),
        depth=np.where(depth > 0, depth, np.float32(np.inf)),
        flow=np.stack([flow[: count - 1], flow[count - 1 :]], axis=-1),
        intrinsics=np.array([[[c["focal"], 0, x], [0, c["focal"], y], [0, 0, 1]] for c in cameras]),
        poses=np.array([c["pose"] for c in cameras]),
    )


def _read_strip(path: Path, count: int) -> NDArray[Any]:
    """`count` pictures that lie one below the other in a PNG, [count, h, w]."""
    strip = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return np.asarray(strip.reshape(count, -1, strip.shape[1]))
