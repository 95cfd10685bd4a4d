"""Tasks on the workers of a Ray cluster (prefect-ray)."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cache
from typing import Any, Self
from uuid import uuid4

import psutil
import ray
from prefect import Task
from prefect.client.schemas.objects import RunInput
from prefect.context import serialize_context
from prefect.exceptions import CrashedRun
from prefect.task_runners import TaskRunner
from prefect_ray import RayTaskRunner
from prefect_ray.context import RemoteOptionsContext, remote_options
from prefect_ray.task_runners import PrefectRayFuture
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    OutOfMemoryError,
    WorkerCrashedError,
)

from catalog.errors import EditmillError, one_line
from flows.recipe import Recipe
from flows.runtime.orchestration.settings import is_loopback
from flows.runtime.running.resources import Resources

RETRIES = 3
"""Times that a task whose worker died (killed, out of memory) is given to another. It continues
from the journal, so only the records that were in hand are computed again."""


_DEATHS = WorkerCrashedError | OutOfMemoryError | NodeDiedError | LocalRayletDiedError

STARTS = 3
"""Times that a cluster on this machine is started: Ray gives it 30 s, and a machine may be busy."""


ANSWER_SECONDS = 10.0
"""That a cluster's address is given to take a connection."""


@cache
def _remote(options: tuple[tuple[str, Any], ...]) -> Any:
    """The function that carries out tasks with these options, one for all of them."""
    return ray.remote(**dict(options))(RayTaskRunner._run_prefect_task)


class _Tasks(RayTaskRunner):
    """Prefect's, but tasks that ask for the same are one function to Ray, and so are carried out in
    the order in which they can be. Prefect makes a function for each task: Ray keeps them as long
    as the cluster is there, and takes from them in any order. Where there is no cluster, a line
    says why."""

    def submit(
        self,
        task: Task[..., Any],
        parameters: dict[str, Any],
        wait_for: Iterable[Any] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectRayFuture[Any]:
        run_id = uuid4()
        known, before = self._exchange_prefect_for_ray_futures(parameters)
        options = RemoteOptionsContext.get().current_remote_options
        reference = (
            _remote(tuple(sorted(options.items())))
            .options(name=task.name)
            .remote(
                *before,
                task=task,
                task_run_id=run_id,
                parameters=known,
                wait_for=wait_for,
                dependencies=dependencies,
                context=serialize_context(),
            )
        )
        return PrefectRayFuture(task_run_id=run_id, wrapped_future=reference)

    def __enter__(self) -> Self:
        if self.address and (fault := _unanswered(self.address)):
            raise _no_cluster(self.address, fault)
        for left in reversed(range(1 if self.address else STARTS)):
            try:
                return super().__enter__()
            except Exception as error:
                self._started = False
                ray.shutdown()
                _end_half_started()
                if left:
                    continue
                why = one_line(str(error)) or type(error).__name__
                if self.address:
                    raise _no_cluster(self.address, why) from None
                raise EditmillError(
                    f"run.runner: Ray does not start on this machine ({why}); run again when less "
                    "else runs here, or set `runner: threads`"
                ) from None
        raise AssertionError("unreachable")


def _unanswered(address: str) -> str:
    """Why nothing answers at `host:port`, which Ray itself would go on asking for minutes; empty
    where something does, and for other kinds of addresses."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return ""
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except OSError as error:
        return one_line(str(error))
    return ""


def _no_cluster(address: str, why: str) -> EditmillError:
    return EditmillError(
        f"run.ray_address: no Ray cluster answers at {address} ({why}); start it, or leave the "
        "address out"
    )


def _end_half_started() -> None:
    """What a start that failed has left of a cluster, which Ray itself ends with this process."""
    for each in psutil.Process().children():
        with suppress(psutil.Error):
            if each.name() in ("raylet", "gcs_server"):
                each.kill()


class Ray:
    """Workers of a cluster that is joined, or started on this machine with a worker process for
    each of `workers` shards."""

    remote = True

    def __init__(self, recipe: Recipe, workers: int) -> None:
        address = recipe.run.ray_address
        if address is not None and is_loopback(os.environ.get("PREFECT_API_URL", "")):
            raise EditmillError(
                "run.ray_address: workers elsewhere cannot reach a Prefect server of this machine "
                "alone; name one that they can in run.server"
            )
        self.address = address
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address is None:
            # Each worker process may use `threads` processors; the machine's count does not matter.
            own = {"num_cpus": workers * recipe.run.threads, "include_dashboard": False}
            quiet |= own
        # What Ray will do by default: leave a worker without GPUs its CUDA_VISIBLE_DEVICES.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        self.tasks: TaskRunner[Any] = _Tasks(address=address, init_kwargs=quiet)
        self._threads = recipe.run.threads
        self._workers = workers

    @property
    def workers(self) -> int:
        """Shards that the cluster works on at a time."""
        if self.address is None or not ray.is_initialized():
            return self._workers
        return max(1, int(ray.cluster_resources().get("CPU", 1) // self._threads))

    def asking_for(self, resources: Resources) -> AbstractContextManager[object]:
        """Tasks submitted meanwhile wait for a worker with these. A cluster without GPUs is asked
        for none: models run on its processors, slowly."""
        asked: dict[str, Any] = {
            "num_cpus": resources.cpus,
            "max_retries": RETRIES,
            "max_calls": 0,  # a worker that has a model on its GPU is used again
        }
        have = ray.cluster_resources()
        if resources.gpus and have.get("GPU", 0):
            asked["num_gpus"] = resources.gpus
        if self.address is not None:  # on one machine, shards share it as threads do
            asked["memory"] = resources.memory
        return remote_options(**asked)

    def ended(self, futures: Sequence[Any]) -> list[Any]:
        """Those that have ended, in whatever way."""
        by_reference = {future.wrapped_future: future for future in futures}
        if not by_reference or not ray.is_initialized():
            return []
        ready, _ = ray.wait(list(by_reference), num_returns=len(by_reference), timeout=0)
        return [by_reference[each] for each in ready]

    def died(self, error: Exception) -> str:
        found: BaseException | None = error
        while found is not None:
            if isinstance(found, CrashedRun | _DEATHS):
                return (
                    f"its worker died {RETRIES + 1} times, out of memory or killed; let fewer work "
                    "at a time (run.workers) or on a larger machine, and run again: it continues "
                    "where it was"
                )
            found = getattr(found, "cause", None) or found.__cause__
        return ""

    def stop(self, futures: Iterable[Any]) -> None:
        """Interrupts the tasks, which end with the record in hand."""
        for future in futures:
            with suppress(Exception):  # it has ended meanwhile
                ray.cancel(future.wrapped_future, force=False)
