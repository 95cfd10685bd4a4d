"""`editmill status`: what a build is doing, or how the last one ended."""

from __future__ import annotations

import dataclasses
import json
import time
from contextlib import suppress
from datetime import UTC

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from catalog.errors import EditmillError
from catalog.layout import MARKER
from catalog.storage import open_storage
from flows.commands import tables
from flows.commands.making.build import FAILED
from flows.commands.releasing.log import LogEntry, entries, said
from flows.runtime.monitoring import status as build_status
from flows.runtime.monitoring.progress import clock, kept_line, memory, stage_table
from flows.runtime.monitoring.status import SECONDS, Status, alive
from flows.runtime.stopping import signals


def main(root: str, *, watch: bool, as_json: bool) -> None:
    """Prints the status of the last build in the catalog at `root`; with `watch`, until it ends.

    Raises EditmillError where there is no catalog, or no build has written its status there.
    """
    status = _read(root)
    later = _since(root, status)
    if as_json:
        since = [dataclasses.asdict(entry) for entry in later]
        print(json.dumps({**build_status.as_json(status), "since": since}))
        return
    console = tables.console()
    if not (watch and alive(status)):
        console.print(describe(status, root))
        for entry in later:
            console.print(Text(f"Since then: {entry.what} ({said(entry)})"))
        return
    with (
        suppress(signals.Signalled),  # whoever stops watching stops no build
        Live(describe(status, root), console=console, auto_refresh=False) as screen,
    ):
        while alive(status):
            time.sleep(SECONDS)
            status = _read(root)
            screen.update(describe(status, root), refresh=True)


def _since(root: str, status: Status) -> list[LogEntry]:
    """What happened to the catalog after the build: another release, a source that was forgotten.
    A catalog that is damaged does not hide how the build ended."""
    if alive(status):
        return []
    with suppress(EditmillError):
        ended = status.updated_at.astimezone(UTC).isoformat(timespec="seconds")
        return [entry for entry in entries(open_storage(root)) if entry.at > ended]
    return []


def describe(status: Status, root: str) -> RenderableType:
    """The status for a person, of the build in the catalog at `root`."""
    head = [f"{status.recipe}: {_state(status)}", clock(status.seconds)]
    if alive(status) and status.seconds_left:
        head.append(f"about {clock(status.seconds_left)} left of what is known")
    head += memory(status.peak_memory_mb)
    kept = kept_line(status.tasks, status.state != "finished")
    failed = [f"{each.name} {each.failed} of {each.total}" for each in status.stages if each.failed]
    below = [Text(kept)] if kept else []
    if failed:
        why = f'editmill query "{FAILED}" --catalog {root}'
        below.append(Text(f"Failed: {', '.join(failed)}; why: {why}"))
    return Group(Text(" · ".join(head)), stage_table(status.stages), *below)


def _state(status: Status) -> str:
    if status.state in ("running", "stopping") and not alive(status):
        return (
            f"died (last heard of at {status.updated_at.isoformat()}); the same build command goes "
            "on from where it was"
        )
    if status.state == "finished":
        return f"finished, {f'release {status.release}' if status.release else 'nothing made'}"
    if status.state == "failed":
        return f"failed: {status.message}"
    if status.state == "stopped":
        return "stopped; the same build command goes on from where it was"
    return f"{status.state} on {status.host}, process {status.pid}"


def _read(root: str) -> Status:
    found = build_status.read(root)
    if found is not None:
        return found
    if not open_storage(root).exists(MARKER):
        raise EditmillError(
            f"{root}: no catalog there; name a build's output folder with --catalog, or make one "
            "with: editmill build"
        )
    raise EditmillError(
        f"{root}: no build has run here, or one is just starting; start one with: editmill build"
    )
