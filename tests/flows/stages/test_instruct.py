"""What the instruct stage tells the writer of an edit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from catalog.records import Clip, Plan
from experts.edit.job import Side
from experts.write.instruction import Instruction
from experts.write.request import WriteRequest
from flows.recipe import parse
from flows.runtime.context import context
from flows.stages import instruct
from flows.stages.edit import Edit


class Writer:
    """Writes down what it is asked."""

    version, parts = "1", ()

    def __init__(self) -> None:
        self.asked: list[WriteRequest] = []

    def load(self) -> None: ...

    def close(self) -> None: ...

    def write(self, requests: Sequence[WriteRequest]) -> list[Instruction]:
        self.asked += requests
        return [Instruction("Do it.", "Do it well.", "model", "m", ("Do it.",), ("model",))]


def test_the_writer_is_told_where_the_expert_drew_borders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer()
    monkeypatch.setattr(instruct, "writer_for", lambda chat: writer)
    source = {"kind": "folder", "path": "v"}
    recipe = {"name": "x", "sources": [source], "plan": {"weights": {"outpainting": 1}}}
    clip = Clip("c", "s", "", "", "", 0, 33, 25.0, 8, 8)
    plan = Plan(plan_id="p", clip_id="c", task="outpainting", expert="border", track_id="",
                label="", phrase="", count=1, prompt="", negative_prompt="", target_prompt="",
                seed=0, first_frame=0, frames=33, crop=[0, 0, 8, 8], width=8, height=8)  # fmt: skip
    side = Side("", 8, 8, 33)
    drawn = {"top": 2, "bottom": 0, "left": 0, "right": 1}
    edit = Edit(plan, clip, side, side, "", "border", "1", drawn)
    instruct.run(context(tmp_path, parse(json.dumps(recipe), "x")), [edit])
    assert [request.sides for request in writer.asked] == [("top", "right")]
