"""`editmill deploy`: check, deploy, and say what runs when and what to start next."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from catalog.errors import EditmillError
from flows.recipe import load
from flows.runtime.orchestration import settings as prefect_settings

STARTING_SECONDS = 15.0
"""How long a server is waited for that was started just before, in the background: it listens some
seconds later."""


def main(
    recipe: str,
    out: str,
    *,
    server: str,
    pool: str,
    pool_type: str,
    image: str | None,
    cron: str,
    timezone: str,
    concurrency: int,
    gpus: int,
    notify: str | None,
    least_kept: float,
    prefix: str,
    as_json: bool,
) -> None:
    """Runs the command; EditmillError passes through."""
    load(recipe)
    url, users = prefect_settings.users_server(server)
    prefect_settings.apply(url, users)
    # Imported late: Prefect reads its settings when it is imported.
    from prefect.client.orchestration import get_client

    from flows.deployments import automations, credentials, pools
    from flows.deployments.deploy import deploy, server_errors
    from flows.deployments.plan import catalog_for_runs, planned, recipe_for_runs
    from flows.runtime.orchestration.client import Connection, check, using

    kind = pools.check_type(pool_type)
    if kind != "process" and image is None:
        raise EditmillError(
            f"--pool-type {kind} needs --image: a container image in which editmill is installed"
        )
    recipe, out = recipe_for_runs(recipe), catalog_for_runs(out)
    plan = planned(
        recipe,
        out,
        cron=cron,
        timezone=timezone,
        gpus=gpus,
        least_kept=least_kept,
        prefix=prefix,
    )
    check(url, "or name another with --server", STARTING_SECONDS)
    cpu = pools.PoolPlan(pool, kind, concurrency)
    gpu = pools.gpu_pool(cpu, gpus)
    own_file = Path(recipe).is_absolute()
    patient = using(Connection(url, threading.Event(), _tell))
    with server_errors(url), patient, get_client(sync_client=True) as client:
        block = None if notify is None else automations.notification_block(client, notify)
        for each in (cpu, gpu):
            pools.ensure(client, each)
        pools.ensure_queue(client, cpu, out)
        secrets = credentials.from_blocks(client)
        done = deploy(
            client,
            plan,
            out=out,
            pool=cpu,
            gpu_pool=gpu,
            image=image,
            environment=secrets,
            # What such a recipe names by a relative path lies here.
            working_dir=Path.cwd() if own_file and kind == "process" else None,
        )
        ids = [each.id for each in done]
        automations.ensure(client, out, automations.rules(out, ids, block))
    report = {
        "server": url,
        "catalog": out,
        "recipe": recipe,
        "timezone": timezone,
        "deployments": [
            dataclasses.asdict(each)
            | {"id": str(each.id), "next_run": each.next_run and each.next_run.isoformat()}
            for each in done
        ],
        "secrets": sorted(secrets),
        "notify": notify,
        "workers": [each.name for each in (cpu, gpu) if each.limit],
    }
    if as_json:
        print(json.dumps(report))
    else:
        _show(report, kind)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(report: dict[str, Any], kind: str) -> None:
    console = Console()
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("deployment", "", "work pool", "schedule", "next run"):
        table.add_column(heading)
    for each in report["deployments"]:
        when = each["next_run"]
        name = each["name"].partition("/")[2]
        table.add_row(
            name,
            each["done"],
            each["pool"],
            each["cron"],
            when[:16].replace("T", " ") if when else "by hand",
        )
    console.print(table)
    lines = [f"Times are in {report['timezone']}"]
    if report["secrets"]:
        lines.append(f"From Secret blocks: {', '.join(report['secrets'])}")
    if any(each["pool"] not in report["workers"] for each in report["deployments"]):  # the GPUs'
        lines.append("Experts are retrained by hand: `--gpus 1` puts them on a schedule")
    if report["notify"] is None:
        lines.append("Nobody is told of a failed run: name a notification block with --notify")
    if kind != "process" and "://" not in report["catalog"]:
        lines.append(f"{report['catalog']} is a folder: mount it in the pool's containers")
    first = report["deployments"][0]["name"]
    lines.append(f"now      prefect deployment run {first}")
    lines += [
        f"next     PREFECT_API_URL={report['server']} prefect worker start --pool {name}"
        for name in report["workers"]
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)
