"""What a build ends with. Apart from the code that makes it: showing it again costs no import."""

from __future__ import annotations

import dataclasses
from typing import Any

from catalog.wording import counted

REPORT = "report.html"
"""The report's name in the catalog's folder."""


@dataclasses.dataclass(slots=True)
class Outcome:
    """JSON-able through `dataclasses.asdict`."""

    release: str
    """Its tag; empty where nothing was made, and so nothing was released."""
    catalog: str
    report: str
    tasks: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    totals: dict[str, Any]
    product: str = "pairs"
    """The table that was built: `pairs` or `local_edits`."""
    unchanged: bool = False
    """Whether the release was there before, as the build made no other pair or record."""
    notes: list[str] = dataclasses.field(default_factory=list)
    """What each filter was measured to be worth, how the instructions came out, and what lay among
    the sources and was left out."""

    def summary(self) -> list[str]:
        """Line by line, what the tasks and stages came to, the notes, and where all of it lies."""
        tasks = [
            f"{line['task']}: {line['planned']} planned, {line['made']} made, {line['kept']} kept"
            + "".join(f", {reason} {count}" for reason, count in line["rejected"].items())
            for line in self.tasks
        ]
        stages = [
            f"{line['stage']}: {counted(line['records'], 'record')}, {line['reused']} reused, "
            f"{line['failed']} failed, {line['seconds']:.1f} s"
            for line in self.stages
        ]
        return [*tasks, *stages, *self.notes, f"report {self.report}", self.totals_line()]

    def totals_line(self) -> str:
        """What was made of how much, at what cost."""
        totals = self.totals
        return (
            f"{counted(totals['kept'], self._one)} kept of {totals['made']} made, "
            f"from {counted(totals['clips'], 'clip')} of {counted(totals['sources'], 'source')}; "
            f"{counted(totals['failures'], 'failure')}. "
            f"{totals['wall_seconds'] / 60:.1f} minutes, of which Prefect, the journal and the "
            f"tables took {totals['orchestration_share']:.1%}; "
            f"{totals['peak_memory_mb'] / 1024:.1f} GiB of memory at most."
        )

    def line(self) -> str:
        """What came of it, for whoever reads one line."""
        if not self.release:
            return (
                f"{self.catalog}: nothing was made, so nothing was released. {self.why_nothing()}"
            )
        told = f"{counted(self.totals['kept'], self._one)} kept of {self.totals['made']} made"
        state = "holds the same as before" if self.unchanged else "released"
        failures = counted(self.totals["failures"], "failure")
        return f"{self.catalog}: {self.release} {state}, {told}, {failures}"

    def why_nothing(self) -> str:
        """Where to read why nothing was made."""
        if self.totals["failures"]:
            return "The failures say why."
        return f"No clip suits a task; why not: editmill objects --catalog {self.catalog}"

    @property
    def _one(self) -> str:
        """What one row of `product` is called."""
        return "pair" if self.product == "pairs" else "record"
