"""What every runner keeps to: records, counters, notes and rows come back, an error ends the build
in its own words, a stop lets go."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import EditmillError
from flows.recipe import Recipe, parse
from flows.runtime.context import Context, Stopped, context
from flows.runtime.orchestration.client import using
from flows.runtime.orchestration.server import OrchestrationServer
from flows.runtime.results.branch import on_branch
from flows.runtime.running.runner import runner_for
from flows.runtime.running.work import Work
from flows.runtime.shard import Shard
from flows.stages.tasks import stage_task
from tests.flows.runtime.running import stages

RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"

RUNNERS = ("threads", "ray")

Driver = Callable[[Work], Any]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One for all: to start one takes seconds."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def recipe(runner: str) -> Recipe:
    return parse(RECIPE + f"run: {{runner: {runner}, workers: 2}}\n", "tiny")


@pytest.fixture(params=RUNNERS)
def ctx(request: pytest.FixtureRequest, tmp_path: Path) -> Context:
    return context(tmp_path / "catalog", recipe(request.param))


def drive(ctx: Context, driver: Driver) -> Any:
    """What `driver` returns, called within a flow on the recipe's runner."""
    connection = OrchestrationServer(None).connect(threading.Event(), lambda line: None)
    work = Work(ctx, runner_for(ctx.recipe, ctx.recipe.run.workers))
    stages.drivers[ctx.run.run_id] = driver
    with on_branch(ctx), using(connection), work.findable():
        return stages.driven.with_options(task_runner=work.runner.tasks)(ctx.run)


def task(stage: Any, name: str = "edit") -> Any:
    return stage_task(name, stage)


def of(*records: int) -> Shard[int]:
    """A shard of these."""
    return Shard(records, name=f"shard-{records[0]}")


def test_the_driver_knows_what_its_tasks_did(ctx: Context) -> None:
    def two_stages(work: Work) -> list[int]:
        first = [work.submit(task(stages.doubled), shard) for shard in (of(1, 2), of(3, -4))]
        then = [work.submit(task(stages.doubled), future) for future in first]
        return [n for future in [*first, *then] for n in work.records(future)]

    assert drive(ctx, two_stages) == [2, 4, 6, 4, 8, 12]
    stage = ctx.stats.stage("edit")
    assert (stage.done, stage.failed, stage.reused) == (5, 1, 1)  # 4 = 2·2 was known
    assert ctx.stats.tasks["doubling"].made == 4
    assert "doubled" in ctx.notes
    assert "edit/-4" in ctx.catalog.tables.written("failures")
    rows = ctx.catalog.failures().collect()
    assert rows["message"].to_list() == ["-4: is negative"]
    assert 0 <= ctx.stats.orchestration_share() <= 1


def test_tasks_have_their_turns_in_the_order_in_which_they_were_submitted(
    ctx: Context, tmp_path: Path
) -> None:
    def driver(work: Work) -> None:
        futures = [work.submit(task(stages.noting), [tmp_path / str(n)]) for n in range(24)]
        for future in futures:
            work.records(future)

    drive(ctx, driver)
    turns = [int(line) for line in (tmp_path / "turns").read_text().split()]
    assert sorted(turns) == list(range(24))
    # Two run at a time, and either may write first; the system may hold one up for longer.
    assert sum(abs(turn - n) > 2 for n, turn in enumerate(turns)) <= 2


def test_a_task_whose_turn_has_not_come_keeps_no_worker_waiting(
    ctx: Context, tmp_path: Path
) -> None:
    def driver(work: Work) -> None:
        first = work.submit(task(stages.following), [tmp_path / "first"])
        then = work.submit(task(stages.noting), first)
        other = work.submit(task(stages.noting), [tmp_path / "other"])
        for future in (first, then, other):
            work.records(future)

    drive(ctx, driver)
    assert (tmp_path / "turns").read_text().split() == ["other", "first"]


def test_an_error_of_one_task_ends_the_build_in_its_own_words(ctx: Context) -> None:
    def driver(work: Work) -> None:
        futures = [work.submit(task(s), of(1)) for s in (stages.refusing, stages.doubled)]
        for future in futures:
            work.records(future)

    with pytest.raises(EditmillError, match=r"^no disk is left; make room$"):
        drive(ctx, driver)
    assert isinstance(ctx.error, EditmillError) and ctx.stop.is_set()


def test_a_stop_lets_go_of_tasks_that_run_and_of_those_that_wait(
    ctx: Context, tmp_path: Path
) -> None:
    begun = [tmp_path / f"began-{k}" for k in range(6)]

    def driver(work: Work) -> None:
        futures = [work.submit(task(stages.waiting), [path]) for path in begun]
        while not begun[0].exists():
            threading.Event().wait(0.05)
        ctx.stop.set()
        for future in futures:
            work.records(future)

    with pytest.raises(Stopped):
        drive(ctx, driver)
    assert not begun[-1].exists()
    assert ctx.error is None


def test_a_stop_before_a_task_could_begin_is_no_error(ctx: Context, tmp_path: Path) -> None:
    began = tmp_path / "began"

    def driver(work: Work) -> None:
        first = work.submit(task(stages.waiting), [began])
        then = work.submit(task(stages.doubled), first)
        while not began.exists():
            threading.Event().wait(0.05)
        ctx.stop.set()
        work.records(then)  # and the first is not asked for

    with pytest.raises(Stopped):
        drive(ctx, driver)
    assert ctx.error is None


def test_an_error_before_a_task_could_begin_is_told_in_its_own_words(ctx: Context) -> None:
    def driver(work: Work) -> None:
        first = work.submit(task(stages.refusing), of(1))
        then = work.submit(task(stages.doubled), first)
        try:
            work.records(then)
        except Exception as error:
            raise (ctx.error or error) from None  # as a build does

    with pytest.raises(EditmillError, match=r"^no disk is left; make room$"):
        drive(ctx, driver)


def test_a_worker_that_dies_loses_and_repeats_nothing(tmp_path: Path) -> None:
    ctx = context(tmp_path / "catalog", recipe("ray"))
    mark = tmp_path / "died"

    def driver(work: Work) -> list[int]:
        dying = work.submit(task(stages.dying), [mark])
        return [*work.records(dying), *work.records(work.submit(task(stages.doubled), of(1)))]

    pid, value = drive(ctx, driver)
    assert mark.exists() and pid != os.getpid() and value == 2


def test_a_worker_that_dies_at_each_try_ends_the_build_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.runtime.running.ray.RETRIES", 1)  # a new worker takes seconds
    ctx = context(tmp_path / "catalog", recipe("ray"))

    def driver(work: Work) -> None:
        first = work.submit(task(stages.doomed, "plan"), of(1))
        work.records(work.submit(task(stages.doubled), first))

    with pytest.raises((EditmillError, Stopped)):  # whichever looks first, the poll or the driver
        drive(ctx, driver)
    assert isinstance(ctx.error, EditmillError)
    assert re.match(r"(plan|edit): its worker died 2 times, out of memory", str(ctx.error))


def test_an_address_needs_a_server_that_its_workers_reach(tmp_path: Path) -> None:
    text = RECIPE + "run: {runner: ray, ray_address: 'ray://head:10001'}\n"
    OrchestrationServer(None).connect(threading.Event(), lambda line: None)
    with pytest.raises(EditmillError, match=r"run\.server"):
        runner_for(parse(text, "tiny"), 2)
    with pytest.raises(EditmillError, match="set `runner: ray`"):
        parse(RECIPE + "run: {ray_address: auto}\n", "tiny")
