"""The report of a running build is written as pairs come, and not all the time."""

import time
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from flows.recipe import parse
from flows.release import live
from flows.runtime.context import Context, context

RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"


@pytest.fixture
def ctx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(live, "RELOAD_SECONDS", 0)
    return context(tmp_path / "catalog", parse(RECIPE, "tiny"))


def _wait_for(condition: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:  # type: ignore[operator]
        time.sleep(0.01)


def test_it_is_written_once_for_what_is_new(ctx: Context) -> None:
    written: list[int] = []
    with live.filling(ctx, lambda build, _: written.append(build.stats.made)):
        time.sleep(0.1)
        assert written == []  # nothing to show yet
        ctx.stats.judged("deblur", True)
        _wait_for(lambda: written == [1])
        time.sleep(0.1)
        ctx.stats.judged("deblur", False)
        _wait_for(lambda: written == [1, 2])
    assert written == [1, 2]


def test_a_page_that_cannot_be_written_does_not_stop_the_build(ctx: Context) -> None:
    tried: list[int] = []

    def write(_: Context, seconds: int) -> None:
        tried.append(seconds)
        raise EditmillError("the disk is full")

    with live.filling(ctx, write):
        for count in (1, 2):
            ctx.stats.judged("deblur", True)
            _wait_for(lambda count=count: len(tried) == count)
    assert len(tried) == 2
