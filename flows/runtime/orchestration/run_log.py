"""What a run says on the page of its Prefect server: lines in its log, and one where it fails.

Prefect logs an exception that ends a run up to four times, with the trace. An error of ours says in
one line what was wrong and how to mend it, so that line is logged once, without a trace.
"""

from __future__ import annotations

import logging
import sys
from weakref import WeakSet

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from catalog.errors import EditmillError, one_line
from flows.runtime.context import Stopped
from flows.runtime.monitoring.logs import LOG, as_json

FLOW_RUNS, TASK_RUNS, ENGINE = "prefect.flow_runs", "prefect.task_runs", "prefect.engine"
"""Prefect's loggers (3.8) of what goes on in a run's process; that of tasks comes first."""


def log(line: str) -> bool:
    """The line in the log of the Prefect run that it is told in; False where there is none, or
    where its log is off, as it is for a server of our own."""
    try:
        logger = get_run_logger()
    except MissingContextError:
        return False
    if kept := logger.isEnabledFor(logging.INFO):
        logger.info(line)
    return kept


def tell(line: str) -> None:
    """The line in the run's log (:func:`log`), else on stderr."""
    if log(line):
        return
    if as_json():
        LOG.info(line)
    else:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class OneLineFilter(logging.Filter):
    """Of records about an exception of ours, lets one through for each flow run, as one line."""

    def __init__(self) -> None:
        super().__init__()
        self._told: WeakSet[BaseException] = WeakSet()  # in the log of the last flow run
        self._last_run = ""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, EditmillError | Stopped):
            return True
        run = str(getattr(record, "flow_run_id", ""))
        if record.name == FLOW_RUNS and run != self._last_run:
            self._told.clear()  # a flow within another is told of in the logs of both
            self._last_run = run
        if record.name != FLOW_RUNS or error in self._told:
            return False
        self._told.add(error)
        record.msg = one_line(str(error)) or "stopped; the next run goes on from here"
        record.args, record.exc_info, record.exc_text = None, None, None
        return True


_one_line = OneLineFilter()
for _name in (FLOW_RUNS, TASK_RUNS, ENGINE):
    logging.getLogger(_name).addFilter(_one_line)
