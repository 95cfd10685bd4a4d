"""What the report says beside the pairs themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from catalog.policy import Policy


@dataclass(frozen=True, slots=True)
class TaskLine:
    """What became of one task; `rejected` counts by reason."""

    task: str
    planned: int
    made: int
    kept: int
    rejected: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageLine:
    """What one stage took. `seconds` are its work's, summed over workers; `core_seconds` those of
    processors meanwhile; in `waiting` of them its worker did not compute but waited for a disk, a
    server, a library's own threads or a free processor; `besides` went into the journal, tables
    and uploads."""

    stage: str
    records: int
    seconds: float
    peak_memory_mb: float
    reused: int = 0  # of `records`, found finished
    failed: int = 0
    core_seconds: float = 0.0
    waiting: float = 0.0
    besides: float = 0.0

    @property
    def total_seconds(self) -> float:
        """Of its workers, in all."""
        return self.seconds + self.besides

    @property
    def parts(self) -> list[tuple[str, float]]:
        """What they add up from."""
        computing = max(0.0, self.seconds - self.waiting)
        return [("computing", computing), ("waiting", self.waiting), ("besides", self.besides)]


@dataclass(frozen=True, slots=True)
class FailureLine:
    """How many records of one stage could not be made for one reason, and some of the different
    messages, most of which name their record; `more` are the others."""

    stage: str
    reason: str
    count: int
    messages: list[str]
    more: int = 0


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model or file that took part, with its licence."""

    name: str
    version: str
    licence: str
    origin: str


@dataclass(frozen=True, slots=True)
class ThresholdLine:
    """Where a filter's score is cut: drawn as a mark on its bars.

    `score` is a name of `catalog.records.SCORES`. `task` is empty for every task that has no line
    of its own.
    """

    score: str
    value: float
    keeps: Literal["at_least", "at_most"]
    task: str = ""

    @property
    def rule(self) -> str:
        """`≥ 0.600`: as many digits as scores are shown with, so that the two can be compared."""
        return f"{'≥' if self.keeps == 'at_least' else '≤'} {self.value:.3f}"


@dataclass(frozen=True, slots=True)
class Summary:
    """The page's head and tables."""

    title: str
    created: str  # ISO 8601
    recipe: str
    tasks: list[TaskLine] = field(default_factory=list)
    stages: list[StageLine] = field(default_factory=list)
    failures: list[FailureLine] = field(default_factory=list)
    models: list[ModelLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    thresholds: list[ThresholdLine] = field(default_factory=list)
    reload_seconds: int = 0
    """While the build runs: after how many seconds the page loads itself anew; else 0."""


def threshold_lines(policy: Policy | None) -> list[ThresholdLine]:
    """Where the policy cuts each score; filters that are off cut nothing."""
    lines: list[ThresholdLine] = []
    for cut in policy.thresholds if policy else ():
        if policy and cut.filter in policy.off:
            continue
        if cut.value is not None:
            lines.append(ThresholdLine(cut.filter, cut.value, cut.bound))
        lines += [ThresholdLine(cut.filter, v, cut.bound, t) for t, v in cut.per_task.items()]
    return lines
