"""`editmill edit` says how far it is, on stderr."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from experts import progress
from experts.base import EditRequest, EditResult
from flows.cli import app
from flows.commands.video import edit as edit_one
from flows.commands.video import progress as shown_progress


@pytest.fixture
def slow_expert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every expert takes its time over each frame."""

    def edit(request: EditRequest) -> EditResult:
        for _ in progress.over(request.frames, "painting", len(request.frames)):
            time.sleep(0.05)
        return EditResult(request.frames)

    monkeypatch.setattr(edit_one, "embedded", lambda task: SimpleNamespace(edit=edit))


def test_a_pipe_gets_a_line_now_and_then_on_stderr_alone(
    slow_expert: None, write, scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shown_progress, "SECONDS_PER_LINE", 0.02)
    video = write("in.mp4", scene(8, 96, 128))
    asked = ["edit", "canny_to_video", str(video), "--out", str(tmp_path / "o.mp4"), "--json"]
    result = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert json.loads(result.stdout)["frames"] == 8
    assert "0:00 painting 4/8\n" in result.stderr


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end():
    screen = Console(file=io.StringIO(), force_terminal=True, width=80)
    with shown_progress.shown(screen):
        for _ in progress.over(range(3), "filling", 3):
            time.sleep(0.15)
    seen = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "filling 1/3" in seen and "filling 2/3" in seen
    assert seen.endswith("\x1b[2K")  # the line is cleared


def test_nobody_is_told_afterwards():
    heard: list[tuple[str, int, int]] = []
    with progress.heard_by(lambda *said: heard.append(said)):
        assert list(progress.over("ab", "reading", 2)) == ["a", "b"]
    progress.tell("reading", 0, 1)
    assert heard == [("reading", 0, 2), ("reading", 1, 2), ("reading", 2, 2)]


def test_the_result_is_said_to_have_no_sound() -> None:
    result = {"side": "target", "out": "o.mp4", "frames": 5, "width": 96, "height": 64}
    said = edit_one.describe(result | {"codec": "h264", "cut": True, "info": {}})
    assert "cut to 5 frames; without sound)" in said
