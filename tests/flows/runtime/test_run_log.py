"""What ends a run is logged in one line where it is an error of ours, and whole where it is not."""

from __future__ import annotations

import logging

import pytest

from catalog.errors import EditmillError
from flows.runtime.context import Stopped
from flows.runtime.orchestration.run_log import ENGINE, FLOW_RUNS, TASK_RUNS, OneLineFilter


def record(name: str, error: Exception, run: str = "") -> logging.LogRecord:
    made = logging.LogRecord(
        name, logging.ERROR, "x.py", 1, "Encountered exception: %r", (error,),
        (type(error), error, None),
    )  # fmt: skip
    made.flow_run_id = run
    return made


def test_an_error_of_ours_is_one_line_in_the_log_of_each_flow_run() -> None:
    kept = OneLineFilter()
    error = EditmillError("the key was refused; set another")
    assert not kept.filter(record(TASK_RUNS, error, "inner"))  # its flow run says so
    for run in ("inner", "outer"):
        first = record(FLOW_RUNS, error, run)
        assert kept.filter(first)
        assert first.getMessage() == "the key was refused; set another"
        assert first.exc_info is None
        assert not kept.filter(record(FLOW_RUNS, error, run))  # Prefect's engine logs it again
    assert not kept.filter(record(ENGINE, error))
    assert kept.filter(record(FLOW_RUNS, EditmillError("another"), "outer"))


def test_a_stop_says_that_the_run_goes_on() -> None:
    stopped = record(FLOW_RUNS, Stopped(), "run")
    assert OneLineFilter().filter(stopped)
    assert "the next run goes on" in stopped.getMessage()


@pytest.mark.parametrize("name", [FLOW_RUNS, TASK_RUNS, ENGINE])
def test_a_fault_of_the_code_keeps_its_trace(name: str) -> None:
    fault = record(name, ZeroDivisionError())
    assert OneLineFilter().filter(fault)
    assert fault.exc_info is not None
    assert any(isinstance(each, OneLineFilter) for each in logging.getLogger(name).filters)
