"""Which fields of two documents differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MISSING = "nothing"
"""In place of a value that one of them does not have."""

Values = tuple[Any, Any]  # recorded, now


def difference(recorded: Any, now: Any, path: str = "") -> dict[str, Values]:
    """By path (`made.video`, `tracks[1].label`) the values that differ; of lists of different
    length the length, and what differs up to there."""
    if isinstance(recorded, Mapping) and isinstance(now, Mapping):
        found: dict[str, Values] = {}
        for name in dict.fromkeys([*recorded, *now]):
            both = recorded.get(name, MISSING), now.get(name, MISSING)
            found |= difference(*both, f"{path}.{name}" if path else str(name))
        return found
    if isinstance(recorded, list) and isinstance(now, list):
        found = {}
        if len(recorded) != len(now):
            found[f"len({path})"] = len(recorded), len(now)
        for k, both in enumerate(zip(recorded, now, strict=False)):
            found |= difference(*both, f"{path}[{k}]")
        return found
    same = type(recorded) is type(now) and recorded == now
    return {} if same else {path: (recorded, now)}
