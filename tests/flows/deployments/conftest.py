"""A real Prefect server and real process workers."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import numpy as np
import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client

from catalog import media
from flows.runtime.orchestration import settings as prefect_settings
from flows.runtime.orchestration.client import Connection, using
from flows.runtime.orchestration.server import _template

T = TypeVar("T")
REPOSITORY = Path(__file__).parents[3]
PATIENCE = 240.0
"""Seconds for what takes a few on idle cores."""

SETTINGS = {
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    # What no test looks at, and keeps a database in a file busy.
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
}


def until(found: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """What `found` answers as soon as that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds:.0f} s")


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the process and all that it started."""
    if process.poll() is None:
        family = [*psutil.Process(process.pid).children(recursive=True), process]
        for each in family:
            each.kill()
        psutil.wait_procs(family[:-1], timeout=10)
        process.wait()


@dataclass
class PrefectServer:
    """A running server; its workers end with it."""

    url: str
    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that talks to it, without the settings that other tests leave behind."""
        kept = {name: value for name, value in os.environ.items() if "PREFECT_" not in name}
        ours = {
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_HOME": str(self.folder),
            "PREFECT_API_URL": self.url,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
        }
        return kept | ours | SETTINGS

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        """A client that asks again where the server's database is busy."""
        patient = using(Connection(self.url, threading.Event(), print))
        with patient, get_client(sync_client=True) as client:
            yield client

    def prefect(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A `prefect` command that runs in the repository; its output is in the folder's log."""
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "prefect", *arguments],
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @contextmanager
    def worker(self, pool: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker of the pool."""
        started = self.prefect("worker", "start", "--pool", pool)
        try:
            yield started
        finally:
            kill(started)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One for the module; afterwards this process has the settings it had before."""
    before = dict(os.environ)
    folder = tmp_path_factory.mktemp("prefect")
    if _template().exists():  # migrated already: spares the server some seconds
        shutil.copy(_template(), folder / "prefect.db")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = PrefectServer(f"http://127.0.0.1:{port}/api", folder)
    process = running.prefect("server", "start", "--host", "127.0.0.1", "--port", str(port))
    try:
        until(lambda: process.poll() is None and _answers(running.url))
        prefect_settings.apply(running.url)
        yield running
    finally:
        kill(process)
        os.environ.clear()
        os.environ.update(before)
        prefect_settings._read()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


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
        "plan: {edits_per_clip: 1, frames: 8, long_side: 128, weights: {deblur: 1}}\n"
        "run: {workers: 1, shard_size: 1}\n"
    )
    return path
