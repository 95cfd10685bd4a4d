"""The report: one HTML page on which a person watches and judges what a build made."""

from catalog.report.build import write_report
from catalog.report.summary import (
    FailureLine,
    ModelLine,
    StageLine,
    Summary,
    TaskLine,
    ThresholdLine,
)

__all__ = [
    "FailureLine",
    "ModelLine",
    "StageLine",
    "Summary",
    "TaskLine",
    "ThresholdLine",
    "write_report",
]
