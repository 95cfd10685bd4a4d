"""How a build's own costs grow with it: the driver's memory and the time per clip, from 100 clips
to 10 000, and how four Ray workers share sleep-bound records.

    python infra/bench/builds/scale.py grow [--clips 100 1000 10000] [--runner ray]
    python infra/bench/builds/scale.py ray [--clips 64]

Records are synthetic (infra/bench/builds/scale_stages.py): no model, no pixel, and so what is
measured is the build: Prefect, the journal, the tables, the driver. Each build is a process of its
own that made a smaller one first, so that imports, servers and caches do not count. Memory is the
driver's resident set: on threads the worker's too, on Ray its own. A finished build is resumed
twice: by the same command, which finds its outcome, and with that forgotten, from the journal.
The result is in infra/bench/results/scale.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

WARM = 64
"""Clips of the build that a measured one is preceded by."""

WARM_ASLEEP = 8
"""The same, where records sleep: enough for each of four workers to have run every stage."""

RECIPE = """
name: {name}
seed: 1
sources: [{{kind: folder, path: {videos}, licence: CC0-1.0}}]
clips: {{max_frames: 49, min_frames: 33, per_source: 1}}
plan: {{edits_per_clip: 1, swaps_per_clip: 1, frames: 33, weights: {{deblur: 1, object_swap: 1}}}}
run: {{shard_size: {shard}, workers: {workers}, runner: {runner}}}
"""


def footage(folder: Path, count: int) -> None:
    """Files that only their names and contents tell apart."""
    folder.mkdir(parents=True)
    for k in range(count):
        (folder / f"{k:06}.mp4").write_text(f"{folder.name} {k} " + "." * (k % 997))


class Memory:
    """This process's resident set, MiB, sampled while open: at the start, the most, at the end; and
    the most of it that no file stands behind, which a system short of memory cannot take away."""

    def __enter__(self) -> Memory:
        self._ended = threading.Event()
        self.most = self.anonymous = 0.0
        self.first = self.last = self._now()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.last = self._now()

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            self._now()

    def _now(self) -> float:
        used = psutil.Process().memory_info()
        self.anonymous = max(self.anonymous, (used.rss - used.shared) / 2**20)
        self.most = max(self.most, used.rss / 2**20)
        return used.rss / 2**20


def cores() -> float:
    """Core-seconds of this process and its children, Prefect's server among them, so far."""
    own = psutil.Process()
    times = [each.cpu_times() for each in (own, *own.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def build(recipe: Path, out: Path) -> dict[str, float]:
    """Builds in this process; seconds, and MiB while its shards were made and in all."""
    from flows import build as building
    from flows.request import finished, request
    from flows.runtime.context import context
    from flows.runtime.orchestration.server import OrchestrationServer

    begun = time.monotonic()
    asked = request(str(recipe), out)
    ctx = context(out, asked.recipe)
    if finished(ctx, asked) is not None:
        return {"found": time.monotonic() - begun}
    connection = OrchestrationServer(None).connect(ctx.stop, print)
    made: dict[str, float] = {}
    make = building._make
    work, works = building.Work, []

    def kept(*given: object) -> object:
        works.append(work(*given))  # type: ignore[arg-type]
        return works[-1]

    def measured(*given: object) -> None:
        start, spent = time.monotonic(), cores()
        with Memory() as memory:
            make(*given)  # type: ignore[arg-type]
        made.update(
            making=time.monotonic() - start,
            cores=cores() - spent,
            most=memory.most,
            anonymous=memory.anonymous,
            first=memory.first,
            last=memory.last,
        )

    building.Work = kept  # type: ignore[assignment,misc]
    building._make = measured  # type: ignore[assignment]
    try:
        with Memory() as memory:
            outcome = building.run(ctx, asked, connection)
    finally:
        building._make, building.Work = make, work  # type: ignore[misc]
    stats = ctx.stats.in_order
    own = sum(stage.besides for stage in stats)
    return {
        **made,
        "whole": time.monotonic() - begun,
        "most_in_all": memory.most,
        "pairs": outcome.totals["made"],
        "failed": sum(stage.failed for stage in stats),
        "reused": sum(stage.reused for stage in stats),
        "own": own,
        "own_a_task": own / max(works[0].submitted, 1),
    }


def one(folder: Path, clips: int, runner: str, workers: int, shard: int, name: str) -> None:
    """A measured build, in this process, after a small one; prints its figures as JSON."""
    from flows.release import pairs as release_pairs
    from infra.bench.builds import scale_stages

    scale_stages.use()
    if runner == "ray":  # its start is no part of what workers share
        import ray

        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    release_pairs.write_report = lambda out, *_, **__: Path(out).write_text("")  # type: ignore
    small = folder / f"warm-{time.monotonic_ns()}"
    warm = WARM_ASLEEP if name.startswith(scale_stages.ASLEEP) else WARM
    for videos, count in ((small / "videos", warm), (folder / "videos", clips)):
        if not videos.is_dir():
            footage(videos, count)
        recipe = videos.parent / "recipe.yaml"
        recipe.write_text(
            RECIPE.format(name=name, videos=videos, shard=shard, workers=workers, runner=runner)
        )
        figures = build(recipe, videos.parent / "catalog")
    print(json.dumps({"clips": clips, **{k: round(v, 3) for k, v in figures.items()}}), flush=True)


def child(folder: Path, clips: int, **how: object) -> dict[str, float]:
    """:func:`one` in a process of its own."""
    options = [f"--{key}={value}" for key, value in how.items()]
    command = [sys.executable, __file__, "one", f"--folder={folder}", f"--clips={clips}", *options]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    line = told.strip().splitlines()[-1]
    print(line, flush=True)
    found: dict[str, float] = json.loads(line)
    return found


def forget_outcome(catalog: Path) -> None:
    """The build must be carried out again, from its journal."""
    (catalog / "report.html").unlink()


def grow(sizes: list[int], shard: int, runner: str, resume: bool) -> None:
    """Builds of these sizes, each made, found and resumed."""
    how = {"shard": shard, "runner": runner}
    made = {}
    for clips in sizes:
        with tempfile.TemporaryDirectory(prefix="editmill-scale-") as temporary:
            folder = Path(temporary)
            made[clips] = child(folder, clips, **how)
            if resume:
                child(folder, clips, **how)
                forget_outcome(folder / "catalog")
                child(folder, clips, **how)
    least, most = made[min(sizes)], made[max(sizes)]
    per_clip = [each["making"] / each["clips"] for each in (most, least)]
    print(
        f"{min(sizes)} to {max(sizes)} clips: memory {most['most'] / least['most']:.3f} of before, "
        f"time per clip {per_clip[0] / per_clip[1]:.3f}"
    )


def ray(clips: int, hundredths: int, times: int) -> None:
    """One worker and four, alternating, each so many times."""
    seconds: dict[int, list[float]] = {1: [], 4: []}
    for _ in range(times):
        for workers, taken in seconds.items():
            with tempfile.TemporaryDirectory(prefix="editmill-scale-") as temporary:
                how = {"runner": "ray", "workers": workers, "shard": 4}
                how |= {"name": f"sleep-{hundredths}"}
                taken.append(child(Path(temporary), clips, **how)["making"])
    one_worker, four = (statistics.median(seconds[n]) for n in (1, 4))
    print(f"four workers: {one_worker / four:.2f} times one")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("grow", "ray", "one"))
    parser.add_argument("--clips", type=int, nargs="+", default=[])
    parser.add_argument("--shard", type=int, default=32)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--runner", default="threads")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--name", default="awake")
    parser.add_argument("--hundredths", type=int, default=50)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--no-resume", action="store_true")
    given = parser.parse_args()
    if given.what == "one":
        one(given.folder, *given.clips, given.runner, given.workers, given.shard, given.name)
    elif given.what == "ray":
        ray(*(given.clips or [64]), given.hundredths, given.times)
    else:
        grow(given.clips or [100, 1000, 10_000], given.shard, given.runner, not given.no_resume)


if __name__ == "__main__":
    main()
