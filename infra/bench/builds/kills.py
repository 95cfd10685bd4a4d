"""Kills a build at random instants, restarts it, and compares it with one that nobody disturbed.

    python infra/bench/builds/kills.py --kills 50               # the driver, on threads
    python infra/bench/builds/kills.py --kills 50 --runner ray  # the driver, or one of its workers

SIGKILL comes at random instants spread over the records, or before anything is done. Every build is
a process of its own, forked from one that has imported all it needs, and by default all report to
one Prefect server: so a restart takes a second or two of a core, and most kills meet records in the
making. With `--own-server` each starts its own, as `editmill build` does. In the end the
tables must have the same rows, media hashes, scores and verdicts included, and no row besides; and
a record may have been made again only if it was in hand when a kill came. What is counted as made
is what a stage gave to the journal, in whichever process.
What was seen is in infra/bench/results/kills.md.
"""

from __future__ import annotations

import argparse
import atexit
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import catalog
from catalog.media import write_video
from catalog.products import ProductPage
from flows import build
from flows.recipe import Recipe
from flows.request import request
from flows.runtime.context import context
from flows.runtime.orchestration.server import Embedded, OrchestrationServer
from flows.runtime.results import journal
from flows.runtime.running.runner import Runner, runner_for

TABLES = ("sources", "clips", "tracks", "plans", "pairs", "scores", "failures")
MADE_ANEW = ("created", "seconds")
"""Columns that differ between any two builds."""

IN_STARTUP = 0.2
"""Share of the kills that come before a build has done anything."""

STARTUP_SECONDS = 5.0

SPREAD = 0.8
"""Share of the records over which the kills are spread: some are made while one is on its way."""

RAYS_OWN = ("ray::Dash", "ray::Runtime")
"""Processes of a Ray node that are no workers; without them the node ends."""

RECIPE = """
name: killed
seed: 1
sources: [{{kind: folder, path: {videos}, licence: CC0-1.0}}]
footage: {{duplicates: false}}
clips: {{max_frames: 33, per_source: 1}}
annotate: {{keyframe_seconds: 2.0, max_objects: 1}}
plan:
  edits_per_clip: 4
  long_side: 256
  frames: 17
  weights: {{colorization: 1, deblur: 1, inpainting: 1, outpainting: 1, upscaling: 1}}
run: {{shard_size: 1, runner: {runner}}}
"""


TOLD = "EDITMILL_BENCH_TOLD"
"""The variable by which a worker's process knows where to tell what is made in it."""


def tell_what_is_made() -> None:
    """From now on, this process writes a line for each product of a stage: stage, page and key."""
    told, save = Path(os.environ[TOLD]), journal._Saving.save

    def telling(self: Any, page: ProductPage, products: dict[str, Any]) -> None:
        save(self, page, products)
        lines = [json.dumps([page._stage, page._name, key]) for key in products]
        with told.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))

    journal._Saving.save = telling  # type: ignore[method-assign]


def _runner_for(recipe: Recipe, workers: int) -> Runner:
    """The recipe's runner, whose workers tell what is made in them."""
    found = runner_for(recipe, workers)
    if found.remote:
        hook = "infra.bench.builds.kills.tell_what_is_made"
        found.tasks.init_kwargs["runtime_env"] = {"worker_process_setup_hook": hook}  # type: ignore[attr-defined]
    return found


PRELOADED = ("__main__", "flows.runtime.running.ray")
"""What a build's process has imported when it begins; nothing of it has started a thread."""


def drive(
    recipe: str,
    out: str,
    told: Path,
    log: Path,
    server: str | None,
    environment: Mapping[str, str],
) -> None:
    """Carries the build out and writes a line for each record made."""
    os.setsid()  # Ctrl-C is for the bench
    os.environ.update(environment)
    with log.open("ab") as printed:
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
    os.environ |= {TOLD: str(told), "PYTHONPATH": sys.path[0]}  # of workers, too
    tell_what_is_made()
    build.runner_for = _runner_for
    asked = request(recipe, out)
    ctx = context(out, asked.recipe)
    build.run(ctx, asked, OrchestrationServer(server).connect(ctx.stop, print))


class Builds:
    """Runs of one build, in processes of their own, into the catalog `out`, by default one in
    `folder`. `told` has a line per record made. `server` is the address of the Prefect server that
    they report to; None: each has its own."""

    def __init__(
        self, folder: Path, name: str, runner: str, out: str = "", server: str | None = None
    ) -> None:
        self.out, self.told = out or str(folder / name), folder / f"{name}.told"
        self._recipe, self._log = folder / f"{name}.yaml", folder / f"{name}.log"
        self._recipe.write_text(RECIPE.format(videos=folder / "videos", runner=runner))
        self._server = server
        self.told.touch()
        self._log.touch()
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(list(PRELOADED))

    def start(self) -> BaseProcess:
        given = (str(self._recipe), self.out, self.told, self._log, self._server)
        process = self._processes.Process(target=drive, args=(*given, dict(os.environ)))
        process.start()
        atexit.register(process.kill)  # it has a session of its own
        return process

    def made(self) -> list[tuple[str, str, str]]:
        """Stage, page and key of what was made so far, again if it was made again."""
        return [tuple(json.loads(line)) for line in self.told.read_text().splitlines()]

    def finish(self) -> None:
        """Builds to the end."""
        process = self.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"the build failed:\n{self.log()}")

    def log(self) -> str:
        """The end of what the builds printed."""
        return self._log.read_text()[-2000:]


