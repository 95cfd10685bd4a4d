"""The Prefect server behind a build: one of its own by default, the user's where he asks for it.

Ours is a child process (`flows.runtime.orchestration.embedded`) on a loopback socket that is bound
here, so every port may be taken, and its address is known while it still starts. It has a temporary
folder, obeys nothing of the user's surroundings, is started again should it die, and ends with this
process.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import EditmillError, one_line
from flows.runtime.orchestration import embedded as prefect_server
from flows.runtime.orchestration import settings as prefect_settings

if TYPE_CHECKING:
    from flows.runtime.orchestration.client import Connection

UNDER_WORKER = "PREFECT__FLOW_RUN_ID"
"""Set by a Prefect worker for a flow run's process, whose settings are then the worker's."""

START_SECONDS = 180.0
"""For a server that is alive: it takes 10 s on two idle cores, but a machine may be busy."""

RESTARTS = 3
"""Times that a server which died (out of memory, killed) is started again."""

FREE_BYTES = 32 << 20
"""Bytes that its folder should have free: a new database takes 5 MB."""

SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",  # imports all of Kubernetes'
    "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",  # its program does it
    # Nobody can look at its events and task runs once the build is over.
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED": "false",
}
"""The only settings of the embedded server."""

NOT_ITS = ("PREFECT_", "UVICORN_", "SSL")
"""Beginnings of variables that it does not get; it talks to nobody but us."""


class Embedded:
    """The embedded server of this process: starting once constructed, ready after `wait`."""

    def __init__(self) -> None:
        self.folder = folder()
        try:
            self._socket = socket.create_server(("127.0.0.1", 0))
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise _cannot_start(f"no port of 127.0.0.1 is to be had ({error.strerror})") from None
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"
        self.dead = ""  # why it is gone for good
        self._closing = False
        self._said = ""
        self._settled = threading.Event()  # it is ready, or dead
        self._process = self._start()
        threading.Thread(target=self._watch, name="prefect-server", daemon=True).start()
        atexit.register(self.close)

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Returns once the server answers; raises EditmillError if it can't start."""
        if not self._settled.wait(seconds):
            self.dead = f"it gave no sign for {seconds:.0f} s"
            self._process.kill()
        if self.dead:
            self.close()
            raise _cannot_start(self.dead)

    def close(self) -> None:
        """Ends the server and removes its folder."""
        self._closing = True
        try:
            self._process.kill()
            self._process.wait()
        finally:  # though a second Ctrl-C comes
            self._socket.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> subprocess.Popen[str]:
        # -P: nothing beside it, or in the working folder, is taken for a module.
        python = [sys.executable, "-P", "-W", "ignore"]
        given = [str(self.folder), str(_template()), str(self._socket.fileno())]
        return subprocess.Popen(
            [*python, prefect_server.__file__, *given],
            stdin=subprocess.PIPE,  # its end is how the server learns of ours
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=_environment(self.folder),
            pass_fds=[self._socket.fileno()],
            start_new_session=True,  # Ctrl-C is for us
            encoding="utf-8",
            errors="backslashreplace",
        )

    def _watch(self) -> None:
        """Hears what the server says until it ends, and starts it again if it once was ready."""
        for left in reversed(range(RESTARTS + 1)):
            assert self._process.stdout is not None
            for line in self._process.stdout:
                if line.strip() == prefect_server.READY:
                    self._settled.set()
                elif line.strip():
                    self._said = line.strip()
            code = self._process.wait()
            if self._closing:
                return
            if not self._settled.is_set() or not left:
                self.dead = self.dead or _why(code, self._said)
                self._settled.set()
                self._socket.close()  # so that nobody waits in its queue
                return
            self._process = self._start()


def _why(code: int, said: str) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"it was ended by {name}" + (", perhaps for memory" if name == "SIGKILL" else "")
    return one_line(said) or f"it ended with exit code {code}"


def _cannot_start(why: str) -> EditmillError:
    return EditmillError(
        f"Prefect's embedded server cannot start: {why}; mend that (TMPDIR says where it works), "
        "or use a server of your own with --server"
    )


def folder() -> Path:
    """A new folder for a server: the system's temporary one is local and swept; else in our cache.

    Raises EditmillError where neither can be written or has space.
    """
    found = []
    for parent in (tempfile.gettempdir, prefect_settings.home):
        try:
            place = Path(parent())
            place.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(place).free < FREE_BYTES:
                found.append(f"the disk of {place} is full")
                continue
            return Path(tempfile.mkdtemp(prefix="editmill-prefect-", dir=place))
        except OSError as error:
            found.append(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
    raise _cannot_start(", ".join(found))


def _template() -> Path:
    """Where a migrated database is kept between builds."""
    return prefect_settings.home() / f"database-{importlib.metadata.version('prefect')}.db"


def _environment(folder: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(NOT_ITS) and not name.lower().endswith("_proxy")
    }
    # TMPDIR: SQLite's temporary files, too
    own = {"PREFECT_HOME": str(folder), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    return kept | SETTINGS | own


_embedded: Embedded | None = None
_lock = threading.Lock()


def _our_server() -> Embedded:
    """This process's, started on first use and again where it died."""
    global _embedded
    with _lock:
        if _embedded is None or _embedded.dead:
            _embedded = Embedded()
        return _embedded


def _in_flow_run() -> bool:
    """Whether Prefect runs us: then it is set up, and its server is chosen."""
    if "prefect.context" not in sys.modules:
        return False
    from prefect.context import FlowRunContext

    return FlowRunContext.get() is not None


class OrchestrationServer:
    """What a build reports to. Construct it early: the server starts beside the other imports.

    `asked` is the user's wish: an URL, a profile of his or `profile` (the one in use); None for a
    server of our own. Within a flow run it is that run's server, whatever is asked.
    """

    def __init__(self, asked: str | None = None) -> None:
        """Raises EditmillError where a server of the user's does not answer, before his build
        takes the time of other imports."""
        self._embedded: Embedded | None = None
        if os.environ.get(UNDER_WORKER) or _in_flow_run():
            from prefect.settings import get_current_settings

            self.url = get_current_settings().api.url or ""  # "": Prefect starts one by itself
            return
        if asked is None:
            self._embedded = _our_server()
            self.url = self._embedded.url
            prefect_settings.apply(self.url)
            return
        self.url, theirs = prefect_settings.users_server(asked)
        prefect_settings.apply(self.url, theirs)
        from flows.runtime.orchestration.client import check  # Prefect is set up by now

        check(self.url)

    def connect(self, stop: threading.Event, tell: Callable[[str], None]) -> Connection:
        """A build's connection to the server, once it is there.

        Raises EditmillError if it can't start.
        """
        from flows.runtime.orchestration.client import Connection

        if self._embedded is not None:
            self._embedded.wait()
        return Connection(self.url, stop, tell, self._embedded)
