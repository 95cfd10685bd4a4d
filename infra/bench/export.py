"""Exporting beside a plain copy of the same files: `cp`, as many at once as there are cores.

    python infra/bench/export.py [--pairs 600] [--megabytes 1.0] [--runs 5] [--work FOLDER]

Makes a catalog of pairs whose media are MP4s filled up with random bytes (nothing is decoded where
nothing is encoded anew), then copies and exports by turns, into new folders on the same disk: the
media by `cp`, the export with copies, and the export with hard links, each from a release whose
recipe says `credentials: false` and from one whose generated videos are signed. The page cache is
asked to drop the media before each run, and each run ends with a sync, so that the disk is measured
and not the memory. Figures are medians over the runs, ratios those of the same run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import catalog
from catalog.export.formats import format_named
from catalog.export.run import export
from catalog.media import write_video
from catalog.records import Pair
from catalog.releases import Catalog

FORMATS = ("huggingface", "senorita", "webdataset")
"""Formats that take media as they are: folders with an index of Parquet or JSON, and tars."""


RELEASES = {"unsigned": '{"credentials": false}', "signed": "{}"}
"""Releases of the same pairs, and their recipes."""


def make_catalog(root: Path, pairs: int, megabytes: float) -> Catalog:
    """`pairs` kept pairs of two videos of about this size each, in both releases."""
    dataset = catalog.open(root, create=True)
    write_video(root / "tiny.mp4", np.zeros((2, 16, 16, 3), np.uint8), 24.0)
    start = (root / "tiny.mp4").read_bytes()
    random = np.random.default_rng(0)
    rows = []
    for number in range(pairs):
        refs = []
        for _ in ("source", "target"):
            size = int(megabytes * 1e6 * random.uniform(0.5, 1.5))
            with dataset.media.writing(".mp4") as draft:
                box = (8 + size).to_bytes(
                    4, "big"
                ) + b"mdat"  # that no track points to; it is hashed
                draft.path.write_bytes(start + box + random.bytes(size))
            refs.append(draft.ref)
        rows.append(_pair(number, *refs))
    dataset.tables.put("pairs", {"bench": rows})
    for tag, recipe in RELEASES.items():
        dataset.release(tag, recipe)
    return dataset


def _pair(number: int, source: str, target: str) -> Pair:
    size = {"width": 592, "height": 336, "frames": 33, "fps": 24.0}
    return Pair(
        pair_id=hashlib.sha256(str(number).encode()).hexdigest()[:32], clip_id="clip",
        source_id=f"source {number % 40}", task="object_removal", label="car",
        instruction="Remove the car.", enhanced_instruction="", instruction_by="template",
        instruction_model="", prompt="", negative_prompt="", target_prompt="", caption="",
        source_video=source, target_video=target, mask="", generated_side="target",
        expert="remover", expert_version="1", seed=0, params={}, track_id="", first_frame=0,
        **{f"{side}_{k}": v for side in ("source", "target") for k, v in size.items()},
        source_uri="file:clip", licence="CC0-1.0", keep=True, reason="", quality_score=0.9,
        quality_reason="", alignment_score=None, alignment_reason="", subtle_score=0.5,
        subtle_reason="", filter_versions={},
    )  # fmt: skip


def forget(files: list[Path]) -> None:
    """Ask the page cache to drop these files."""
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(action: Callable[[Path], object], files: list[Path], work: Path) -> tuple[float, float]:
    """Seconds of `action(folder)` and of the sync after it, and its core-seconds, which a busy
    machine changes less; the folder is removed again."""
    folder = Path(tempfile.mkdtemp(dir=work))
    try:
        os.sync()
        forget(files)
        start, used = time.perf_counter(), core_seconds()
        action(folder)
        os.sync()
        return time.perf_counter() - start, core_seconds() - used
    finally:
        shutil.rmtree(folder)


def core_seconds() -> float:
    """Of this process and the finished ones it started, the kernel's work for them included."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, who))


def copy(files: list[Path], folder: Path) -> None:
    """`cp` of all of them, on every core."""
    names = b"\0".join(os.fsencode(path) for path in files)
    workers = str(len(os.sched_getaffinity(0)))
    command = ["xargs", "-0", "-P", workers, "-n", "32", "cp", "-t", str(folder)]
    subprocess.run(command, input=names, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--megabytes", type=float, default=1.0, help="per video, on average")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, default=None, help="on the disk to be measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.work) as work:
        measure(Path(work), arguments.pairs, arguments.megabytes, arguments.runs)


def measure(work: Path, pairs: int, megabytes: float, runs: int) -> None:
    dataset = make_catalog(work / "catalog", pairs, megabytes)
    files = sorted(dataset.root.glob("media/??/*"))
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"{len(files)} files, {size:.0f} MB, {runs} runs")

    def exporting(name: str, link: bool, tag: str) -> Callable[[Path], object]:
        held = catalog.open(dataset.root, ref=tag)
        return lambda folder: export(held, format_named(name), folder / "out", link=link)

    ways = {
        "cp": lambda folder: copy(files, folder),
        **{
            f"{name}, copies, {tag}": exporting(name, False, tag)
            for name in FORMATS
            for tag in RELEASES
        },
        **{f"huggingface, links, {tag}": exporting("huggingface", True, tag) for tag in RELEASES},
    }
    took: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(runs):
        for way, action in ways.items():
            took[way].append(timed(action, files, work))
    print(f"{'':32}{'s':>8}{'MB/s':>8}{'of cp':>8}{'core-s':>8}")
    copied = [seconds for seconds, _ in took["cp"]]
    for way, each in took.items():
        seconds, used = (list(values) for values in zip(*each, strict=True))
        ratio = statistics.median(a / b for a, b in zip(copied, seconds, strict=True))
        median = statistics.median(seconds)
        cores = statistics.median(used)
        print(f"{way:32}{median:8.2f}{size / median:8.0f}{ratio:8.2f}{cores:8.2f}")


if __name__ == "__main__":
    main()
