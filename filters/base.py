"""A filter looks at a pair and answers keep, score and reason. Every filter runs on every pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

FRAMES = 17
"""Frames looked at per video (Señorita-2M, quality filter: 17 frames)."""

SCORE_RANGES = {
    "quality": (0.0, 1.0),  # a probability
    "alignment": (-math.inf, math.inf),  # of a style a probability, of an object in deviations
    "subtle": (-1.0, 1.0),  # a cosine
    **dict.fromkeys(("vlm_instruction", "vlm_preservation", "vlm_render"), (1.0, 5.0)),  # grades
    **dict.fromkeys(("vlm_motion", "vlm_order", "vlm_best"), (0.0, 1.0)),  # no or yes
}
"""Between what the scores of each filter lie that has a threshold."""

Frames = NDArray[np.uint8]

Side = Literal["source", "target"]

ABSTAINED = "abstained"
"""Reason of a filter that cannot judge this pair: it keeps; a score is for the record only."""

NOT_MEASURED = "not_measured"
"""Reason of a filter that does not apply to the pair's task: it keeps, without a score."""


@dataclass(frozen=True, slots=True)
class PairFrames:
    """What filters see of a pair: FRAMES evenly spaced frames per side, long side at most 480 px.

    `source`, `target` uint8 RGB [17, h, w, 3] (the two sides may differ in size);
    `mask` bool [17, h, w] at the target's size, or None; `prompt` describes the edited content
    ("a yellow bird", "watercolor style"); `source_id` is the sha256 of the original footage, by
    which a model trained on that footage can be kept from judging it. `made` is the side that the
    expert made (`Task.made_side`), and so the one to be judged; the other is footage. `sizes` are
    height and width, px, of the source's and the target's files, None if they are the frames'.
    """

    task: str
    source: Frames
    target: Frames
    mask: NDArray[np.bool_] | None = None
    prompt: str = ""
    label: str = ""
    instruction: str = ""
    source_id: str = ""
    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    made: Side = field(kw_only=True)

    @property
    def sides(self) -> tuple[Frames, Frames]:
        """The real side's frames and the made side's."""
        if self.made == "source":
            return self.target, self.source
        return self.source, self.target


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason`: empty for a plain keep, else a short machine word; `score` None: not measured.

    `final`: no threshold of the score would change it.
    """

    keep: bool
    score: float | None
    reason: str = ""
    final: bool = False


@runtime_checkable
class Filter(Protocol):
    """One judgement. `load()` and `close()` as for every model; `judge` is batched."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def load(self) -> None: ...

    def close(self) -> None: ...

    def judge(self, samples: Sequence[PairFrames]) -> list[Verdict]: ...
