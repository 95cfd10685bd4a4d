"""Which thresholds hold for which encoder: `thresholds.toml`, read.

A recipe's own (`filters.subtle`, `filters.alignment_per_task`) come before these. An encoder that
has neither is not guessed at: the filter abstains, keeps its score, and says how to calibrate.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`subtle`: the largest image similarity that is kept; `alignment`: by task, the least
    similarity of target and prompt. None, or no entry, where nobody calibrated."""

    subtle: float | None = None
    alignment: Mapping[str, float] = field(default_factory=dict)


def thresholds_of(scale: str) -> Thresholds:
    """Those that are known for an encoder's scale."""
    return _known().get(scale, Thresholds())


def how_to_calibrate(filter_name: str, scale: str, key: str) -> str:
    """One line: what the filter does not do, and what to do about it."""
    return (
        f"{filter_name}: no threshold is known for {scale}, so it abstains; measure one with "
        f"`editmill calibrate --encoder …` and write it into the recipe's {key}"
    )


@functools.cache
def _known() -> dict[str, Thresholds]:
    text = (files("filters.calibration") / "thresholds.toml").read_text(encoding="utf-8")
    return {scale: Thresholds(**table) for scale, table in tomllib.loads(text).items()}
