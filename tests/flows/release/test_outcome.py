"""What a build ends with, in words."""

from __future__ import annotations

import pytest
from rich.console import Console

from flows.commands.making.build import _show
from flows.release.outcome import Outcome

TOTALS = {
    "kept": 1,
    "made": 2,
    "clips": 1,
    "sources": 1,
    "failures": 1,
    "wall_seconds": 90.0,
    "peak_memory_mb": 2048,
    "orchestration_share": 0.031,
}


def test_the_totals_say_what_each_figure_is() -> None:
    outcome = Outcome("v1", "my-set", "my-set/report.html", tasks=[], stages=[], totals=TOTALS)
    assert outcome.totals_line() == (
        "1 pair kept of 2 made, from 1 clip of 1 source; 1 failure. 1.5 minutes, of which Prefect, "
        "the journal and the tables took 3.1%; 2.0 GiB of memory at most."
    )
    assert outcome.line() == "my-set: v1 released, 1 pair kept of 2 made, 1 failure"


def test_local_editing_records_are_called_records() -> None:
    totals = TOTALS | {"kept": 2, "failures": 0}
    outcome = Outcome("v1", "my-set", "", [], [], totals, product="local_edits", unchanged=True)
    assert outcome.line() == (
        "my-set: v1 holds the same as before, 2 records kept of 2 made, 0 failures"
    )


@pytest.mark.parametrize(("unchanged", "ref"), [(False, "v1"), (True, "main")])
def test_what_is_asked_next_is_asked_where_this_builds_failures_are(
    unchanged: bool, ref: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome("v1", "my-set", "", [], [], TOTALS, unchanged=unchanged)
    _show(Console(), outcome, False, "")
    asked = [s for s in capsys.readouterr().out.splitlines() if "editmill query" in s]
    assert [line.split()[0] for line in asked] == ["failures", "next"]
    assert all(line.endswith(f"--catalog my-set --ref {ref}") for line in asked)
