"""`judge` and `evaluate` measure by the models of a recipe that is named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from catalog import media
from catalog.records import VLM_SCORES
from filters.metrics.openclip import OpenClip
from filters.metrics.standin import StandIn
from flows.commands.reading.evaluate import _instruments
from flows.commands.video.judge import describe, judge_pair
from tests.checkpoints import open_clip
from tests.flows.hub_models import ScriptedServer

pytestmark = pytest.mark.weights


def recipe(folder: Path, models: dict[str, Any], **filters: Any) -> str:
    path = folder / "mine.yaml"
    content = {
        "name": "mine",
        "sources": [{"kind": "folder", "path": "v"}],
        "plan": {"weights": {"deblur": 1}},
        "models": models,
        "filters": filters,
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_a_pair_is_judged_by_the_recipes_encoder_thresholds_and_judge(
    server: ScriptedServer, tmp_path: Path
) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (6, 64, 96, 3), np.uint8)
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    media.write_video(source, frames, 10.0)
    media.write_video(target, frames[:, ::-1].copy(), 10.0)
    asked: Any = {
        "task": "global_style_transfer", "instruction": "Turn it.", "prompt": "", "mask": None,
    }  # fmt: skip
    plain = judge_pair(source, target, **asked)
    assert not set(VLM_SCORES) & set(plain["filters"])
    models = {
        "encode": {"provider": "open_clip", "checkpoint": str(open_clip.make(tmp_path / "clip"))},
        "judge": {"provider": "openai", "model": "scripted", "base_url": server.url},
    }
    server.instead["judgement"] = {
        **{n: {"reason": "So.", "score": 2} for n in ("instruction", "preservation", "render")},
        **{"contradicts_motion": False, "swapped": False},
    }
    named = recipe(tmp_path, models, vlm={"frames": 2, "render": 3})
    found = judge_pair(source, target, **asked, recipe=named)
    assert server.asked == {"judgement": 1}
    assert found["filters"]["quality"]["reason"] == "abstained"  # of no model for this encoder
    assert found["filters"]["vlm_render"] == {"keep": False, "score": 2.0, "reason": "bad_render"}
    assert found["filters"]["vlm_instruction"]["keep"]  # no threshold
    assert not found["keep"]
    assert "vlm_preservation" in describe(found)


def test_metrics_are_measured_by_the_recipes_flow_and_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITMILL_CLIP", raising=False)
    folder = str(open_clip.make(tmp_path / "clip"))
    fast = {"provider": "dis", "preset": "fast"}
    usual = _instruments("", "")
    assert isinstance(usual.encoder, StandIn) and usual.flow.version == "1+medium"
    tools = _instruments("", recipe(tmp_path, {"flow": fast}))
    assert isinstance(tools.encoder, StandIn) and tools.flow.version == "1+fast"
    clip = {"provider": "open_clip", "checkpoint": folder}
    tools = _instruments("", recipe(tmp_path, {"encode": clip}))
    assert isinstance(tools.encoder, OpenClip) and tools.encoder.checkpoint == folder
