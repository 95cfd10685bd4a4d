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
    """What one stage took."""

    stage: str
    records: int
    seconds: float  # summed over workers
    peak_memory_mb: float
    reused: int = 0  # of `records`, found finished
    failed: int = 0


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


@dataclass(frozen=True, slots=True)
class Summary:
    """The page's head and tables."""

    title: str
    created: str  # ISO 8601
    recipe: str
    tasks: list[TaskLine] = field(default_factory=list)
    stages: list[StageLine] = field(default_factory=list)
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
