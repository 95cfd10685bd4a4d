"""One tiny build, seen from outside: its trace and metrics, its log, its profile; each of its
stages run again; and all of it on a Ray cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from typer.testing import CliRunner

import catalog
from catalog import media
from catalog.storage import open_storage
from experts.edit.job import carry_out
from flows.cli import app, main
from flows.replay.difference import difference
from flows.runtime.monitoring.past_builds import ended_builds
from flows.stages import edit
from tests.flows.otlp_receiver import Received, attributes, receiver

RECIPE = """
name: tiny
sources: [{{kind: folder, path: {footage}}}]
footage: {{screen: null, watermark: null}}  # blocks of one colour are as a screen has them
clips: {{max_frames: 33}}
annotate: {{keyframe_seconds: 1.4}}  # there is nothing to detect
plan: {{edits_per_clip: 1, frames: 8, long_side: 128, weights: {{deblur: 1, colorization: 1}}}}
run: {{shard_size: 1, log: json}}
"""

pytestmark = [pytest.mark.weights, pytest.mark.timeout(900)]


@dataclass
class Built:
    """A finished build of two clips, each a shard, beside a file that is no video."""

    root: Path
    recipe: str
    received: Received
    log: list[dict]
    plans: list[dict]


def _footage(folder: Path) -> None:
    """Noise that drifts: sharp enough to be blurred, with nothing that a detector knows."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (12, 48, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    frames = np.stack([wide[:96, 2 * t : 2 * t + 160] for t in range(66)])
    media.write_video(folder / "noise.mp4", frames, 25.0)
    (folder / "broken.mp4").write_bytes(b"no video")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("seen")
    _footage(folder / "footage")
    recipe, root = folder / "tiny.yaml", folder / "catalog"
    recipe.write_text(RECIPE.format(footage=folder / "footage"))
    with receiver() as received:
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", "build", recipe, "--out", root],
            capture_output=True,
            text=True,
            env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint},
        )
    assert done.returncode == 0, done.stderr
    log = [json.loads(line) for line in done.stderr.splitlines()]
    plans = catalog.open(root).table("plans").collect().to_dicts()
    assert len(plans) == 2
    return Built(root, recipe.read_text(), received, log, plans)


def test_the_trace_has_a_span_per_stage_and_shard(built: Built) -> None:
    (root,) = built.received.named("build tiny")
    assert {span.trace_id for span in built.received.spans} == {root.trace_id}
    assert built.received.services == {"editmill"}
    for stage in ("annotate", "edit", "judge"):
        spans = built.received.named(stage)
        said = [attributes(span) for span in spans]
        assert [one["editmill.records"] for one in said] == [1, 1]
        assert [one["editmill.records.done"] for one in said] == [1, 1]
        assert all(span.parent_span_id == root.span_id for span in spans)
        shards = {one["editmill.shard"] for one in said}
        assert shards == {
            attributes(span)["editmill.shard"] for span in built.received.named("annotate")
        }
    batches = built.received.named("edit batch")
    records = [attributes(span)["editmill.record"] for span in batches]
    assert sorted(records) == sorted([f"{p['task']} {p['plan_id']}"] for p in built.plans)


def test_models_are_spans_of_the_batch_that_they_are_called_for(built: Built) -> None:
    batches = {span.span_id for span in built.received.named("judge batch")}
    called = [span for span in built.received.named("model") if span.parent_span_id in batches]
    assert called
    assert all(attributes(span)["editmill.model"] for span in called)


def test_metrics_are_the_builds_counters(built: Built) -> None:
    received = built.received
    pairs = catalog.open(built.root).pairs().collect()
    kept = int(pairs["keep"].sum())
    assert received.value("editmill.records", stage="edit", outcome="done") == 2
    assert received.value("editmill.records", stage="look", outcome="failed") == 1
    assert received.value("editmill.products", verdict="kept") == kept
    assert received.value("editmill.products", verdict="rejected") == len(pairs) - kept
    assert received.value("editmill.queue", stage="edit") == 0
    (ended,) = ended_builds(open_storage(built.root))
    rates = {stage.name: stage.per_minute for stage in ended.stages if stage.per_minute}
    assert rates  # a stage of less than a second has none
    for stage, per_minute in rates.items():
        assert received.value("editmill.rate", stage=stage) == pytest.approx(per_minute / 60)
    assert received.value("editmill.stage.time", stage="edit", kind="work") > 0
    assert received.value("editmill.memory") > 100 << 20
    (recipe,) = {dict(series)["recipe"] for series in received.metrics["editmill.records"]}
    assert recipe == "tiny"


