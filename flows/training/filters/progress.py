"""Progress of a training: a line for whoever watches the terminal or the run's page."""

from __future__ import annotations

import sys

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger


def tell(line: str) -> None:
    """The line on stderr, and in the log of the Prefect run that it is told in, if any."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    try:
        logger = get_run_logger()
    except MissingContextError:
        return
    logger.info(line)
