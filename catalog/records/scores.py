"""The names of the scores of a pair."""

from __future__ import annotations

from collections.abc import Iterable

from catalog.records.edits import Pair

FILTER_SCORES = ("construction", "quality", "alignment", "subtle")
"""What the filters say of a pair, which every build asks."""

VLM_SCORES = (
    *("vlm_instruction", "vlm_preservation", "vlm_render"),
    *("vlm_motion", "vlm_order", "vlm_best"),
)
"""What a recipe's `models.judge` says of a pair, each apart (filters.vlm); only asked by recipes
that name a judge."""

SCORES = (*FILTER_SCORES, *VLM_SCORES)
"""Filters in the order they are asked; the first that rejects gives a pair its reason."""


def asked(pairs: Iterable[Pair]) -> tuple[str, ...]:
    """The names in SCORES that the pairs have something of: those of a judge only where one was
    asked."""
    judged = {name for pair in pairs for name in VLM_SCORES if name in pair.filter_versions}
    return tuple(name for name in SCORES if name not in VLM_SCORES or name in judged)
