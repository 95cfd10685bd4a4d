"""`editmill deploy` and `prefect deploy` against a real server: what they make and refuse."""

import asyncio
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.orchestration import get_client as client_of
from prefect.workers.process import ProcessJobConfiguration

from catalog.errors import EditmillError
from flows.commands.making import deploy as command
from flows.deployments import credentials, pools
from flows.deployments.plan import planned
from flows.runtime.orchestration import client as patience
from tests.flows.deployments.prefect_server import REPOSITORY, PrefectServer

FILE = REPOSITORY / "infra" / "prefect.yaml"

GIVEN: dict[str, Any] = {
    "pool": "editmill", "pool_type": "process", "image": None, "cron": "0 2 * * *",
    "timezone": "UTC", "concurrency": 2, "gpus": 0, "notify": None, "least_kept": 0.1,
    "prefix": "", "as_json": True,
}  # fmt: skip


def deploy(to: PrefectServer, out: str, **others: Any) -> None:
    command.main("embedded", out, **{"server": to.url} | GIVEN | others)


def found(client: SyncPrefectClient) -> dict[str, dict[str, Any]]:
    """What both commands decide of each deployment, by name."""
    return {
        each.name: {
            "entrypoint": each.entrypoint,
            "parameters": {k: v for k, v in each.parameters.items() if v is not None},
            "schema": each.parameter_openapi_schema,
            "pool": each.work_pool_name,
            "queue": each.work_queue_name,
            "cron": [s.schedule.cron for s in each.schedules],  # type: ignore[union-attr]
            "variables": each.job_variables,
            "tags": each.tags,
        }
        for each in client.read_deployments()
    }


def automations(client: SyncPrefectClient, out: str) -> dict[str, str]:
    """When each of the catalog's automations was changed, by its name."""
    every = client.request("POST", "/automations/filter").json()
    return {each["name"]: each["updated"] for each in every if out in each["description"]}


def test_the_file_deploys_what_the_command_deploys(
    server: PrefectServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(server, "s3://bucket/cars", gpus=1)
    with server.client() as client:
        by_command = found(client)
        for flow in json.loads(capsys.readouterr().out)["deployments"]:
            client.delete_deployment(flow["id"])
    monkeypatch.setenv("EDITMILL_CATALOG", "s3://bucket/cars")
    monkeypatch.setenv("EDITMILL_RECIPE", "embedded")
    ran = server.prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(FILE))
    assert ran.wait(200) == 0, (server.folder / "--no-prompt.log").read_text()[-2000:]
    with server.client() as client:
        by_file = found(client)
    for each in by_command.values():
        assert each["queue"] in ("default", pools.queue_name("s3://bucket/cars"))
        each["queue"] = each["queue"].replace(pools.queue_name("s3://bucket/cars"), "catalog")
    assert by_file == by_command
    assert len(by_file) == len(planned("embedded", "s3://bucket/cars")) == 9
    for each in by_file.values():  # the server's page describes what it asks for
        assert all(p.get("description") for p in each["schema"]["properties"].values()), each


def test_again_changes_nothing_and_another_wish_only_that(
    server: PrefectServer, capsys: pytest.CaptureFixture[str]
) -> None:
    out = "s3://bucket/again"
    deploy(server, out, prefix="again-")
    first = json.loads(capsys.readouterr().out)
    assert {each["done"] for each in first["deployments"]} == {"created"}
    nightly = first["deployments"][0]
    with server.client() as client:
        rules = automations(client, out)
        (schedule,) = client.read_deployment_schedules(nightly["id"])
        client.update_deployment_schedule(nightly["id"], schedule.id, active=False)
    deploy(server, out, prefix="again-")
    again = json.loads(capsys.readouterr().out)
    assert {each["done"] for each in again["deployments"]} == {"unchanged"}
    assert again["deployments"][0]["next_run"] is None  # somebody has paused it
    with server.client() as client:
        assert automations(client, out) == rules and len(rules) == 4
    deploy(server, out, prefix="again-", cron="30 3 * * *", gpus=2)
    third = {each["name"]: each for each in json.loads(capsys.readouterr().out)["deployments"]}
    assert third["build/again-nightly"]["done"] == "updated"
    assert third["retrain/again-retrain-remover"]["next_run"]
    assert third["release/again-release"]["done"] == "unchanged"
    with server.client() as client:
        (schedule,) = client.read_deployment_schedules(nightly["id"])
        assert not schedule.active and schedule.schedule.cron == "30 3 * * *"  # type: ignore[union-attr]
        assert client.read_work_pool("editmill-gpu").concurrency_limit == 2
        queue = client.read_work_queue_by_name(pools.queue_name(out), "editmill")
        assert queue.concurrency_limit == 1
    with pytest.raises(
        EditmillError, match="again-nightly is the catalog s3://bucket/again's; giv"
    ):
        deploy(server, "s3://bucket/other", prefix="again-")


