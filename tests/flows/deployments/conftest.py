"""A Prefect server with an empty database, and footage that is built in seconds."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from catalog import media
from flows.runtime.orchestration import settings as prefect_settings
from tests.flows.deployments.prefect_server import PrefectServer, answers, kill, migrated, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One for the module; afterwards this process has the settings it had before."""
    before = dict(os.environ)
    folder = migrated(tmp_path_factory.mktemp("prefect"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = PrefectServer(f"http://127.0.0.1:{port}/api", folder)
    process = running.prefect("server", "start", "--host", "127.0.0.1", "--port", str(port))
    try:
        until(lambda: process.poll() is not None or answers(running.url))
        assert process.poll() is None, (folder / "server.log").read_text()[-2000:]
        prefect_settings.apply(running.url)
        yield running
    finally:
        kill(process)
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
        prefect_settings._read()


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of noise that drifts: sharp enough to be blurred, with nothing to detect."""
    folder = tmp_path_factory.mktemp("footage")
    for seed in range(2):
        rng = np.random.default_rng(seed)
        wide = rng.integers(0, 255, (12, 40, 3), np.uint8).repeat(10, 0).repeat(10, 1)
        frames = np.stack([wide[:96, 2 * t : 2 * t + 160] for t in range(36)])
        media.write_video(folder / f"noise{seed}.mp4", frames, 25.0)
    return folder


@pytest.fixture(scope="module")
def recipe(footage: Path) -> Path:
    """A recipe that takes seconds: a pair of each clip, one after the other."""
    path = footage.parent / f"{footage.name}.yaml"
    path.write_text(
        f"name: tiny\nsources: [{{kind: folder, path: {footage}}}]\n"
        "annotate: {keyframe_seconds: 1.5}\n"  # there is nothing to detect
        "plan: {edits_per_clip: 1, frames: 8, long_side: 128, weights: {deblur: 1}}\n"
        "run: {workers: 1, shard_size: 1}\n"
    )
    return path
