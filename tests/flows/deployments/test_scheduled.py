"""From `editmill deploy` to a release, through a real server and worker."""

import contextlib
import datetime
import io
import itertools
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.schedules import RRuleSchedule
from prefect.states import Cancelled

import catalog
from catalog.wording import counted
from flows.commands.making import deploy as command
from flows.deployments import automations, pools
from flows.runtime.monitoring import status
from tests.flows.deployments.prefect_server import PrefectServer, kill, until

pytestmark = [pytest.mark.weights, pytest.mark.timeout(600)]  # it may be a busy machine

POOL = "editmill"

ONCALL = "custom-webhook/oncall"


def deployed(server: PrefectServer, recipe: Path, out: Path, **others: Any) -> dict[str, Any]:
    """The report of `editmill deploy --json`."""
    given: dict[str, Any] = {
        "server": server.url, "pool": POOL, "pool_type": "process", "image": None,
        "cron": "0 2 * * *", "timezone": "UTC", "concurrency": 2, "gpus": 0, "notify": None,
        "least_kept": 1.0,
        "prefix": f"{out.parent.name}-", "as_json": True,
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        command.main(str(recipe), str(out), **given | others)
    return json.loads(printed.getvalue())


def ids(report: dict[str, Any]) -> dict[str, UUID]:
    """By the deployment's flow, for those that write to the catalog."""
    return {each["name"].split("/")[0]: UUID(each["id"]) for each in report["deployments"]}


def fire(server: PrefectServer, deployment: UUID) -> None:
    """Let the deployment's time come in some seconds, and at no other time: three times, in case
    that the server is late."""
    cease(server, deployment)
    begin = datetime.datetime.now(datetime.UTC) + timedelta(seconds=4)
    schedule = RRuleSchedule(
        rrule=f"DTSTART:{begin:%Y%m%dT%H%M%SZ}\nRRULE:FREQ=SECONDLY;INTERVAL=20;COUNT=3"
    )
    with server.client() as client:
        client.create_deployment_schedules(
            deployment, [DeploymentScheduleCreate(schedule=schedule, active=True, slug="soon")]
        )


def runs(server: PrefectServer, deployment: UUID, *states: StateType) -> list[FlowRun]:
    with server.client() as client:
        found = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        )
    return [run for run in found if not states or run.state_type in states]


def end_firing(server: PrefectServer, deployment: UUID) -> None:
    """Let it be that once."""
    cease(server, deployment)
    for run in runs(server, deployment, StateType.SCHEDULED):
        with server.client() as client:
            client.delete_flow_run(run.id)


def cease(server: PrefectServer, deployment: UUID) -> None:
    """Delete its schedules, and so the runs that wait for their time."""
    with server.client() as client:
        for each in client.read_deployment_schedules(deployment):
            client.delete_deployment_schedule(deployment, each.id)


def ended(server: PrefectServer, run: UUID) -> FlowRun:
    """The run once it has completed; fails where it ends otherwise."""

    def look() -> FlowRun | None:
        with server.client() as client:
            found = client.read_flow_run(run)
        assert found.state is not None
        assert found.state_type not in (StateType.FAILED, StateType.CANCELLED), found.state.message
        return found if found.state_type == StateType.COMPLETED else None

    return until(look)


def history(server: PrefectServer, run: UUID) -> list[tuple[str, datetime.datetime]]:
    """The names of the states that the run had, and since when."""
    with server.client() as client:
        found = client.read_flow_run_states(run)
    return [(str(state.name), state.timestamp) for state in found]


def message(run: FlowRun) -> str:
    """What the run's state says."""
    assert run.state is not None
    return run.state.message or ""


def log(server: PrefectServer, run: UUID) -> list[str]:
    """The messages in the run's log, the oldest first. Where a busy server stores lines and answers
    too late, Prefect sends them again: those of the same microsecond count once."""
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
    with server.client() as client:
        found = {(each.timestamp, each.message) for each in client.read_logs(wanted)}
    return [message for _, message in sorted(found)]


def test_a_run_whose_worker_is_killed_goes_on_and_computes_nothing_twice(
    server: PrefectServer, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "dataset"
    report = deployed(server, recipe, out, pool="mortal")  # no other test's worker takes the run
    build = ids(report)["build"]
    every = [UUID(each["id"]) for each in report["deployments"]]
    with server.client() as client:
        quick = automations.rules(str(out), every, lost_after=timedelta(seconds=20))
        automations.ensure(client, str(out), quick)
        run = client.create_flow_run_from_deployment(build)
    with server.worker("mortal") as worker:
        until(lambda: list(out.glob("work/edit/*/*/*.json")))
        kill(worker)
    made = {path: path.stat().st_mtime_ns for path in out.glob("work/*/*/*/*.json")}
    with server.worker("mortal"):  # it is ready by the time that the run is missed
        until(lambda: any(name == "Crashed" for name, _ in history(server, run.id)))
        with server.client() as client:  # what is left may take longer
            automations.ensure(client, str(out), automations.rules(str(out), every))
        last = ended(server, run.id)
    assert last.run_count == 2
    assert {path: path.stat().st_mtime_ns for path in made} == made
    found = status.read(out)
    assert found is not None and found.state == "finished"
    stages = {stage.name: stage for stage in found.stages}
    assert stages["edit"].done + stages["edit"].reused == stages["edit"].total == 2
    assert stages["edit"].reused == len([path for path in made if path.parts[-4] == "edit"]) >= 1
    assert catalog.open(out, ref="v1").pairs().collect().height == 2
    # The flow within it is the same run again, too: none is left that seems to be at work.
    with server.client() as client:
        within = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id])
            )
        )
    assert [each.state_type for each in within] == [StateType.COMPLETED]


