"""What a build shows on the page of a Prefect server: its progress, and what it came to.

Only where the server is the user's: the embedded one ends with the build. Whatever a server does
not take is left out, with one line of warning, and ends no build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.context import FlowRunContext
from prefect.events import emit_event

from catalog.errors import one_line
from flows.deployments.events import (
    BUILD_FINISHED,
    KEPT_TOO_LITTLE,
    catalog_name,
    catalog_resource,
)
from flows.release.outcome import Outcome
from flows.release.outcome_page import outcome_page
from flows.release.since import NewRecords, made_by
from flows.runtime.context import Context
from flows.runtime.every import every
from flows.runtime.monitoring.progress import kept_line, stage_counts
from flows.runtime.monitoring.status import StageStatus, stage_statuses
from flows.runtime.orchestration.client import ANSWER_SECONDS, Connection, at_once, using

UPDATE_SECONDS = 10.0
"""Between two updates of the progress: each is a request that the server writes to its database."""

STAGES = {
    "pairs": ("look", "ingest", "annotate", "plan", "edit", "instruct", "judge"),
    "local_edits": ("look", "ingest", "annotate", "draw", "local_edit"),
}
"""By product, the stages that every record goes through, in order."""


def show(key: str, kind: str, data: Any, description: str = "") -> UUID:
    """A new artifact, linked to this flow run if there is one; those of one key are versions of one
    artifact on the page."""
    run = FlowRunContext.get()
    made = ArtifactCreate(
        key=key,
        type=kind,
        data=data,
        description=description,
        flow_run_id=run.flow_run.id if run and run.flow_run else None,
    )
    with get_client(httpx_settings={"timeout": ANSWER_SECONDS}, sync_client=True) as client:
        return client.create_artifact(made).id


@contextmanager
def progress(ctx: Context, connection: Connection) -> Iterator[None]:
    """Meanwhile, the server shows how far the build is."""
    if not _is_users(connection):
        yield
        return
    warn = _Warning(connection)
    key = _key(ctx, "progress")
    artifact = warn.unless(lambda: at_once(lambda: show(key, "progress", *_state(ctx)[:1])))
    if artifact is None:
        yield
        return

    def update() -> None:
        warn.unless(lambda: at_once(lambda: _update(artifact, *_state(ctx))))

    try:
        with every(UPDATE_SECONDS, update, "progress artifact"):
            yield
    finally:
        update()


def published(
    ctx: Context, outcome: Outcome, connection: Connection, least_kept: float = 0.0
) -> None:
    """The server shows what a build came to, and hears that it has ended.

    Where it kept a smaller share than `least_kept` (0–1) of what it made since the last release of
    its recipe, it hears that, too.
    """
    if not _is_users(connection):
        return

    def tell() -> None:
        made = made_by(ctx.catalog, outcome)
        _emit(ctx, outcome, made, least_kept)
        show(_key(ctx, "outcome"), "markdown", outcome_page(ctx.catalog, outcome, made))

    with using(connection):  # which also delivers the events
        _Warning(connection).unless(lambda: at_once(tell))


class _Warning:
    """Tells the user at most once that the server did not take something."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told = False

    def unless(self, call: Callable[[], Any]) -> Any:
        """What `call` returns; None where it fails, which is told."""
        try:
            return call()
        except Exception as error:  # of the server, the network, Prefect: none is worth a build
            if not self._told:
                self._told = True
                why = one_line(str(error)) or type(error).__name__
                self._connection.tell(
                    f"The Prefect server's page lacks something of this build: {why}"
                )
            return None


def _is_users(connection: Connection) -> bool:
    return connection.embedded is None and bool(connection.url)


def _key(ctx: Context, what: str) -> str:
    """Prefect's keys have lower-case letters, digits and dashes."""
    return f"{ctx.recipe.name}-{what}-{catalog_name(ctx.uri)}"


def _update(artifact: UUID, percent: float, description: str) -> None:
    with get_client(httpx_settings={"timeout": ANSWER_SECONDS}, sync_client=True) as client:
        client.update_artifact(artifact, ArtifactUpdate(data=percent, description=description))


def _state(ctx: Context) -> tuple[float, str]:
    """Percent, and in words: `ingest 3/4, annotate 8/12 … 12 of 15 kept so far`."""
    stages = {stage.name: stage for stage in stage_statuses(ctx.stats)}
    product = "pairs" if ctx.recipe.records is None else "local_edits"
    words = [", ".join(stage_counts(stages.values())), kept_line(dict(ctx.stats.tasks))]
    return percent(stages, STAGES[product]), "; ".join(filter(None, words))


def percent(stages: dict[str, StageStatus], order: tuple[str, ...]) -> float:
    """How far a build is, 0–100: the mean over its stages of the share of records that have passed.

    How many records a stage will get is not known before the stages ahead of it are done, so its
    share counts for what those have let through.
    """
    through, total = 1.0, 0.0
    for name in order:
        stage = stages.get(name)
        through *= (stage.total - stage.left) / stage.total if stage else 0.0
        total += through
    return round(100 * total / len(order), 1)


def _emit(ctx: Context, outcome: Outcome, made: NewRecords, least_kept: float) -> None:
    resource = {
        "prefect.resource.id": catalog_resource(ctx.uri),
        "prefect.resource.name": ctx.uri,
    }
    payload = {
        "recipe": ctx.recipe.name,
        "release": outcome.release,
        "made": made.made,
        "kept": made.kept,
        "made_in_release": outcome.totals["made"],
        "kept_in_release": outcome.totals["kept"],
        "report": outcome.report,
    }
    emit_event(BUILD_FINISHED, resource, payload=payload)
    if made.made and made.kept < least_kept * made.made:
        emit_event(KEPT_TOO_LITTLE, resource, payload={**payload, "least_kept": least_kept})
