"""The build as a Prefect flow: serve it, deploy it, or call it any number of times.

prefect flow serve flows/build.py:build --name nightly --cron "0 2 * * *"
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.pipelines import make_local_edits, make_pairs
from flows.release import artifacts
from flows.release import local_edits as release_local_edits
from flows.release import pairs as release_pairs
from flows.release.live import filling
from flows.release.outcome import Outcome
from flows.request import BuildRequest, finished, has_remote_sources, remember, request
from flows.runtime.context import Context, Stopped, context
from flows.runtime.garbage import only_new_garbage
from flows.runtime.monitoring import logs, served, telemetry
from flows.runtime.monitoring.progress import lines
from flows.runtime.monitoring.status import kept_up
from flows.runtime.orchestration.client import Connection, using
from flows.runtime.orchestration.run_log import tell
from flows.runtime.orchestration.server import OrchestrationServer
from flows.runtime.results.answers import end_rounds
from flows.runtime.results.branch import committed, on_branch
from flows.runtime.running.runner import runner_for
from flows.runtime.running.work import Work
from flows.runtime.selection import parts, settle
from flows.runtime.servers.models import settle as settle_servers
from flows.runtime.stopping.by_signals import stopped_by_signals


@flow(name="build", flow_run_name="build {recipe} in {out}", persist_result=False)
def build(
    recipe: str = "embedded",
    out: str = "editmill-demo",
    source: Path | None = None,
    tag: str | None = None,
    least_kept: float = 0.0,
) -> State[dict[str, Any]]:
    """Build a dataset: from source videos to a release and its report.

    What earlier runs finished is not computed again, so a run that was stopped is continued by
    another with the same parameters.

    Args:
        recipe: A shipped recipe's name (embedded, vivid-embedded) or a YAML file.
        out: The catalog: a folder, s3://bucket/prefix or lakefs://repository; made if absent.
        source: Build from this folder of videos instead of the recipe's sources.
        tag: The release's tag; by default v1, v2 and so on.
        least_kept: Share of the newly made pairs, 0–1. A build that keeps less tells the server so
            (the event `editmill.build.kept-too-little`); 0 never does.

    Returns:
        `flows.release.outcome.Outcome` as a mapping.
    """
    asked = request(recipe, out, source=source, tag=tag)
    ctx = context(out, asked.recipe, recipe)
    done = finished(ctx, asked)
    if done is None:
        ctx.readiness.of_new(ctx.catalog)
        connection = OrchestrationServer(asked.recipe.run.server).connect(ctx.stop, tell)
        with lines(ctx.stats, tell):
            done = run(ctx, asked, connection, least_kept)
    for line in done.summary():
        tell(line)
    return Completed(message=done.line(), data=asdict(done))


def run(
    ctx: Context, asked: BuildRequest, connection: Connection, least_kept: float = 0.0
) -> Outcome:
    """Carries a request out, reporting to the server at the other end of `connection`.

    Raises Stopped after Ctrl-C or SIGTERM, EditmillError when it cannot go on; in all cases every
    finished record is kept and the next run continues from there.
    """
    product = release_pairs if ctx.recipe.records is None else release_local_edits
    asked_before = served.usage(ctx.recipe)
    logs.say(ctx.recipe.run.log)
    with telemetry.build(ctx), kept_up(ctx) as ending:
        with on_branch(ctx), ctx.catalog.being_built():
            ctx.readiness.away = settle_servers(ctx.recipe, ctx.catalog.products)
            there = parts(ctx.catalog.tables)
            _make(ctx, connection)
            others = settle(ctx.catalog.tables, there, keep=ctx.incomplete)
        before = ctx.catalog.tags()
        outcome = product.publish(ctx, asked.tag, others)
        spent = served.together(served.since(asked_before, served.usage(ctx.recipe)), ctx.usage)
        outcome.notes += served.notes(spent)
        outcome.totals["models"] = {name: asdict(each) for name, each in spent.items()}
        outcome.unchanged = outcome.release in before
        ending.release = outcome.release
        if outcome.release:
            remember(ctx, asked, outcome)
        end_rounds(ctx)
        committed(ctx, outcome.release)
        artifacts.published(ctx, outcome, connection, least_kept)
    return replace(outcome, notes=[*outcome.notes, *ctx.notes])


def _make(ctx: Context, connection: Connection) -> None:
    """Makes the product and fills the report meanwhile."""
    product = release_pairs if ctx.recipe.records is None else release_local_edits
    make = make_pairs if ctx.recipe.records is None else make_local_edits
    # One more for downloads, which wait most of the time.
    threads = ctx.recipe.run.workers + has_remote_sources(ctx.recipe)
    work = Work(ctx, runner_for(ctx.recipe, threads))
    with ExitStack() as meanwhile:
        meanwhile.enter_context(only_new_garbage())
        meanwhile.enter_context(work.findable())
        meanwhile.enter_context(using(connection))
        meanwhile.enter_context(stopped_by_signals(ctx))
        meanwhile.enter_context(ctx.stats.watch())
        meanwhile.enter_context(filling(ctx, product.report_so_far))
        meanwhile.enter_context(artifacts.progress(ctx, connection))
        ctx.catalog.products.sweep()
        try:
            make.with_options(
                flow_run_name=f"{make.name} {ctx.recipe.name}",
                task_runner=work.runner.tasks,
            )(ctx.run)
        except Exception:
            # The first error, not what Prefect makes of the tasks after it.
            if first := ctx.error or connection.lost:
                raise first from None
            if not ctx.stop.is_set():
                raise
    if ctx.stop.is_set():
        raise Stopped
