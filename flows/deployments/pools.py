"""Work pools, and the queue in which the runs of a catalog wait for each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, get_args

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectNotFound
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from catalog.errors import EditmillError
from flows.deployments.events import catalog_name

PoolType = Literal["process", "docker", "kubernetes"]


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A work pool and how many runs its workers may have at work together; None: any number."""

    name: str
    type: PoolType
    limit: int | None


def check_type(name: str) -> PoolType:
    """The pool type of that name; EditmillError naming the known ones if none."""
    for known in get_args(PoolType):
        if name == known:
            return known
    raise EditmillError(
        f"--pool-type {name}: is not known; use one of: {', '.join(get_args(PoolType))}"
    )


def gpu_pool(pool: PoolPlan, gpus: int) -> PoolPlan:
    """The pool of what needs a GPU, beside `pool`: a run per GPU."""
    return PoolPlan(f"{pool.name}-gpu", pool.type, gpus)


def ensure(client: SyncPrefectClient, pool: PoolPlan) -> None:
    """Makes the pool if it is absent, and sets its limit.

    Raises EditmillError where a pool of that name has another type.
    """
    found = _find(client, pool.name)
    if found is None:
        client.create_work_pool(
            WorkPoolCreate(
                name=pool.name,
                type=pool.type,
                base_job_template=_template(pool.type),
                concurrency_limit=pool.limit,
            )
        )
        return
    if found.type != pool.type:
        raise EditmillError(
            f"the work pool {pool.name!r} has the type {found.type}, not {pool.type}; give "
            f"--pool-type {found.type}, or another --pool"
        )
    if found.concurrency_limit != pool.limit:
        client.update_work_pool(pool.name, WorkPoolUpdate(concurrency_limit=pool.limit))


def queue_name(out: str) -> str:
    """The queue of runs that write to the catalog `out`."""
    return f"catalog-{catalog_name(out)}"


def ensure_queue(client: SyncPrefectClient, pool: PoolPlan, out: str) -> None:
    """Makes the catalog's queue in the pool, with one slot."""
    name = queue_name(out)
    try:
        found = client.read_work_queue_by_name(name, pool.name)
    except ObjectNotFound:
        found = client.create_work_queue(
            name, description=f"One run at a time of {out}", work_pool_name=pool.name
        )
    if found.concurrency_limit != 1:
        client.update_work_queue(found.id, concurrency_limit=1)


def _find(client: SyncPrefectClient, name: str) -> WorkPool | None:
    try:
        return client.read_work_pool(name)
    except ObjectNotFound:
        return None


def _template(pool_type: PoolType) -> dict[str, Any]:
    """What the page shows of such a pool; the server knows the types that are not installed here.

    Raises EditmillError where it does not.
    """
    template = asyncio.run(get_default_base_job_template_for_infrastructure_type(pool_type))
    if template is None:
        raise EditmillError(
            f"neither the server nor prefect here knows work pools of the type {pool_type}; "
            f"pip install prefect-{pool_type}"
        )
    return template
