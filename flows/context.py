"""What every task of a build shares within one process: the catalog, the recipe, counters, a stop
signal and the loaded models."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import catalog
from catalog.versions import Catalog
from flows.recipe import Recipe
from flows.stats import Stats


class Stopped(Exception):
    """Ctrl-C was pressed; records already finished are in the journal."""


@dataclass(slots=True)
class Context:
    """One per build and process."""

    root: Path
    recipe: Recipe
    catalog: Catalog
    stats: Stats = field(default_factory=Stats)
    stop: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None  # the first that ended a shard
    worth_retrying: bool = False  # a record failed for no fault of its own

    def check_stop(self) -> None:
        """Raises Stopped once Ctrl-C was pressed."""
        if self.stop.is_set():
            raise Stopped

    def fail(self, error: Exception) -> None:
        """A shard can't go on, so neither can the build: the others stop at their next record."""
        with _lock:
            if self.error is None and not isinstance(error, Stopped):
                self.error = error
            self.stop.set()


_contexts: dict[tuple[Path, str], Context] = {}
_lock = threading.Lock()


def context(root: Path, recipe: Recipe) -> Context:
    """This process's context for the build of `recipe` in `root`, made on first use.

    Tasks receive only (root, recipe), which travel to any worker; the rest is looked up here.
    """
    identity = (root.resolve(), recipe.model_dump_json())
    with _lock:
        if identity not in _contexts:
            opened = catalog.open(root, create=True)
            _contexts[identity] = Context(root, recipe, opened, Stats(workers=recipe.run.workers))
        return _contexts[identity]
