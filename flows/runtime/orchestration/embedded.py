"""Prefect's embedded server, a program of its own that `flows.runtime.orchestration.server` starts:

    python -P prefect_server.py FOLDER TEMPLATE FD

It serves on the listening socket FD, keeps its database in FOLDER, and says READY on stdout once it
answers, or one line that tells why it cannot. It ends, and removes FOLDER, when its stdin ends: so
it never outlives the process that holds the other end, however that came to its end. Signals are
that process's affair. Nothing of editmill is imported, so only Prefect must be found.

A database takes seconds to migrate from nothing, so TEMPLATE keeps a migrated one.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import socket
import sqlite3
import sys
import threading
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

READY = "ready"
DATABASE = "prefect.db"


def _end_with_parent(folder: Path) -> None:
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _usable(template: Path) -> bool:
    """Whether the file holds a migrated database, whole."""
    try:
        with closing(sqlite3.connect(f"{template.as_uri()}?mode=ro", uri=True)) as database:
            version = database.execute("select version_num from alembic_version").fetchall()
            return bool(version) and database.execute("pragma quick_check").fetchone() == ("ok",)
    except sqlite3.Error:
        return False


async def _make_database(folder: Path, template: Path) -> None:
    path = folder / DATABASE
    if path.is_file():  # the server was started again
        return
    if _usable(template):
        shutil.copyfile(template, path)
        return
    from prefect.server.database import provide_database_interface

    await provide_database_interface().create_db()
    written = template.with_name(f"{template.name}.{os.getpid()}")
    with suppress(OSError, sqlite3.Error):  # it only saves time
        with closing(sqlite3.connect(path)) as database:
            database.execute("vacuum into ?", (str(written),))
        written.replace(template)


async def _serve(folder: Path, template: Path, listening: socket.socket) -> None:
    gc.disable()  # imports make objects to stay: looking for garbage is a quarter of their time
    import uvicorn
    from prefect.server.api import server

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            gc.enable()
            print(READY, flush=True)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    await _make_database(folder, template)
    gc.freeze()  # Prefect looks for garbage as it makes its app
    server.background_worker = _no_background_work
    app: Any = server.create_app(ephemeral=True, final=True)
    async with app.router.lifespan_context(app):
        config = uvicorn.Config(app, lifespan="off", log_level="critical", access_log=False)
        await Server(config).serve([listening])


@asynccontextmanager
async def _no_background_work(*_: Any, **options: Any) -> AsyncIterator[None]:
    """In place of Prefect's worker of schedules, deployments and vacuums, of which there are none
    here: to look for them ten times a second takes a build 4 % of a core."""
    yield


def _reason(error: BaseException) -> str:
    message = str(getattr(error, "orig", None) or error).strip()  # SQLAlchemy adds the statement
    return " ".join(message.split()) or type(error).__name__


def main() -> None:
    folder, template, descriptor = sys.argv[1:]
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(Path(folder),), daemon=True).start()
    listening = socket.socket(fileno=int(descriptor))
    try:
        asyncio.run(_serve(Path(folder), Path(template), listening))
    except BaseException as error:
        print(_reason(error), flush=True)
        os._exit(1)


if __name__ == "__main__":
    main()
