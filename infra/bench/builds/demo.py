"""The demo's time: to the first judged pair, to the end, core-seconds by stage, memory.

    python infra/bench/builds/demo.py [--recipe embedded] [--before CHECKOUT] [--out FOLDER]

Each state builds the recipe once in an empty folder, one after the other, with what it needs
fetched before. `--before` names a checkout of an earlier state to compare with. Core-seconds are
the user and system time of the command and all its children; a stage's are the wall time of its
records summed over workers, which is core time where no stage waits for a core.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[3]
POLL_SECONDS = 1.0


def first_pair(out: Path, started: float, found: list[float], ended: threading.Event) -> None:
    """Appends the seconds after which the first judged pair was in the catalog."""
    while not ended.wait(POLL_SECONDS):
        if list((out / "tables").glob("**/pairs/*.parquet")):
            found.append(time.monotonic() - started)
            return


def build(checkout: Path, recipe: str, out: Path) -> dict[str, object]:
    """One build by the code of `checkout`, measured."""
    env = os.environ | {"PYTHONPATH": str(checkout), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [
        sys.executable,
        "-P",
        "-m",
        "flows.cli",
        "build",
        recipe,
        "--out",
        str(out),
        "--json",
    ]
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    first: list[float] = []
    ended = threading.Event()
    watcher = threading.Thread(target=first_pair, args=(out, started, first, ended))
    watcher.start()
    done = subprocess.run(
        command, cwd=checkout, env=env, stdout=subprocess.PIPE, text=True, check=True
    )
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    ended.set()
    watcher.join()
    outcome = json.loads(done.stdout)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "first_pair_seconds": round(first[0]) if first else None,
        "seconds": round(seconds),
        "core_seconds": round(used),
        "peak_gib": round(outcome["totals"]["peak_memory_mb"] / 1024, 1),
        "kept": outcome["totals"]["kept"],
        "made": outcome["totals"]["made"],
        "tasks": {line["task"]: (line["kept"], line["made"]) for line in outcome["tasks"]},
        "stages": {line["stage"]: line["seconds"] for line in outcome["stages"]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="embedded")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier state")
    parser.add_argument("--out", type=Path, help="keeps the catalogs here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.out or Path(scratch)
        states = {"before": given.before, "now": ROOT} if given.before else {"now": ROOT}
        found = {name: build(path, given.recipe, folder / name) for name, path in states.items()}
    rows = [
        {"state": name, **{k: v for k, v in row.items() if not isinstance(v, dict)}}
        for name, row in found.items()
    ]
    print(pl.DataFrame(rows))
    for name, row in found.items():
        print(name, json.dumps({"stages": row["stages"], "tasks": row["tasks"]}))


if __name__ == "__main__":
    main()
