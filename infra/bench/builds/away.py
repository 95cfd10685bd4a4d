"""Takes a catalog's storage away in the middle of a build, and compares what comes of it.

    python infra/bench/builds/away.py --seconds 60  # on the S3 gateway of a lakeFS, and on lakeFS

The server is killed while records are made and started again after so many seconds. The build must
end by itself as one does in a folder that nobody disturbed: the same rows, media hashes, scores and
verdicts included. What was seen is in infra/bench/results/kills.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from infra.bench.builds.kills import Builds, difference, footage
from tests.servers import LakefsServer, running_lakefs

RECORDS = 2
"""Made before the storage goes: most of the build is still to come."""


def storages(server: LakefsServer) -> list[str]:
    """An empty catalog on the server's S3 gateway and one on lakeFS itself."""
    return [f"s3://{server.repository()}/main/catalog", f"lakefs://{server.repository()}"]


def differs(folder: Path, server: LakefsServer, uri: str, clips: int, seconds: float) -> list[str]:
    """What differs between a build in `folder` that nobody disturbed and one at `uri` whose storage
    was away for so long. The environment says how to reach the server."""
    footage(folder / "videos", clips)
    whole, broken = Builds(folder, "undisturbed", "threads"), Builds(folder, "away", "threads", uri)
    whole.finish()
    build = broken.start()
    while build.is_alive() and len(broken.made()) < RECORDS:
        time.sleep(0.05)
    if not build.is_alive():
        return [f"the build ended before its storage went:\n{broken.log()}"]
    server.stop()
    time.sleep(seconds)
    server.start()
    build.join()
    if build.exitcode:
        return [f"the build failed:\n{broken.log()}"]
    return difference(whole.out, broken.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clips", type=int, default=4)
    options = parser.parse_args()
    failed = False
    with (
        tempfile.TemporaryDirectory() as temporary,
        running_lakefs(Path(tempfile.mkdtemp())) as server,
    ):
        os.environ |= server.s3_environment() | server.lakefs_environment()
        for uri in storages(server):
            kind = uri.partition(":")[0]
            os.environ["EDITMILL_STORAGE_CACHE"] = str(Path(temporary) / f"{kind} cache")
            folder = Path(temporary) / kind
            folder.mkdir()
            found = differs(folder, server, uri, options.clips, options.seconds)
            print(f"{kind}, {options.seconds:.0f} s away: {'; '.join(found) or 'equal rows'}")
            failed = failed or bool(found)
    sys.exit(failed)


if __name__ == "__main__":
    main()
