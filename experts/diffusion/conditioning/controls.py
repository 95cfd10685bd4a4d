"""Control videos of a clip: HED edges, canny edges and depth, or, for an editor, the frames
themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experts.annotate.maps.depth import DepthAnything, DepthModel, greys, steadied
from experts.annotate.maps.edges import Hed, canny
from experts.base import Frames

KNOWN = ("hed", "canny", "depth", "source")


class Controls:
    """Computes those of `names` that are in KNOWN, depth by the model `depth`; None takes the one
    that `EDITMILL_DEPTH` names."""

    def __init__(
        self, names: Sequence[str], device: str = "cpu", depth: DepthAnything | None = None
    ) -> None:
        self.names = tuple(name for name in names if name in KNOWN)
        self._hed = Hed() if "hed" in self.names else None
        wanted = "depth" in self.names
        self._depth = (depth or DepthModel(device=device)) if wanted else None

    @property
    def slots(self) -> tuple[str, ...]:
        """Slots of the manifest that they open."""
        return () if self._hed is None else self._hed.slots

    @property
    def version(self) -> str:
        """Of the models behind them. Raises EditmillError where a depth model is wanted and none
        is named."""
        used = [model.version for model in (self._hed, self._depth) if model is not None]
        return "+".join([*self.names, *used])

    def load(self) -> None:
        """Opens the models; raises EditmillError where one is missing."""
        for model in (self._hed, self._depth):
            if model is not None:
                model.load()

    def close(self) -> None:
        """Frees the models."""
        for model in (self._hed, self._depth):
            if model is not None:
                model.close()

    def of(self, frames: Frames) -> Mapping[str, Frames]:
        """The control videos of `frames` [T, H, W, 3], of the same shape, each computed when it is
        first read."""
        return _Lazily(self, frames)

    def compute(self, name: str, frames: Frames) -> Frames:
        """One of them; all but the source are the same in all three channels."""
        if name == "source":
            return frames
        if name == "canny":
            grey = canny(frames)
        elif name == "hed":
            assert self._hed is not None
            grey = self._hed.hed(frames)
        else:
            assert self._depth is not None
            grey = greys(steadied(self._depth.disparity(frames)), frames.shape[1:3])[0]
        return np.repeat(grey[..., None], 3, axis=3)


class _Lazily(Mapping[str, Frames]):
    def __init__(self, controls: Controls, frames: Frames) -> None:
        self._controls, self._frames = controls, frames
        self._made: dict[str, Frames] = {}

    def __getitem__(self, name: str) -> Frames:
        if name not in self._controls.names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._controls.compute(name, self._frames)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._controls.names  # without computing it, as the mixin's would

    def __iter__(self) -> Iterator[str]:
        return iter(self._controls.names)

    def __len__(self) -> int:
        return len(self._controls.names)
