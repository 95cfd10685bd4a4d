"""Which Prefect task runner carries the stages out, by the recipe's `run.runner`.

`threads` shares one copy of every model between the threads of this process. `ray` (prefect-ray)
gives each task to a worker process of a cluster, which is started on this machine or joined; models
are loaded once per worker process. A task asks for the processors, memory and GPUs of its stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from prefect.task_runners import TaskRunner

from catalog.errors import EditmillError
from flows.recipe import Recipe
from flows.runtime.running.resources import Resources
from flows.runtime.running.threads import ReadyTaskRunner


class Runner(Protocol):
    """`tasks` is Prefect's task runner, `remote` whether its tasks run in processes of their
    own."""

    tasks: TaskRunner[Any]
    remote: bool

    @property
    def workers(self) -> int:
        """Shards worked on at a time."""
        ...

    def asking_for(self, resources: Resources) -> AbstractContextManager[object]:
        """Tasks submitted meanwhile wait for a worker with these."""
        ...

    def ended(self, futures: Sequence[Any]) -> list[Any]:
        """Those that have ended, in whatever way."""
        ...

    def died(self, error: Exception) -> str:
        """In a line, that the error is a worker's death, and what to do; "" where it is not."""
        ...

    def stop(self, futures: Iterable[Any]) -> None:
        """Lets the tasks of these futures end with the record in hand, and those that have not
        begun not begin."""
        ...


class Threads:
    """Threads of this process. They see the build's stop signal themselves."""

    remote = False

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.tasks: TaskRunner[Any] = ReadyTaskRunner(max_workers=workers)

    def asking_for(self, resources: Resources) -> AbstractContextManager[object]:
        return nullcontext()

    def ended(self, futures: Sequence[Any]) -> list[Any]:
        return []

    def died(self, error: Exception) -> str:
        return ""  # whoever would be told died with it

    def stop(self, futures: Iterable[Any]) -> None:
        pass


def runner_for(recipe: Recipe, workers: int) -> Runner:
    """The recipe's runner; with threads, for `workers` shards at a time.

    Raises EditmillError where Ray is asked for and not installed; its `tasks` do when they are
    entered and no cluster answers.
    """
    if recipe.run.runner == "threads":
        return Threads(workers)
    try:
        from flows.runtime.running.ray import Ray
    except ImportError:
        raise EditmillError(
            "run.runner: Ray is not installed; install it with `pip install editmill[ray]`, or set "
            "`runner: threads`"
        ) from None
    return Ray(recipe, workers)
