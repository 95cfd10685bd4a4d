"""A recipe's `filters.vlm` section."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from catalog.policy import Threshold
from catalog.validated import Part
from filters.vlm.judgement import BEST, CHECKED, GRADED, HIGHEST, LOWEST, REASONS

FRAMES = 8
"""Frames shown of each side. VEFX-Reward looks at 4 a second, which are 8 in the 33 frames of a
local edit at 16 frames per second; more cost in proportion."""

MAX_PIXELS = 129_600
"""Per frame shown: 480×270, the size at which filters see a 16:9 pair."""

MAX_TOKENS = 512
"""Of an answer: three sentences, three grades and the JSON around them are about 150."""


class Vlm(Part):
    """What is asked of the recipe's `models.judge`, and least scores that are kept: None judges and
    rejects nothing.

    `of` says whether all pairs are judged, or only those that the other filters keep.
    """

    of: Literal["all", "kept"] = "all"
    frames: int = Field(default=FRAMES, ge=2, le=17)
    max_pixels: int = Field(default=MAX_PIXELS, ge=32 * 32)
    max_tokens: int = Field(default=MAX_TOKENS, ge=1)  # more for a model that thinks first
    attempts: int = Field(default=3, ge=1)  # questions per pair until an answer can be read
    # 1–5. OpenVE-3M keeps what its judge gives more than 3.
    instruction: float | None = Field(default=None, ge=LOWEST, le=HIGHEST)
    preservation: float | None = Field(default=None, ge=LOWEST, le=HIGHEST)
    render: float | None = Field(default=None, ge=LOWEST, le=HIGHEST)
    # 0 or 1: any threshold between them rejects what the judge denies.
    motion: float | None = Field(default=None, gt=0, le=1)
    order: float | None = Field(default=None, gt=0, le=1)

    # 0 or 1, where edits are made several times; None keeps all their attempts.
    best: float | None = Field(default=1, gt=0, le=1)

    @property
    def cuts(self) -> tuple[Threshold, ...]:
        """Where each score is cut. Those that cut nothing are here as well, so that a policy can be
        changed to cut them."""
        return tuple(
            Threshold(f"vlm_{name}", "at_least", REASONS[name], getattr(self, name))
            for name in (*GRADED, *CHECKED, BEST)
        )
