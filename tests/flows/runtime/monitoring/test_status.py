"""What a build is doing: counted, written beside it, and read by somebody else."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from catalog.errors import EditmillError
from catalog.keeping.forget import Forgotten, remember
from flows.commands.making import status as command
from flows.recipe import parse
from flows.runtime.context import Context, Stopped, context
from flows.runtime.monitoring import status
from flows.runtime.monitoring.past_builds import ended_builds
from flows.runtime.monitoring.progress import clock, kept_line, memory
from flows.runtime.monitoring.stats import StageStats, Stats, TaskCount
from flows.runtime.monitoring.status import Status, alive, kept_up, read, stage_status

RECIPE = """
name: tiny
sources: [{kind: folder, path: v}]
plan: {weights: {deblur: 1}}
run: {workers: 2}
"""


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return context(tmp_path / "catalog", parse(RECIPE, "tiny"))


def test_rate_and_time_left_follow_from_what_was_computed() -> None:
    stage = StageStats("edit", total=14, done=5, reused=2, failed=1, seconds=60.0, since=100.0)
    found = stage_status(stage, workers=2, now=160.0)
    assert found.left == 6
    assert found.per_minute == 6.0  # 5 made and 1 failed in a minute
    assert found.seconds_left == 36.0  # 6 of 12 s each, by two workers


def test_the_rate_of_a_finished_stage_stays_what_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stats = Stats()
    for began, ended in ((100.0, 110.0), (110.0, 130.0)):
        clock_of_work = iter((began, ended))
        with monkeypatch.context() as patched:
            patched.setattr("time.monotonic", lambda: next(clock_of_work))  # noqa: B023
            with stats.work("look"):
                stats.count("look", done=1)
    stats.expect("look", 2)
    assert stage_status(stats.stage("look"), workers=2, now=3730.0).per_minute == 4.0
    stats.expect("look", 1)
    assert stage_status(stats.stage("look"), workers=2, now=220.0).per_minute == 1.0


def test_nothing_is_said_before_anything_is_known() -> None:
    found = stage_status(StageStats("edit", total=3), workers=2, now=1.0)
    assert (found.per_minute, found.seconds_left) == (None, None)
    refused = StageStats("look", total=1, failed=1, since=100.0, until=100.0001)
    assert stage_status(refused, workers=2, now=160.0).per_minute is None
    reused = stage_status(StageStats("edit", total=3, reused=3), workers=2, now=1.0)
    assert (reused.left, reused.seconds_left) == (0, 0.0)


def test_a_build_is_seen_while_it_runs_and_after(ctx: Context) -> None:
    ctx.stats.expect("edit", 3)
    ctx.stats.count("edit", done=1)
    ctx.stats.judged("deblur", True)
    ctx.stats.judged("deblur", False)
    with kept_up(ctx) as ending:
        running = read(Path(ctx.uri))
        assert running is not None
        assert running.state == "running"
        assert alive(running)
        ending.release = "v1"
    ended = read(Path(ctx.uri))
    assert ended is not None
    assert (ended.state, ended.release, ended.kept, ended.made) == ("finished", "v1", 1, 2)
    assert ended.tasks == {"deblur": TaskCount(made=2, kept=1)}
    assert [(s.name, s.total, s.done) for s in ended.stages] == [("edit", 3, 1)]
    assert not alive(ended)


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (Stopped(), "stopped", ""),
        (EditmillError("the disk is full"), "failed", "the disk is full"),
        (KeyboardInterrupt(), "failed", "KeyboardInterrupt"),
    ],
)
def test_how_it_ended_is_said(ctx: Context, error: BaseException, state: str, message: str) -> None:
    with pytest.raises(type(error)), kept_up(ctx):
        raise error
    ended = read(Path(ctx.uri))
    assert ended is not None
    assert (ended.state, ended.message) == (state, message)


def test_a_killed_build_does_not_run_for_ever(ctx: Context) -> None:
    """Its process is gone, or on another machine it is not heard of any more."""
    with kept_up(ctx):
        running = read(Path(ctx.uri))
    assert running is not None
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    here = dataclasses.replace(running, pid=child.pid, process_started=started)
    assert alive(here)
    assert not alive(dataclasses.replace(here, process_started=started - 60))  # its pid was reused
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert not alive(here)
    there = dataclasses.replace(running, host=f"not-{socket.gethostname()}", pid=child.pid)
    assert alive(there)
    assert not alive(dataclasses.replace(there, updated_at=datetime(2026, 1, 1, tzinfo=UTC)))


def test_the_command_says_it(ctx: Context, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EditmillError, match="no build has run here"):
        command.main(Path(ctx.uri), watch=False, as_json=False)
    with pytest.raises(EditmillError, match="no catalog there"):
        command.main(Path(ctx.uri) / "elsewhere", watch=False, as_json=False)
    ctx.stats.judged("deblur", True)
    with kept_up(ctx) as ending:
        ending.release = "v3"
    command.main(Path(ctx.uri), watch=True, as_json=False)
    told = capsys.readouterr().out
    assert "tiny: finished, release v3" in told
    assert "1 of 1 kept: deblur 1" in told
    command.main(Path(ctx.uri), watch=False, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["kept"], found["alive"]) == ("finished", 1, False)


def test_no_line_is_broken_where_nobody_watches(
    ctx: Context, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    ctx.stats.judged("global_style_transfer", True)
    ctx.stats.peak_memory_mb = 5400.0
    with kept_up(ctx) as ending:
        ending.release = "v3"
    for watch in (False, True):
        command.main(ctx.uri, watch=watch, as_json=False)
        told = capsys.readouterr().out.splitlines()
        assert told[0] == "tiny: finished, release v3 · 0:00 · 5.3 GiB of memory at most"
        assert told[-1] == "1 of 1 kept: global_style_transfer 1"


def test_what_failed_is_said_with_where_to_read_why(
    ctx: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    ctx.stats.expect("look", 5)
    ctx.stats.count("look", done=4, failed=1)
    with kept_up(ctx):
        pass
    command.main(ctx.uri, watch=False, as_json=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith('Failed: look 1 of 5; why: editmill query "select')
    assert last.endswith(f"--catalog {ctx.uri}")


def test_what_happened_since_is_said(ctx: Context, capsys: pytest.CaptureFixture[str]) -> None:
    with kept_up(ctx):
        pass
    for year, name in (("2001", "before.mp4"), ("2099", "street.mp4")):
        remember(ctx.storage, Forgotten(year * 16, [name], f"{year}-01-01T00:00:00+00:00"))
    command.main(ctx.uri, watch=False, as_json=False)
    told = capsys.readouterr().out
    assert "Since then: forgot street.mp4" in told and "before.mp4" not in told
    command.main(ctx.uri, watch=False, as_json=True)
    since = json.loads(capsys.readouterr().out)["since"]
    assert [entry["what"] for entry in since] == ["forgot street.mp4"]


def test_how_each_build_ended_is_kept(ctx: Context) -> None:
    with kept_up(ctx) as ending:
        ending.release = "v1"
    with pytest.raises(Stopped), kept_up(ctx):
        raise Stopped
    kept = sorted((each.state, each.release) for each in ended_builds(ctx.storage))
    assert kept == [("finished", "v1"), ("stopped", "")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tasks", []),
        ("tasks", {"deblur": {"made": "x"}}),
        ("seconds", None),
        ("pid", 10**30),
        ("state", "odd"),
        ("updated_at", "yesterday"),
        ("updated_at", "2026-01-01T00:00:00"),  # of no zone
        ("stages", [{"name": "edit"}]),
    ],
)
def test_wrong_values_are_one_line(ctx: Context, key: str, value: object) -> None:
    with kept_up(ctx):
        pass
    path = Path(ctx.uri) / status.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(EditmillError, match="no build's status"):
        read(Path(ctx.uri))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"stages": [1]}', '{"stages": []}', "\xff"])
def test_a_damaged_status_is_one_line(ctx: Context, content: str) -> None:
    path = Path(ctx.uri) / status.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(EditmillError, match="no build's status"):
        read(Path(ctx.uri))


def test_words() -> None:
    assert [clock(s) for s in (0, 59.9, 61, 3661)] == ["0:00", "0:59", "1:01", "1:01:01"]
    assert kept_line({}) == ""
    assert Status.__doc__


def test_no_memory_is_told_before_it_was_looked_at() -> None:
    assert memory(0) == []
    assert memory(3584.0) == ["3.5 GiB of memory at most"]