@pytest.fixture(scope="module")
def worker(server: PrefectServer) -> Iterator[None]:
    """A worker, once for all tests that end none."""
    with server.client() as client:
        pools.ensure(client, pools.PoolPlan(POOL, "process", 2))
    with server.worker(POOL, PREFECT_LOGGING_TO_API_ENABLED="true"):
        yield


@pytest.fixture(scope="module")
def told(server: PrefectServer) -> Iterator[list[tuple[str, str]]]:
    """Subject and body of what the server tells `custom-webhook/oncall`."""
    heard: list[tuple[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((said["subject"], said["body"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        CustomWebhookNotificationBlock(
            name="oncall",
            url=f"http://127.0.0.1:{listening.server_port}/",
            json_data={"subject": "{{subject}}", "body": "{{body}}"},
        ).save("oncall", overwrite=True)
        yield heard
        listening.shutdown()


@pytest.mark.usefixtures("worker")
def test_a_schedule_fires_and_ends_in_a_release_and_two_at_once_take_turns(
    server: PrefectServer, recipe: Path, told: list[tuple[str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "dataset"
    report = deployed(server, recipe, out, notify=ONCALL)
    deployments = ids(report)
    build, release = deployments["build"], deployments["release"]
    fire(server, build)
    first = until(lambda: runs(server, build, StateType.RUNNING, StateType.COMPLETED))[0]
    end_firing(server, build)
    assert first.auto_scheduled and first.parameters["out"] == str(out)
    # Meanwhile the release's time comes, too, and somebody starts another build.
    fire(server, release)
    with server.client() as client:
        second = client.create_flow_run_from_deployment(build)
    third, *others = until(lambda: runs(server, release, StateType.SCHEDULED))
    with server.client() as client:  # a deleted one would be scheduled again
        for other in others:
            client.set_flow_run_state(other.id, Cancelled(), force=True)
    said = [message(ended(server, run.id)) for run in (first, second, third)]
    end_firing(server, release)
    lines = log(server, first.id)
    until(lambda: said[2] in log(server, third.id))
    turns = [history(server, run.id) for run in (first, second, third)]
    began = [next(at for name, at in turn if name == "Pending") for turn in turns]
    ends = [turn[-1][1] for turn in turns]
    spans = sorted(zip(began, ends, strict=True))
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans)), turns
    # The build that waited found all done, and the release is the one that the first made.
    (released,) = catalog.open(out).releases()
    pairs = catalog.open(out, ref=released.tag).pairs().collect()
    assert pairs.height == 2
    # Each run says what came of it, and the first tells of its stages and counts as well.
    kept = f"{counted(pairs['keep'].sum(), 'pair')} kept of 2 made, 0 failures"
    assert said[0] == f"{out}: {released.tag} released, {kept}"
    assert said[2] == f"{out}: {released.tag} holds the same as before, {kept}"
    assert pairs["keep"].sum() == 1  # less than all, which was asked for: somebody is told
    (body,) = until(lambda: [body for subject, body in told if "too little" in subject])
    assert body == "1 kept of 2 made"
    for part in ("deblur: 2 planned, 2 made", "judge: 2 records", "report ", "Quality filter: AUC"):
        assert any(line.startswith(part) for line in lines), (part, lines)


@pytest.mark.usefixtures("worker")
def test_what_fails_and_what_is_cleaned_up_is_told_in_one_line(
    server: PrefectServer, recipe: Path, told: list[tuple[str, str]], tmp_path: Path
) -> None:
    out, mine = tmp_path / "dataset", tmp_path / "mine.yaml"
    mine.write_text(recipe.read_text())
    deployments = ids(deployed(server, mine, out, notify=ONCALL))
    mine.unlink()
    catalog.open(out, create=True)
    worker_log = server.folder / "worker.log"
    before = worker_log.stat().st_size if worker_log.exists() else 0
    with server.client() as client:
        failing = client.create_flow_run_from_deployment(deployments["build"])
        cleaning = client.create_flow_run_from_deployment(deployments["clean-up"])
    cleaned = message(ended(server, cleaning.id))
    until(lambda: any(name == "Failed" for name, _ in history(server, failing.id)))
    until(lambda: any("Finished in state" in line for line in log(server, failing.id)))
    until(lambda: cleaned in log(server, cleaning.id))
    assert cleaned == f"{out}: deleted 0 media (0 bytes); 0 media are needed"
    with server.client() as client:
        run = client.read_flow_run(failing.id)
    failed = message(run)
    assert str(mine) in failed and "\n" not in failed
    lines = log(server, failing.id)
    assert [line for line in lines if "Traceback" in line] == []
    ours = failed.partition("EditmillError: ")[2]
    crashes = [name for name, _ in history(server, failing.id)].count("Crashed")  # and goes on
    assert 1 <= lines.count(ours) <= 1 + crashes, lines
    assert run.run_count <= 1 + crashes
    subject, body = until(lambda: [each for each in told if each[0].endswith(": Failed")])[0]
    assert subject.startswith(out.parent.name) and ours in body, (subject, body)
    assert "Traceback" not in worker_log.read_text()[before:]
