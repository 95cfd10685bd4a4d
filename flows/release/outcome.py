"""What a build ends with. Apart from the code that makes it: showing it again costs no import."""

from __future__ import annotations

import dataclasses
from typing import Any

REPORT = "report.html"
"""The report's name in the catalog's folder."""


@dataclasses.dataclass(slots=True)
class Outcome:
    """JSON-able through `dataclasses.asdict`."""

    release: str
    catalog: str
    report: str
    tasks: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    totals: dict[str, Any]
    product: str = "pairs"
    """The table that was built: `pairs` or `local_edits`."""
    notes: list[str] = dataclasses.field(default_factory=list)
    """What each filter was measured to be worth, how the instructions came out, and what lay among
    the sources and was left out."""
