"""What every task of a build shares within one process: the catalog, the recipe, counters, a stop
signal and the loaded models."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import CoreSchema, core_schema

import catalog
from catalog.releases import Catalog
from catalog.storage.location import Storage
from experts.write.chat.usage import Usage
from flows.recipe import Recipe
from flows.runtime.monitoring.stats import Stats
from flows.runtime.results.commits import Commits
from flows.runtime.results.record_result import RecordResult
from flows.runtime.servers.hosts import Hosts
from flows.runtime.servers.readiness import Readiness

T = TypeVar("T")


class Stopped(Exception):
    """The build shall stop; records already finished are in the journal."""


@dataclass(frozen=True, slots=True)
class BuildRun:
    """What names one run of a build, and travels with its tasks to any worker."""

    uri: str  # of the catalog, as the user named it
    recipe: Recipe
    at: str  # the URI that its tasks open: absolute, and on the build's branch if it has one
    named: str = ""  # the recipe, as whoever asks for the build named it
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    traceparent: str = ""  # of the build's span, where it is traced

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> CoreSchema:
        """To describe a whole recipe as their parameter would cost flows .2 s each time that they
        are made, and nobody enters one on a server's page."""
        return core_schema.any_schema()


@dataclass(slots=True)
class Context:
    """One per build run and process."""

    run: BuildRun
    storage: Storage  # as the user named it; `catalog` may be on a branch of it meanwhile
    catalog: Catalog
    stats: Stats = field(default_factory=Stats)
    stop: threading.Event = field(default_factory=threading.Event)
    stopped_by: int = signal.SIGINT  # which signal, once `stop` is set by one
    error: Exception | None = None  # the first that ended a shard
    worth_retrying: bool = False  # a record failed for no fault of its own
    commits: Commits = field(default_factory=Commits)
    incomplete: bool = False  # some footage could not be listed, so what there was stays
    notes: list[str] = field(default_factory=list)  # what the user should know at the end
    hosts: Hosts = field(init=False)  # that its footage is fetched from
    readiness: Readiness = field(init=False)  # of weights and servers
    rounds: dict[str, int] = field(default_factory=dict)  # of searches: see KeptAnswers
    usage: dict[str, Usage] = field(default_factory=dict)  # of served models, by other processes
    donors: Any = None  # the sample that swaps choose from, once read (flows.stages.bank)
    on_result: Callable[[RecordResult], None] | None = None  # is told what stages have of records

    def __post_init__(self) -> None:
        self.hosts = Hosts(self.notes.append)
        named = self.run.named or self.recipe.name
        self.readiness = Readiness(self.recipe, named, self.catalog, self.check_stop)

    @property
    def uri(self) -> str:
        return self.run.uri

    @property
    def workspace(self) -> Path:
        """See :attr:`Catalog.workspace`."""
        return self.catalog.workspace

    @property
    def recipe(self) -> Recipe:
        return self.run.recipe

    def check_stop(self) -> None:
        """Raises Stopped once the build shall stop."""
        if self.stop.is_set():
            raise Stopped

    def add_usage(self, spent: Mapping[str, Usage]) -> None:
        """What a worker in another process asked of served models."""
        with _lock:
            for name, each in spent.items():
                self.usage[name] = self.usage[name] + each if name in self.usage else each

    def fail(self, error: Exception) -> None:
        """A shard can't go on, so neither can the build: the others stop at their next record."""
        with _lock:
            if self.error is None and not isinstance(error, Stopped):
                self.error = error
            self.stop.set()


def checked(items: Iterable[T], check_stop: Callable[[], None]) -> Iterator[T]:
    """`items`, with `check_stop` called before each."""
    for item in items:
        check_stop()
        yield item


_contexts: dict[str, Context] = {}
_lock = threading.Lock()


def context(uri: str | Path, recipe: Recipe, named: str = "") -> Context:
    """A context for one run of the build of `recipe`, by default called by its own name, in the
    catalog at `uri`."""
    opened = catalog.open(str(uri), create=True)
    run = BuildRun(str(uri), recipe, opened.address, named)
    return Context(run, opened.storage, opened, Stats(workers=recipe.run.workers))


@contextmanager
def findable(ctx: Context) -> Iterator[None]:
    """Meanwhile, `context_of` finds it by its build run."""
    _contexts[ctx.run.run_id] = ctx
    try:
        yield
    finally:
        del _contexts[ctx.run.run_id]


def context_of(run: BuildRun) -> Context | None:
    """The context of a build run that this process began; None where another one did."""
    return _contexts.get(run.run_id)
