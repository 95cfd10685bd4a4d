"""Values of a row as a document can hold them, whoever wrote the row."""

from __future__ import annotations

import json
import math
from typing import Any


def json_object(text: str | None) -> dict[str, Any] | None:
    """The JSON object that a column holds; None where it holds something else, or nothing."""
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def filter_versions(text: str | None) -> dict[str, str]:
    """Of a pair's `filter_versions`: filter → version; none where the column holds no JSON object,
    and as JSON where a version is no text."""
    versions = json_object(text) or {}
    return {
        name: version if isinstance(version, str) else json.dumps(version)
        for name, version in versions.items()
    }


def finite(score: float | None) -> float | None:
    """The score, None where it is no number: JSON has none that says so."""
    return score if score is not None and math.isfinite(score) else None
