"""Takes a server away in the middle of a build, and compares what comes of it.

    python infra/bench/builds/away.py --seconds 60

Taken away is the catalog's storage (the S3 gateway of a lakeFS, then lakeFS itself), or the Prefect
server that a build in a folder reports to. It is killed while records are made and started again
after so many seconds. The build must end by itself as one does in a folder that nobody disturbed:
the same rows, media hashes, scores and verdicts included. What was seen is in
infra/bench/results/kills.md.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from infra.bench.builds.kills import Builds, difference, footage
from tests.flows.deployments.prefect_server import PrefectServer, answers, kill, until
from tests.servers import running_lakefs

SERVERS = ("s3", "lakefs", "prefect")

RECORDS = 2
"""Made before the server goes: most of the build is still to come."""


class Server(Protocol):
    """Can be killed, and started again with all that it knew."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Prefect:
    """A Prefect server of the user's, with its database in `folder`."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}/api"
        self._server = PrefectServer(self.url, folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        at = ("--host", "127.0.0.1", "--port", self._port)
        self._process = self._server.prefect("server", "start", *at)
        until(lambda: answers(self.url))

    def stop(self) -> None:
        if self._process is not None:
            kill(self._process)


def differs(
    folder: Path,
    server: Server,
    clips: int,
    seconds: float,
    uri: str = "",
    prefect: str | None = None,
) -> list[str]:
    """What differs between a build in `folder` that nobody disturbed and one whose server was away
    for so long: one into the catalog `uri`, by default a folder, that reports to the Prefect server
    at `prefect`, by default its own. The environment says how to reach the storage."""
    footage(folder / "videos", clips)
    whole = Builds(folder, "undisturbed", "threads")
    broken = Builds(folder, "away", "threads", uri, prefect)
    whole.finish()
    build = broken.start()
    while build.is_alive() and len(broken.made()) < RECORDS:
        time.sleep(0.05)
    if not build.is_alive():
        return [f"the build ended before its server went:\n{broken.log()}"]
    server.stop()
    time.sleep(seconds)
    server.start()
    build.join()
    if build.exitcode:
        return [f"the build failed:\n{broken.log()}"]
    return difference(whole.out, broken.out)


def storage(kind: str, folder: Path, clips: int, seconds: float) -> list[str]:
    """:func:`differs` of a storage of that kind."""
    with running_lakefs(Path(tempfile.mkdtemp())) as server:
        os.environ |= server.s3_environment() | server.lakefs_environment()
        os.environ["EDITMILL_STORAGE_CACHE"] = str(folder / "cache")
        path = "/main/catalog" if kind == "s3" else ""
        return differs(folder, server, clips, seconds, f"{kind}://{server.repository()}{path}")


def prefect(folder: Path, clips: int, seconds: float) -> list[str]:
    """:func:`differs` of a Prefect server."""
    server = Prefect(folder)
    server.start()
    try:
        return differs(folder, server, clips, seconds, prefect=server.url)
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--of", nargs="+", choices=SERVERS, default=SERVERS)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        for kind in options.of:
            folder = Path(temporary) / kind
            folder.mkdir()
            how = (folder, options.clips, options.seconds)
            found = prefect(*how) if kind == "prefect" else storage(kind, *how)
            print(f"{kind}, {options.seconds:.0f} s away: {'; '.join(found) or 'equal rows'}")
            failed = failed or bool(found)
    sys.exit(failed)


if __name__ == "__main__":
    main()
