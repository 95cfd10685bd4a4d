"""A caption out of what a detector counted: plain, and never more than was seen."""

from __future__ import annotations

from collections.abc import Mapping

from experts.write.nouns import indefinite

MOST = 4
"""Kinds of object named: more reads like a stock list, and is no longer short."""


def caption(counts: Mapping[str, int]) -> str:
    """`{"person": 2, "bus": 1}` → `two people and a bus`; empty for no object.

    Counts are of instances seen at once. The most numerous kinds come first, ties in the
    alphabet's order, so that equal detections make equal captions.
    """
    seen = sorted((-count, label) for label, count in counts.items() if count > 0)[:MOST]
    phrases = [indefinite(label, -negative) for negative, label in seen]
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"
