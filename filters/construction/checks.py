"""The filter that runs the checks, and which task is checked by which."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from filters.base import NOT_MEASURED, PairFrames, Verdict
from filters.construction.depth import DepthMaps
from filters.construction.detail import LessDetail
from filters.construction.grey import GreyCopies
from filters.construction.holes import Holes
from filters.construction.lines import LineMaps
from filters.construction.regions import Regions

if TYPE_CHECKING:  # a recipe names checks, and should not import torch for that
    from filters.features import PairFeatures


class Check(Protocol):
    """One family's check; its fields are its constants."""

    def judge(self, sample: PairFrames) -> Verdict: ...


CHECKS: Mapping[str, type[Any]] = {
    "lines": LineMaps,
    "depth": DepthMaps,
    "grey": GreyCopies,
    "detail": LessDetail,
    "holes": Holes,
    "regions": Regions,
}
"""Family → check."""

FAMILIES: Mapping[str, str] = {
    "canny_to_video": "lines",
    "hed_detection": "lines",
    "hed_to_video": "lines",
    "fake_scribble_detection": "lines",
    "fake_scribble_to_video": "lines",
    "depth_detection": "depth",
    "depth_to_video": "depth",
    "colorization": "grey",
    "deblur": "detail",
    "upscaling": "detail",
    "inpainting": "holes",
    "outpainting": "holes",
    "object_grounding": "regions",
}
"""Task → family."""

CONSTRUCTED = frozenset(FAMILIES)


class ConstructionFilter:
    """Rejects a pair whose made side is not what the task makes of the real side, or which leaves
    nothing to learn. `constants` overrides, per family, fields of its check. Needs no features.
    """

    name = "construction"

    def __init__(self, constants: Mapping[str, Mapping[str, float]] | None = None) -> None:
        given = constants or {}
        self.checks: dict[str, Check] = {
            family: check(**given.get(family, {})) for family, check in CHECKS.items()
        }

    @property
    def version(self) -> str:
        """Counts up whenever a check changes; constants are the recipe's."""
        return "1"

    @property
    def cut(self) -> None:
        """It checks what must hold; no score is cut."""
        return None

    def load(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to free."""

    def judge(self, samples: Sequence[PairFrames]) -> list[Verdict]:
        """One verdict per sample, in order."""
        return [self._verdict(sample) for sample in samples]

    def verdicts(
        self, samples: Sequence[PairFrames], features: Sequence[PairFeatures]
    ) -> list[Verdict]:
        """The same: features are not looked at."""
        return self.judge(samples)

    def _verdict(self, sample: PairFrames) -> Verdict:
        family = FAMILIES.get(sample.task)
        if family is None:
            return Verdict(True, None, NOT_MEASURED)
        return self.checks[family].judge(sample)


def constants_of(family: str) -> tuple[str, ...]:
    """Names of a family's constants."""
    return tuple(field.name for field in dataclasses.fields(CHECKS[family]))
