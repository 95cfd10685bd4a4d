"""Makes deployments on a Prefect server what they are planned to be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.server.schemas.schedules import CronSchedule as Dates
from prefect.utilities.callables import parameter_schema

from catalog.errors import EditmillError, one_line
from flows.deployments import automations
from flows.deployments.plan import Planned
from flows.deployments.pools import PoolPlan, queue_name

TAG = "editmill"

ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(automations.HEARTBEAT_SECONDS),
    "PYTHONSAFEPATH": "1",  # no module of the working folder is taken for ours
}
"""Variables of every run."""

CATALOG = "out"
"""What a flow calls the parameter that names the catalog."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment on the server, what was done to it, and when it runs next (None: when somebody
    starts it)."""

    id: UUID
    name: str  # flow/deployment
    pool: str
    cron: str
    next_run: datetime | None
    done: Literal["created", "updated", "unchanged"]


def deploy(
    client: SyncPrefectClient,
    plan: Sequence[Planned],
    *,
    out: str,
    pool: PoolPlan,
    gpu_pool: PoolPlan,
    image: str | None = None,
    environment: Mapping[str, str] | None = None,
    working_dir: Path | None = None,
) -> list[Deployed]:
    """Creates or updates the deployments; their pools and the catalog's queue are there.

    image: what containers are made from. environment: variables beside :data:`ENVIRONMENT`, whose
    values may name blocks. working_dir: where a process pool runs them; None takes a new folder for
    each run. Schedules and deployments that somebody has paused stay paused. Raises EditmillError
    where one of the names is another catalog's.
    """
    variables: dict[str, Any] = {"env": {**ENVIRONMENT, **(environment or {})}}
    if image is not None:
        variables["image"] = image
    if working_dir is not None:
        variables["working_dir"] = str(working_dir)
    wanted = [_payload(each, out, gpu_pool if each.gpu else pool, variables) for each in plan]
    there = [_read(client, each) for each in wanted]
    for payload, found in zip(wanted, there, strict=True):
        _refuse_another_catalogs(payload, found)
    return [
        _ensure(client, each, payload, found)
        for each, payload, found in zip(plan, wanted, there, strict=True)
    ]


@contextmanager
def server_errors(url: str) -> Iterator[None]:
    """Within it, what the server at `url` refuses is an EditmillError."""
    try:
        yield
    except PrefectHTTPStatusError as error:
        answer = one_line(error.response.text)
        raise EditmillError(
            f"the Prefect server at {url} refuses it ({error.response.status_code}: {answer}); "
            "mend that, then run this again"
        ) from None


def _payload(
    each: Planned, out: str, pool: PoolPlan, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """What `create_deployment` takes, but for the flow, which is named by `flow_name`."""
    flow: Flow[..., Any] = load_flow_from_entrypoint(each.entrypoint)
    schedules = []
    if each.schedule is not None:
        slug = each.name
        schedules = [DeploymentScheduleCreate(schedule=each.schedule, active=True, slug=slug)]
    return {
        "flow_name": flow.name,
        "name": each.name,
        "entrypoint": each.entrypoint,
        "parameters": each.parameters,
        "parameter_openapi_schema": parameter_schema(flow).model_dump(exclude_unset=True),
        "enforce_parameter_schema": True,
        "schedules": schedules,
        "description": flow.description,
        "version": version("editmill"),
        "tags": [TAG],
        "work_pool_name": pool.name,
        "work_queue_name": queue_name(out) if each.exclusive else "default",
        "job_variables": dict(variables),
    }


def _read(client: SyncPrefectClient, payload: Mapping[str, Any]) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(_full_name(payload))
    except ObjectNotFound:
        return None


def _refuse_another_catalogs(payload: Mapping[str, Any], found: DeploymentResponse | None) -> None:
    if found is None:
        return
    theirs = found.parameters.get(CATALOG)
    if theirs and theirs != payload["parameters"][CATALOG]:
        raise EditmillError(
            f"the deployment {_full_name(payload)} is the catalog {theirs}'s; give --prefix to "
            f"have both, or remove it: prefect deployment delete {_full_name(payload)}"
        )


def _ensure(
    client: SyncPrefectClient,
    each: Planned,
    payload: dict[str, Any],
    found: DeploymentResponse | None,
) -> Deployed:
    done: Literal["created", "updated", "unchanged"] = "created"
    if found is not None:
        paused = {schedule.slug for schedule in found.schedules if not schedule.active}
        for schedule in payload["schedules"]:
            schedule.active = schedule.slug not in paused
        done = "unchanged" if _same(payload, found) else "updated"
    if found is None or done == "updated":
        fields = {name: value for name, value in payload.items() if name != "flow_name"}
        flow_id = client.create_flow_from_name(payload["flow_name"])
        id = client.create_deployment(flow_id=flow_id, **fields)
    else:
        id = found.id
    active = any(schedule.active for schedule in payload["schedules"])
    return Deployed(
        id=id,
        name=_full_name(payload),
        pool=payload["work_pool_name"],
        cron="" if each.schedule is None else each.schedule.cron,
        next_run=_next(each) if active and not (found and found.paused) else None,
        done=done,
    )


def _same(payload: Mapping[str, Any], found: DeploymentResponse) -> bool:
    for name, value in payload.items():
        if name == "schedules":
            there = [(each.schedule, each.active, each.slug) for each in found.schedules]
            if there != [(each.schedule, each.active, each.slug) for each in value]:
                return False
        elif name not in ("flow_name", "name") and getattr(found, name) != value:
            return False
    return True


def _next(each: Planned) -> datetime | None:
    if each.schedule is None:
        return None
    dates = Dates(cron=each.schedule.cron, timezone=each.schedule.timezone)
    found = asyncio.run(dates.get_dates(1))
    return found[0] if found else None


def _full_name(payload: Mapping[str, Any]) -> str:
    return f"{payload['flow_name']}/{payload['name']}"