def test_the_log_names_stage_shard_and_record(built: Built) -> None:
    shards = [line for line in built.log if "took" in line["message"] and line["stage"] == "edit"]
    assert [(line["records"], line["done"], line["failed"]) for line in shards] == [(1, 1, 0)] * 2
    (failed,) = [line for line in built.log if line.get("record") == "broken.mp4"]
    assert (failed["stage"], failed["reason"]) == ("look", "corrupt_video")
    assert failed["shard"] in {line["shard"] for line in built.log if line.get("stage") == "look"}


def test_the_profile_is_kept_with_the_build(built: Built) -> None:
    (ended,) = ended_builds(open_storage(built.root))
    stages = {stage.name: stage for stage in ended.stages}
    for name in ("look", "annotate", "edit", "instruct", "judge"):
        stage = stages[name]
        assert stage.seconds and stage.core_seconds
        assert 0 <= stage.waiting <= stage.seconds
        assert stage.besides is not None
    assert stages["annotate"].peak_memory_mb
    total = sum(stage.core_seconds or 0 for stage in ended.stages)
    assert total < ended.seconds * (os.cpu_count() or 1)
    page = (built.root / "report.html").read_text()
    # The build's document has two decimals, the page one: both are rounded from what was measured.
    shown = [f"{stages['edit'].seconds + off:.1f}</td>" for off in (-0.005, 0.005)]
    assert any(seconds in page for seconds in shown)


def _replay(*args: object) -> tuple[int, list[dict]]:
    result = CliRunner().invoke(app, ["replay", *map(str, args), "--json"], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)


def _files(root: Path) -> dict[str, tuple[int, int]]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize("stage", ["annotate", "plan", "edit", "instruct", "judge"])
def test_a_stage_run_again_comes_out_the_same_and_leaves_no_trace(built: Built, stage: str) -> None:
    before = _files(built.root)
    shard = next(line["shard"] for line in built.log if line.get("stage") == "edit")
    code, found = _replay(stage, shard, "--catalog", built.root)
    assert [each["state"] for each in found] == ["same"] * len(found)
    assert code == 0
    ended = [line for line in built.log if line.get("shard") == shard and "seconds" in line]
    assert len(found) == max(line["records"] for line in ended)
    assert _files(built.root) == before


def test_one_record_is_named_by_its_plan_its_pair_or_its_source(built: Built) -> None:
    plan = built.plans[0]
    pairs = catalog.open(built.root).pairs().collect()
    pair = pairs.filter(pairs["plan_id"] == plan["plan_id"])["pair_id"][0]
    for name in (plan["plan_id"][:10], pair, f"{plan['task']} {plan['plan_id']}"):
        code, found = _replay("edit", name, "--catalog", built.root)
        assert code == 0
        assert [each["record"] for each in found] == [f"{plan['task']} {plan['plan_id']}"]
    code, found = _replay("plan", "noise.mp4", "--catalog", built.root)
    assert (code, len(found)) == (0, 2)


