"""A real Prefect server, and what the tests do with it."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client

from flows.runtime.orchestration.client import Connection, using
from flows.runtime.orchestration.server import _template

T = TypeVar("T")
REPOSITORY = Path(__file__).parents[3]
PATIENCE = 240.0
"""Seconds for what takes a few on idle cores."""

SETTINGS = {
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",  # imports all of Kubernetes'
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S",  # between looks for a silent run
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",  # who saves one registers its type
    # What no test looks at, and keeps a database in a file busy.
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED": "false",
}


def migrated(home: Path) -> Path:
    """Prefect's home, made there; with a migrated database if one is kept, which spares a server
    some seconds."""
    home.mkdir(exist_ok=True)
    if _template().exists():
        shutil.copy(_template(), home / "prefect.db")
    return home


def until(found: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """What `found` answers as soon as that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.2)
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
    """A running server."""

    url: str
    folder: Path
    _client: SyncPrefectClient | None = None  # to open one takes 24 ms of the processor

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
        """This process's client, which asks again where the server's database is busy."""
        if self._client is None:
            self._client = get_client(sync_client=True).__enter__()
        with using(Connection(self.url, threading.Event(), print)):
            yield self._client

    def prefect(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """A `prefect` command that runs in the repository; its output is in the folder's log."""
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "prefect", *arguments],
                cwd=REPOSITORY,
                env=self.environment | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @contextmanager
    def worker(self, pool: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker of the pool."""
        started = self.prefect("worker", "start", "--pool", pool, **settings)
        try:
            yield started
        finally:
            kill(started)


def answers(url: str) -> bool:
    """Whether a server is ready there."""
    try:
        return httpx.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
