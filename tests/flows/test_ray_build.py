"""A build on a Ray cluster makes what one on threads makes, though workers are killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from numpy.typing import NDArray

import catalog
from catalog.media import write_video

pytest.importorskip("ray")

REPOSITORY = Path(__file__).parents[2]

RECIPE = """
name: on-workers
seed: 1
sources: [{{kind: folder, path: {videos}, licence: CC0-1.0}}]
footage: {{duplicates: false}}
clips: {{max_frames: 33, per_source: 1}}
annotate: {{keyframe_seconds: 2.0, max_objects: 1}}
plan:
  edits_per_clip: 2
  long_side: 256
  frames: 17
  weights: {{colorization: 1, deblur: 1, inpainting: 1}}
run: {{shard_size: 1, runner: {runner}}}
"""

MADE_ANEW = ("created", "seconds")


def build(folder: Path, runner: str) -> subprocess.Popen[str]:
    recipe = folder / f"{runner}.yaml"
    recipe.write_text(RECIPE.format(videos=folder / "videos", runner=runner))
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "build", str(recipe), "--out", str(folder / runner)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def at_work(build: subprocess.Popen[str], stage: str, seconds: float = 300) -> psutil.Process:
    """A worker that is at the stage."""
    for _ in range(round(seconds / 0.05)):
        assert build.poll() is None, build.stdout and build.stdout.read()
        for process in psutil.Process(build.pid).children(recursive=True):
            try:
                if process.cmdline()[:1] == [f"ray::{stage}"]:
                    return process
            except psutil.Error:
                continue
        time.sleep(0.05)
    raise AssertionError(f"no worker came to {stage}")


def pairs(root: Path) -> pl.DataFrame:
    rows = catalog.open(root).table("pairs").collect().sort("pair_id")
    return rows.drop([name for name in MADE_ANEW if name in rows.columns])


@pytest.mark.timeout(900)
def test_it_is_the_build_on_threads(
    tmp_path: Path, scene: Callable[..., NDArray[np.uint8]]
) -> None:
    (tmp_path / "videos").mkdir()
    for k in range(2):
        frames = scene(36, 160, 240)
        write_video(tmp_path / "videos" / f"{k}.mp4", frames[:, :, :: (1, -1)[k]], fps=25)
    on_threads = build(tmp_path, "threads")
    assert on_threads.wait() == 0
    on_workers = build(tmp_path, "ray")
    for stage in ("annotate", "judge"):
        at_work(on_workers, stage).send_signal(signal.SIGKILL)
    told, _ = on_workers.communicate(timeout=600)
    assert on_workers.returncode == 0, told
    made = pairs(tmp_path / "ray")
    assert len(made) >= 2
    assert made.equals(pairs(tmp_path / "threads"))
