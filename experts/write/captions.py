"""A caption out of what a detector counted: plain, and never more than was seen."""

from __future__ import annotations

from collections.abc import Container, Mapping

from experts.write.nouns import indefinite, plural

MOST = 4
"""Kinds of object named: more reads like a stock list, and is no longer short."""

COUNTED = 3
"""Instances counted exactly; of more, a tracker may have missed some, and nobody counts them."""


def caption(counts: Mapping[str, int], more: Container[str] = ()) -> str:
    """`{"person": 2, "bus": 1}` → `two people and a bus`; empty for no object.

    Counts are of instances seen at once; labels in `more` have others that come or go, so that
    nobody would give a number. The most numerous kinds come first, ties in the
    alphabet's order, so that equal detections make equal captions.
    """
    seen = sorted((-count, label) for label, count in counts.items() if count > 0)[:MOST]
    phrases = [_phrase(label, -negative, label in more) for negative, label in seen]
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _phrase(label: str, count: int, more: bool) -> str:
    return f"several {plural(label)}" if more or count > COUNTED else indefinite(label, count)
