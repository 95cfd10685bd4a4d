"""What the server does by itself when a run dies, fails, or keeps too little.

A worker or machine that dies cannot say so. Runs send heartbeats (:data:`HEARTBEAT_SECONDS`); one
that sends none any more is marked as crashed, and a crashed run is scheduled again: it is the same
run, which any worker of the pool takes up, and whose build goes on from its journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

from catalog.errors import EditmillError
from flows.deployments.events import KEPT_TOO_LITTLE, catalog_name, catalog_resource

HEARTBEAT_SECONDS = 30
"""Between two heartbeats of a run; the least that Prefect takes."""

LOST_AFTER = timedelta(minutes=5)
"""Without a heartbeat: as long as a build waits for a server that is away
(`flows.runtime.orchestration.client.PATIENCE`), so that a restart of the server ends no run."""

STUCK_AFTER = timedelta(minutes=30)
"""A run that a worker took up should run by then: an image of some GB is pulled in less."""

RESUMED_TIMES = 3
"""A run that crashed is scheduled again so often: more, and it is the run that kills its worker."""

NOT_RUNNING = tuple(
    f"prefect.flow-run.{state}" for state in ("Pending", "Submitting", "InfrastructurePending")
)
"""Events of a run that a worker took up, before it runs."""

Labels = dict[str, str | list[str]]

ANY_RUN = "prefect.flow-run.*"

CRASHED = {"prefect.state-name": "Crashed"}
"""Labels of such a run's event."""

STOPPED = {
    "prefect.state-name": "Failed",
    "prefect.state-message": "Flow run encountered an exception: Stopped*",
}
"""Of a build that SIGTERM ended in good order (`flows.runtime.stopping.by_signals`): a machine that
is shut down, a container that is moved. A run that somebody cancels is `Cancelled`."""


def rules(
    out: str,
    deployments: Sequence[UUID],
    notify: UUID | None = None,
    lost_after: timedelta = LOST_AFTER,
) -> list[AutomationCore]:
    """The automations of the catalog `out` and its deployments; those that tell somebody need
    `notify`, the id of a notification block."""
    ours: Labels = {
        "prefect.resource.role": "deployment",
        "prefect.resource.id": [f"prefect.deployment.{each}" for each in deployments],
    }
    crashed = _state(StateType.CRASHED, "Its process was not heard of any more")
    found = [
        AutomationCore(
            name=f"{_prefix(out)} a run whose worker died has crashed",
            description=f"Runs of {out} without heartbeats",
            trigger=_silence(
                ("prefect.flow-run.heartbeat", "prefect.flow-run.Running"), lost_after, ours
            ),
            actions=[crashed],
        ),
        AutomationCore(
            name=f"{_prefix(out)} a run that does not start has crashed",
            description=f"Runs of {out} that a worker took up and did not start",
            trigger=_silence(NOT_RUNNING, STUCK_AFTER, ours),
            actions=[crashed],
        ),
        _resume(out, "a crashed run goes on", CRASHED, "It crashed and goes on", ours),
        _resume(out, "a stopped run goes on", STOPPED, "It was stopped and goes on", ours),
    ]
    if notify is None:
        return found
    return [
        *found,
        AutomationCore(
            name=f"{_prefix(out)} tell of a failed run",
            description=f"Runs of {out} that failed or crashed",
            trigger=EventTrigger(
                expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
                match={"prefect.resource.id": ANY_RUN},
                match_related=ours,
                posture=Posture.Reactive,
            ),
            actions=[
                SendNotification(
                    block_document_id=notify,
                    subject="{{ deployment.name }}: {{ flow_run.state.name }}",
                    body="{{ flow_run.name }}: {{ flow_run.state.message }}\n{{ flow_run|ui_url }}",
                )
            ],
        ),
        AutomationCore(
            name=f"{_prefix(out)} tell of a build that kept too little",
            description=f"Builds of {out}",
            trigger=EventTrigger(
                expect={KEPT_TOO_LITTLE},
                match={"prefect.resource.id": catalog_resource(out)},
                posture=Posture.Reactive,
            ),
            actions=[
                SendNotification(
                    block_document_id=notify,
                    subject=f"{out}: a build kept too little",
                    body="{{ event.payload.kept }} kept of {{ event.payload.made }} made",
                )
            ],
        ),
    ]


def ensure(client: SyncPrefectClient, out: str, wanted: Sequence[AutomationCore]) -> None:
    """Makes the catalog's automations those of `wanted`; one that is paused stays paused."""
    there = {
        each.name: each
        for each in client.read_automations()
        if each is not None and each.name.startswith(_prefix(out))
    }
    for rule in wanted:
        found = there.pop(rule.name, None)
        if found is None:
            client.create_automation(rule)
            continue
        paused = rule.model_copy(update={"enabled": found.enabled})
        if AutomationCore.model_validate(found.model_dump()) != paused:
            client.update_automation(found.id, paused)
    for left in there.values():
        client.delete_automation(left.id)


def notification_block(client: SyncPrefectClient, name: str) -> UUID:
    """The id of a notification block, named as `prefect block ls` does: `slack-webhook/oncall`.

    Raises EditmillError where there is none.
    """
    kind, _, block = name.partition("/")
    try:
        return client.read_block_document_by_name(block, kind, include_secrets=False).id
    except ObjectNotFound:
        raise EditmillError(
            f"--notify {name}: the server has no such block; name one as `prefect block ls` does, "
            "like slack-webhook/oncall"
        ) from None


def _resume(
    out: str, what: str, labels: dict[str, str], message: str, ours: Labels
) -> AutomationCore:
    """Schedules a run again whose event has these labels."""
    counts = [str(count) for count in range(RESUMED_TIMES + 1)]
    return AutomationCore(
        name=f"{_prefix(out)} {what}",
        description=f"Runs of {out}, {RESUMED_TIMES} times at most",
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{labels['prefect.state-name']}"},
            match={"prefect.resource.id": ANY_RUN, "prefect.run-count": counts, **labels},
            match_related=ours,
            posture=Posture.Reactive,
        ),
        actions=[_state(StateType.SCHEDULED, message)],
    )


def _state(state: StateType, message: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(name=None, state=state, message=message, force=False)


def _silence(after: tuple[str, ...], within: timedelta, ours: Labels) -> EventTrigger:
    """Fires where one of the events `after` was the last of a run."""
    return EventTrigger(
        after=set(after),
        expect={ANY_RUN},
        for_each={"prefect.resource.id"},
        within=within,
        match={"prefect.resource.id": ANY_RUN},
        match_related=ours,
        posture=Posture.Proactive,
    )


def _prefix(out: str) -> str:
    return f"editmill {catalog_name(out)}:"
