"""What a build logs: readable lines, or a JSON object a line that names stage, shard and records.

Whoever computes says where by :func:`at`, and everything that is logged inside, by whatever module,
carries it. JSON is chosen by `run.log: json` in the recipe, or by `EDITMILL_LOG=json` in a worker's
environment, which goes before the recipe. It also has what lines leave to the progress table: the
end of each shard, and each record that failed.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, get_args

from catalog.errors import EditmillError
from flows.recipe import LogLayout

LOG = logging.getLogger("editmill")

VARIABLE = "EDITMILL_LOG"

_where: ContextVar[dict[str, Any] | None] = ContextVar("where", default=None)


@contextmanager
def at(**fields: Any) -> Iterator[None]:
    """What is logged inside, by this thread, carries these fields beside those from outside."""
    token = _where.set({**(_where.get() or {}), **fields})
    try:
        yield
    finally:
        _where.reset(token)


class OneLineFormatter(logging.Formatter):
    """The message alone, as one line."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(record.getMessage().split())


class JsonLine(logging.Formatter):
    """An object in one line: `time` (UTC), `level`, `logger`, `message`, the fields of :func:`at`,
    those that were logged with it (`extra={"fields": {…}}`), and `exception` with its trace."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said: dict[str, Any] = {
            "time": time,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(_where.get() or {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


class _OnStderr(logging.Handler):
    """Writes to whatever `sys.stderr` is then: a live table puts a stream of its own there, which
    prints above it."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


_handler = _OnStderr()
_handler.setFormatter(OneLineFormatter())


def say(layout: LogLayout | None = None) -> None:
    """From now on `editmill`'s records are said on stderr, whatever the root logger's level is:
    warnings as lines, or all from INFO on as JSON; None keeps the layout that there is.

    Raises EditmillError where the environment names another layout.
    """
    if layout is not None:
        layout = _asked() or layout
        _handler.setFormatter(JsonLine() if layout == "json" else OneLineFormatter())
        LOG.setLevel(logging.INFO if layout == "json" else logging.WARNING)
    elif LOG.level == logging.NOTSET:
        LOG.setLevel(logging.WARNING)
    LOG.propagate = False  # the root's handlers would say them again
    LOG.addHandler(_handler)  # once, however often this is called


def as_json() -> bool:
    """Whether JSON was chosen."""
    return isinstance(_handler.formatter, JsonLine)


def _asked() -> LogLayout | None:
    named = os.environ.get(VARIABLE, "")
    for layout in get_args(LogLayout):
        if named == layout:
            return layout
    if named:
        raise EditmillError(f"{VARIABLE}={named}: is no layout of logs; use lines or json")
    return None