def test_a_secret_reaches_the_run_and_nothing_else(
    server: PrefectServer, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "not-to-be-seen-4711"
    name = credentials.block_name("PEXELS_API_KEY")
    with server.client() as client:
        Secret(value=value).save(name, overwrite=True, client=client)  # type: ignore[call-arg]
    deploy(server, "s3://bucket/secret", prefix="secret-", as_json=False)
    printed = capsys.readouterr()
    assert "PEXELS_API_KEY" in printed.out and value not in printed.out + printed.err
    assert "by hand: `--gpus 1` puts them on a schedule" in printed.out
    with server.client() as client:
        made = client.read_deployment_by_name("build/secret-nightly")
        template = client.read_work_pool("editmill").base_job_template
    assert value not in made.model_dump_json()
    assert f"secret.{name}" in made.job_variables["env"]["PEXELS_API_KEY"]

    async def as_a_worker_does() -> ProcessJobConfiguration:
        async with client_of() as client:
            return await ProcessJobConfiguration.from_template_and_values(
                template, made.job_variables, client=client
            )

    assert asyncio.run(as_a_worker_does()).env["PEXELS_API_KEY"] == value
    assert "prefect.blocks" not in FILE.read_text()  # `prefect deploy` would put the value there


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cron": "at night"}, "--cron 'at night': is no cron expression; give one like"),
        ({"timezone": "Mars"}, "--timezone Mars: is no time zone; give one like Europe/Berlin"),
        ({"pool_type": "slurm"}, "slurm: is not known; use one of: process, docker, kubernetes"),
        ({"pool_type": "docker"}, "--pool-type docker needs --image"),
        ({"pool_type": "docker", "image": "x"}, "has the type process, not docker; give --pool-ty"),
        ({"notify": "slack-webhook/us"}, "--notify slack-webhook/us: the server has no such block"),
    ],
)
def test_a_wrong_wish_is_one_line_with_what_helps(
    server: PrefectServer, wrong: dict[str, Any], says: str
) -> None:
    with server.client() as client:
        pools.ensure(client, pools.PoolPlan("editmill", "process", 2))
    with pytest.raises(EditmillError) as told:
        deploy(server, "s3://bucket/wrong", **wrong)
    assert says in str(told.value) and "\n" not in str(told.value)
    with server.client() as client:
        assert not [each for each in client.read_deployments() if each.name.startswith("wrong")]


def test_without_a_recipe_or_a_server(
    server: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "STARTING_SECONDS", 0)
    with pytest.raises(EditmillError, match=r"gone.yaml: the recipe can't be read"):
        command.main(str(tmp_path / "gone.yaml"), "out", **{"server": server.url} | GIVEN)
    before = dict(os.environ)
    try:
        with pytest.raises(EditmillError, match=r"no Prefect server answers at .*start it"):
            deploy(server, "out", server="http://127.0.0.1:9/api")
    finally:
        os.environ.update(before)


class _Once(BaseHTTPRequestHandler):
    """Answers as a server does that is asked whether it is there."""

    def do_GET(self) -> None:
        self.send_error(404)  # no CSRF token is needed

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"[]")


def test_a_server_that_goes_away_meanwhile_is_waited_for_and_then_told(
    monkeypatch: pytest.MonkeyPatch, server: PrefectServer
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 2.0)
    listening = HTTPServer(("127.0.0.1", 0), _Once)

    def serve() -> None:
        with listening:
            for _ in range(2):
                listening.handle_request()

    threading.Thread(target=serve, daemon=True).start()
    before = dict(os.environ)
    try:
        with pytest.raises(EditmillError, match=r"was away for .*: run it again"):
            deploy(server, "out", server=f"http://127.0.0.1:{listening.server_port}/api")
    finally:
        os.environ.update(before)
