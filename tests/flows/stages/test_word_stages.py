"""The stages that ask models for words before an edit is made: captions and ideas."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from catalog.errors import EditmillError
from catalog.records import Clip
from experts.annotate.clip import AnnotatedClip
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.stages import ideas, plan
from flows.stages.clips import caption
from tests.flows.hub_models import CAPTION, LOOKS, REPLACEMENTS, ScriptedServer
from tests.flows.tiny_training import write_catalog

BOTH = ("object_swap", "local_style_transfer")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    running = ScriptedServer()
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_catalog(tmp_path / "catalog", sources=2)
    return tmp_path / "catalog"


def context_of(root: Path, models: dict[str, Any], **more: Any) -> Context:
    source = {"kind": "folder", "path": "v"}
    document = {"name": "x", "sources": [source], "plan": {"weights": {"deblur": 1}}, **more}
    return context(root, parse(json.dumps({**document, "models": models}), "x"))


def clips(ctx: Context) -> list[Clip]:
    found: list[Clip] = ctx.catalog.tables.records("clips")
    return sorted(found, key=lambda clip: clip.clip_id)


def annotated(ctx: Context, *labels: str) -> list[AnnotatedClip]:
    """The first clip with a track of each label."""
    clip = dataclasses.replace(clips(ctx)[0], caption=CAPTION["short"])
    track = next(t for t in ctx.catalog.tables.records("tracks") if t.clip_id == clip.clip_id)
    boxes = [20.0, 12.0, 40.0, 36.0] * clip.frames
    tracks = [
        dataclasses.replace(track, track_id=str(k), label=label, boxes=boxes)
        for k, label in enumerate(labels)
    ]
    return [AnnotatedClip(clip, tracks)]


def described_by(server: ScriptedServer, **options: Any) -> dict[str, Any]:
    served = {"provider": "vlm", "server": server.url, "model": "m", "frames": 2, "rounds": 2}
    return {"captions": served | options}


def test_a_captioner_that_looks_at_nothing_is_no_stage(root: Path) -> None:
    ctx = context_of(root, {})
    shard = clips(ctx)
    assert caption.run(ctx, shard) == shard
    assert caption.STAGE not in ctx.stats.stages


def test_clips_are_described_once(root: Path, server: ScriptedServer) -> None:
    ctx = context_of(root, described_by(server))
    found = caption.run(ctx, clips(ctx))
    assert len(found) == 2 and server.asked == {"caption": 2}
    for clip in found:
        assert (clip.caption, clip.caption_by) == (CAPTION["short"], "vlm")
        assert clip.detailed_caption == CAPTION["detailed"]
        assert clip.phrases == CAPTION["objects"]
    shown = [part["type"] for part in server.requests[-1]["messages"][-1]["content"]]
    assert shown.count("image_url") == 2

    again = context_of(root, described_by(server))
    assert caption.run(again, clips(again)) == found
    assert server.asked == {"caption": 2}
    assert again.stats.stage(caption.STAGE).reused == 2

    others = context_of(root, described_by(server, objects=1))
    assert [clip.phrases for clip in caption.run(others, clips(others))] == [["red car"]] * 2
    assert server.asked == {"caption": 4}  # another question


def test_a_clip_that_cannot_be_described_goes_no_further(
    root: Path, server: ScriptedServer
) -> None:
    server.instead["caption"] = CAPTION | {"detailed": "Too short."}
    ctx = context_of(root, described_by(server))
    assert caption.run(ctx, clips(ctx)) == []
    assert server.asked == {"caption": 4}  # each in two rounds
    failures = ctx.catalog.failures().collect()
    assert set(failures["stage"]) == {"caption"} and set(failures["reason"]) == {"no_caption"}
    assert "2 words instead of 35 to 75" in failures["message"][0]


def test_a_server_that_is_down_ends_the_build_and_fails_no_clip(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)
    served = {"provider": "vlm", "server": "http://127.0.0.1:9/v1", "model": "m"}
    with pytest.raises(EditmillError, match=r"127\.0\.0\.1:9"):
        down = context_of(root, {"captions": served})
        caption.run(down, clips(down))
    assert context_of(root, {}).catalog.failures().collect().is_empty()


def writes(server: ScriptedServer, **options: Any) -> dict[str, Any]:
    return {"write": {"provider": "openai", "base_url": server.url, "model": "m", **options}}


def test_each_kind_of_object_gets_several_ideas(root: Path, server: ScriptedServer) -> None:
    ctx = context_of(root, writes(server))
    shard = annotated(ctx, "dog", "car", "dog")
    (told,) = ideas.run(ctx, shard, BOTH).values()
    assert told.replacements.keys() == told.looks.keys() == {"car", "dog"}
    for named, known in ((told.replacements, REPLACEMENTS), (told.looks, LOOKS)):
        for label in named:
            assert set(named[label]) <= set(known["candidates"])
            assert len(named[label]) == len(set(named[label])) > 0
    asked = 2 * ideas.PER_LABEL
    assert server.asked == {"replacement": asked, "look": asked}

    again = context_of(root, writes(server))
    assert ideas.run(again, shard, BOTH) == {shard[0].clip.clip_id: told}
    assert server.asked.total() == 2 * asked


def test_only_what_is_generated_is_asked_about(root: Path, server: ScriptedServer) -> None:
    ctx = context_of(root, writes(server))
    assert ideas.run(ctx, annotated(ctx, "car"), ["object_removal"]) == {}
    assert not server.asked
    (told,) = ideas.run(ctx, annotated(ctx, "car"), ["object_swap"]).values()
    assert told.replacements and not told.looks
    assert set(server.asked) == {"replacement"}


def test_a_small_model_is_asked_for_no_ideas(root: Path, server: ScriptedServer) -> None:
    ctx = context_of(root, writes(server, structured=False))
    assert ideas.run(ctx, annotated(ctx, "car"), BOTH) == {}
    assert not server.asked


def test_a_label_for_which_nothing_fits_has_none(root: Path, server: ScriptedServer) -> None:
    server.instead["replacement"] = {"candidates": ["car", "vehicle"]}
    ctx = context_of(root, writes(server))
    (told,) = ideas.run(ctx, annotated(ctx, "car"), ["object_swap"]).values()
    assert told.replacements == {}  # the plan takes a label of its kind
    assert not ctx.catalog.failures().collect().height


def test_ideas_reach_the_plans(
    root: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    anything = {"min_area": 1e-4, "max_area": 1, "min_score": 0, "min_confidence": 0}
    size = {"frames": 8, "long_side": 128}
    ctx = context_of(
        root,
        writes(server),
        plan={"weights": {"local_style_transfer": 1}, **anything, **size},
        experts={"local_style_transfer": "wan_vace"},
    )
    monkeypatch.setattr(ctx.readiness, "before", lambda stage: None)  # nothing is painted here
    (planned,) = plan.run(ctx, annotated(ctx, "car"))
    (drawn,) = planned.plans
    assert drawn.params["look"] in LOOKS["candidates"]
    assert drawn.prompt.endswith(f"{drawn.params['look']} car")