def test_an_edit_that_is_not_deterministic_is_found(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsteady(job, footage, expert):
        result = carry_out(job, footage, expert)
        result.frames[0, 0, :8] ^= np.frombuffer(os.urandom(24), np.uint8).reshape(8, 3)
        result.info["drawn"] = 4
        return result

    monkeypatch.setattr(edit, "carry_out", unsteady)
    plan = built.plans[0]
    code, found = _replay("edit", plan["plan_id"], "--catalog", built.root)
    assert code == 1
    assert found[0]["state"] == "differs"
    assert found[0]["fields"]["made.video"][0] != found[0]["fields"]["made.video"][1]
    assert found[0]["fields"]["info.drawn"] == ["nothing", 4]
    assert "real.video" not in found[0]["fields"]
    args = ["replay", "edit", plan["plan_id"], "--catalog", str(built.root)]
    told = CliRunner().invoke(app, args)
    assert told.exit_code == 1
    line, total = told.stdout.strip().splitlines()
    assert line.startswith(f"edit {plan['task']} {plan['plan_id']}: differs, ")
    assert "info.drawn: nothing → 4" in line
    assert "made.video: media/" in line
    assert total == "1 record: 1 differs"


def test_what_fails_now_is_told_with_its_reason(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(job, footage, expert):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(edit, "carry_out", fails)
    code, found = _replay("edit", built.plans[0]["plan_id"], "--catalog", built.root)
    assert (code, found[0]["state"]) == (1, "failed")
    assert "no such kernel" in found[0]["message"]


def test_another_key_and_a_missing_input_are_told_apart(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "catalog"
    shutil.copytree(built.root, root)
    plan = built.plans[0]
    with monkeypatch.context() as patched:
        patched.setattr(edit, "_key", lambda ctx, job, expert: "0" * 32)
        code, found = _replay("edit", plan["plan_id"], "--catalog", root)
        assert (code, found[0]["state"]) == (1, "another key")
    shutil.rmtree(root / "work" / "edit")
    code, found = _replay("edit", plan["plan_id"], "--catalog", root)
    assert (code, found[0]["state"]) == (1, "not recorded")
    code, found = _replay("judge", plan["plan_id"], "--catalog", root)
    assert (code, found[0]["state"]) == (1, "no input")
    assert "what edit made of it" in found[0]["message"]


def test_a_row_that_was_drawn_otherwise_is_found(built: Built, tmp_path: Path) -> None:
    root = tmp_path / "catalog"
    shutil.copytree(built.root, root)
    tables = catalog.open(root).tables
    plan = next(p for p in tables.records("plans") if p.plan_id == built.plans[0]["plan_id"])
    plan.params["strength"] = 9
    tables.put("plans", {plan.clip_id: [plan]})
    code, found = _replay("plan", plan.clip_id, "--catalog", root)
    assert code == 1
    assert found[0]["fields"] == {"params.strength": [9, "nothing"]}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("paint", "0"), "paint: cannot be run again; use one of: annotate"),
        (("edit", "zz"), "'zz': no shard, source, clip, plan, pair or record"),
        (("draw", "noise.mp4"), "its recipe makes pairs, and so has no such stage"),
    ],
)
def test_what_cannot_be_run_again_is_one_line(
    built: Built,
    args: tuple[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["editmill", "replay", *args, "--catalog", str(built.root)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert said in told
    assert len(told.splitlines()) == 1


def _kill_at_work(stage: str, ended: threading.Event) -> None:
    """SIGKILL the first worker of our Ray cluster that is at the stage."""
    while not ended.wait(0.05):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if process.cmdline()[:1] == [f"ray::{stage}"]:
                    process.kill()
                    return
    raise AssertionError(f"no worker came to {stage}")


def _pairs(root: Path) -> pl.DataFrame:
    rows = catalog.open(root).table("pairs").collect().sort("pair_id")
    return rows.drop([name for name in ("created", "seconds") if name in rows.columns])


def test_on_a_ray_cluster_the_same_is_made_though_workers_are_killed(
    built: Built, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    recipe, root = tmp_path / "tiny.yaml", tmp_path / "catalog"
    recipe.write_text(built.recipe.replace("log: json", "runner: ray"))
    ended = threading.Event()

    def kill() -> None:
        for stage in ("annotate", "judge"):
            _kill_at_work(stage, ended)

    with ThreadPoolExecutor(1) as beside:
        killed = beside.submit(kill)
        try:
            done = CliRunner().invoke(app, ["build", str(recipe), "--out", str(root)])
        finally:
            ended.set()
    assert done.exit_code == 0, done.output
    killed.result()
    assert len(_pairs(root)) == 2
    assert _pairs(root).equals(_pairs(built.root))


def test_differences_are_named_by_their_paths() -> None:
    then = {"a": 1, "b": {"c": [1, 2, {"d": "x"}]}, "e": True}
    now = {"a": 1, "b": {"c": [1, 3, {"d": "y"}, 4]}, "f": None, "e": 1}
    assert difference(then, then) == {}
    assert difference(then, now) == {
        "len(b.c)": (3, 4),
        "b.c[1]": (2, 3),
        "b.c[2].d": ("x", "y"),
        "e": (True, 1),
        "f": ("nothing", None),
    }
