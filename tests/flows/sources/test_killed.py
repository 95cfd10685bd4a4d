"""A build that is killed at its worst instant goes on where it was: nothing else is asked again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.flows.sources.stock_server import (
    PEXELS_KEY,
    PIXABAY_KEY,
    Handler,
    Reply,
    StockServer,
    video_bytes,
)

ROOT = Path(__file__).parents[3]


class Build:
    def __init__(self, site: str, stock: StockServer, folder: Path) -> None:
        self.command = [sys.executable, "-m", "tests.flows.sources.stock_build"]
        self.command += [site, stock.url, str(folder), "1000"]
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        keys = {"PEXELS_API_KEY": PEXELS_KEY, "PIXABAY_API_KEY": PIXABAY_KEY}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **keys}
        self.process = subprocess.Popen(self.command, env=environment, cwd=ROOT)
        return self.process.wait(60)

    def killed_at(self, path: str) -> tuple[str, Reply]:
        """While the answer to a request for `path` is sent."""

        def answer(handler: Handler) -> None:
            handler.ordinary(cut_after=1500)
            assert self.process is not None
            os.kill(self.process.pid, signal.SIGKILL)

        return path, answer


@pytest.mark.parametrize(
    ("site", "where"),
    [
        ("pexels", "/v1/videos/search?query=dogs&per_page=80&page=2"),
        ("pixabay", "/files/1002/"),
    ],
)
def test_a_build_that_is_killed(
    site: str, where: str, stock: StockServer, tmp_path: Path, monkeypatch: Any
) -> None:
    stock.results[:] = range(1000, 1006 if site == "pixabay" else 1085)
    build = Build(site, stock, tmp_path)
    stock.scripted.append(build.killed_at(where))
    assert build.run() == -signal.SIGKILL
    assert build.run() == 0
    again = [path for path, times in Counter(stock.requests).items() if times > 1]
    assert len(again) == 1 and again[0].startswith(where)
    media = tmp_path / "media"
    assert sorted(path.name for path in media.iterdir()) == [
        f"{site}-{video}.mp4" for video in stock.results
    ]
    for video in stock.results:
        expected = video_bytes(f"/files/{video}/qhd.mp4", stock.size)
        assert (media / f"{site}-{video}.mp4").read_bytes() == expected
    asked = len(stock.requests)
    assert build.run() == 0
    assert len(stock.requests) == asked
