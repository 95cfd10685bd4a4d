"""What our own code warns of is said on stderr, though Prefect's logging is turned off.

Prefect configures the root logger, and turned off it would silence every logger below.
"""

from __future__ import annotations

import logging
import sys


class OneLineOnStderr(logging.Handler):
    """Writes a record's message as one line to whatever `sys.stderr` is then: a live table puts a
    stream of its own there, which prints above it."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{' '.join(record.getMessage().split())}\n")


_handler = OneLineOnStderr()


def say_own_warnings() -> None:
    """From now on `editmill`'s warnings are said, whatever the root logger's level is."""
    log = logging.getLogger("editmill")
    log.setLevel(logging.WARNING)
    log.propagate = False  # the root's handlers would say them again
    log.addHandler(_handler)  # once, however often this is called