@contextmanager
def prefect_server() -> Iterator[str]:
    """The address of one that runs meanwhile."""
    server = Embedded()
    server.wait()
    try:
        yield server.url
    finally:
        server.close()


def footage(folder: Path, count: int) -> None:
    """Synthetic videos: soft clouds under a moving camera, which nobody takes for a screen."""
    folder.mkdir()
    for k in range(count):
        rng = np.random.default_rng(k)
        octaves = [rng.uniform(0, 1, (5 * n, 11 * n, 3)) / n for n in (1, 2, 4, 8)]
        clouds = sum(cv2.resize(one, (880, 400), interpolation=cv2.INTER_CUBIC) for one in octaves)
        picture = np.clip(80 * clouds + 40, 0, 255).astype(np.uint8)
        frames = np.stack([picture[2 * t : 2 * t + 160, 3 * t : 3 * t + 256] for t in range(36)])
        write_video(folder / f"{k:02}.mp4", frames, fps=25)


def kill(process: BaseProcess, dice: random.Random) -> str:
    """Kills the driver or, where it has some, a worker; which of them."""
    workers = [
        each
        for each in psutil.Process(process.pid).children(recursive=True)
        if each.name().startswith("ray::") and not each.name().startswith(RAYS_OWN)
    ]
    if workers and dice.random() < 0.5:
        dice.choice(workers).send_signal(signal.SIGKILL)
        return "worker"
    process.kill()
    process.join()
    return "driver"


def disturbed(builds: Builds, kills: int, records: int, dice: random.Random) -> Counter[str]:
    """Runs a build of so many records until it was killed so often, and then to its end; what was
    killed. The kills are spread over the records, each up to a second after one of them."""
    killed: Counter[str] = Counter()
    while killed.total() < kills:
        process, due = builds.start(), _due(builds, kills - killed.total(), records, dice)
        while process.is_alive():
            if due():
                made = builds.made()
                which = kill(process, dice)
                killed[which] += 1
                after = made[-1][0] if made else "nothing"
                print(f"kill {killed.total()} of {kills}: {which}, after {after}", flush=True)
                if killed.total() == kills and which == "worker":
                    break  # the build goes on without it
                due = _due(builds, kills - killed.total(), records, dice)
            time.sleep(0.02)
        process.join()
        if process.exitcode not in (0, -signal.SIGKILL):
            raise SystemExit(f"the build failed by itself:\n{builds.log()}")
        if process.exitcode == 0 and killed.total() < kills:
            raise SystemExit("the build ended before it was killed often enough; use more clips")
    builds.finish()
    return killed


def _due(builds: Builds, kills: int, records: int, dice: random.Random) -> Callable[[], bool]:
    """Whether the next kill is due: some seconds from now, or after some of the records left."""
    if dice.random() < IN_STARTUP:
        then = time.monotonic() + dice.uniform(0, STARTUP_SECONDS)
        return lambda: time.monotonic() >= then
    made = len(set(builds.made()))
    goal = made + SPREAD * dice.uniform(0, (records - made) / max(kills, 1))
    pause, reached = dice.random(), 0.0

    def due() -> bool:
        nonlocal reached
        if not reached and len(set(builds.made())) >= goal:
            reached = time.monotonic()
        return bool(reached) and time.monotonic() - reached >= pause

    return due


def difference(one: str, other: str) -> list[str]:
    """What of the tables' rows differs between two catalogs, which must have some."""
    found = [] if len(_rows(one, "pairs")) else ["there are no pairs to compare"]
    for table in TABLES:
        rows = [_rows(root, table) for root in (one, other)]
        if not rows[0].equals(rows[1]):
            found.append(f"{table}: {len(rows[0])} rows against {len(rows[1])}")
    return found


def _rows(root: str, table: str) -> pl.DataFrame:
    rows = catalog.open(root).table(table).collect()
    rows = rows.drop([name for name in MADE_ANEW if name in rows.columns])
    return rows.select(sorted(rows.columns)).sort(rows.columns[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--runner", choices=("threads", "ray"), default="threads")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--own-server", action="store_true", help="of each build")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    with (
        tempfile.TemporaryDirectory() as temporary,
        nullcontext() if options.own_server else prefect_server() as server,
    ):
        folder = Path(temporary)
        footage(folder / "videos", options.clips)
        whole = Builds(folder, "undisturbed", options.runner, server=server)
        whole.finish()
        print(f"undisturbed: {len(whole.made())} records", flush=True)
        broken = Builds(folder, "killed", options.runner, server=server)
        killed = disturbed(broken, options.kills, len(whole.made()), random.Random(options.seed))
        differs = difference(whole.out, broken.out)
        made = Counter(broken.made())
        again = sum(made.values()) - len(made)
        print(f"killed: {dict(killed)}")
        print(f"records made: {len(made)}; made again after a kill: {again}")
        print(f"rows that differ: {'; '.join(differs) or 'none'}")
        sys.exit(bool(differs))


if __name__ == "__main__":
    main()
