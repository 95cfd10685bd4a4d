"""Reading video as RGB beside PyAV's own loop: time per frame, and PyAV's time over ours.

    python infra/bench/decode.py [--runs 7] [--before FOLDER] [VIDEO …]

Each way reads the whole video once, in turn, in a process of its own that has read 500 frames
before (`catalog.media` loads its compiled conversion after 400 of 1280x720):

- *PyAV*: `for frame in container.decode(video=0): rgb = frame.to_ndarray(format="rgb24")`, which
  takes chroma from the nearest sample and scales on as many threads as the machine has;
- *PyAV, one scaling thread*: the same with `threads=1`;
- *PyAV, exact colours*: with the interpolation that `catalog.media` asks for;
- *editmill*: `catalog.media.iter_frames`, which has another process decode, on two threads;
  *before*: the same of the checkout in FOLDER;
- *editmill, in process*: what that other process does, done in this one.

The time is that of the process and of the one that decodes for it, all threads (core), and of the
clock (wall). On one thread both are bound to one core. Without VIDEO: the sample clips of
1280x720, and one scaled to that.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PYAV = {
    "PyAV": "",
    "PyAV, one scaling thread": ", threads=1",
    "PyAV, exact colours": ", threads=1, interpolation=Interpolation.BILINEAR"
    " | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP,"
    " dst_color_range=ColorRange.JPEG",
}
"""What `to_ndarray` is given besides the format."""

READ_PYAV = """
import av
from av.video.reformatter import ColorRange, Interpolation
def read(path, threads):
    frames = 0
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        for frame in container.decode(video=0):
            rgb = frame.to_ndarray(format="rgb24"{})
            frames += 1
    return frames
"""

READ_OURS = """
from catalog.media import iter_frames
from catalog.media.demux import container
def read(path, threads):
    container.DECODE_THREADS = threads
    frames = 0
    for rgb in iter_frames(path):
        frames += 1
    return frames
"""

READ_HERE = """
from catalog.media.demux import container
from catalog.media.reading import Reading, FrameRequest
def read(path, threads):
    container.DECODE_THREADS = threads
    frames = 0
    for (rgb,) in Reading(FrameRequest(path)):
        frames += 1
    return frames
"""

MEASURE = """
import sys, time
import psutil
def core_seconds():
    of = [psutil.Process(), *psutil.Process().children()]
    return sum(sum(process.cpu_times()[:2]) for process in of)
path, threads = sys.argv[1], int(sys.argv[2])
before = 0
while before < 500:
    before += read(path, threads)
wall, core = time.perf_counter(), core_seconds()
frames = read(path, threads)
print((core_seconds() - core) * 1e3 / frames, (time.perf_counter() - wall) * 1e3 / frames)
"""

Times = tuple[float, float]


def measured(reading: str, checkout: Path, video: Path, threads: int) -> Times:
    """Core and wall milliseconds per frame."""
    command = [sys.executable, "-c", reading + MEASURE, str(video), str(threads)]
    if threads == 1:
        command = ["taskset", "-c", str(min(os.sched_getaffinity(0))), *command]
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        command, cwd=checkout, env=env, check=True, capture_output=True, text=True
    )
    core, wall = map(float, done.stdout.split())
    return core, wall


def table(video: Path, threads: int, runs: int, before: Path | None) -> None:
    """Print the medians over `runs`, and each way's time over ours, run by run."""
    ways = {name: (READ_PYAV.format(more), ROOT) for name, more in PYAV.items()}
    if before is not None:
        ways["editmill before"] = (READ_OURS, before)
    ways["editmill, in process"] = (READ_HERE, ROOT)
    ways["editmill"] = (READ_OURS, ROOT)
    times: dict[str, list[Times]] = defaultdict(list)
    for _ in range(runs):
        for name, (reading, checkout) in ways.items():
            times[name].append(measured(reading, checkout, video, threads))
    print(f"\n{video.name}, {threads} thread{'s' * (threads > 1)}")
    print(f"{'':26}core ms  wall ms  core/ours  wall/ours", flush=True)
    for name, found in times.items():
        core, wall = (statistics.median(t[k] for t in found) for k in (0, 1))
        pairs = list(zip(found, times["editmill"], strict=True))
        ratios = [statistics.median(t[k] / own[k] for t, own in pairs) for k in (0, 1)]
        print(f"{name:26}{core:7.2f}{wall:9.2f}{ratios[0]:11.2f}{ratios[1]:11.2f}", flush=True)


def videos(folder: Path) -> list[Path]:
    """The samples of 1280x720, and the city walk-through scaled to that."""
    sys.path.insert(0, str(ROOT))
    from catalog.media import probe, read_video, write_video
    from experts import weights

    scaled = folder / "city-720p.mp4"
    city = weights.fetch("clip_city")
    write_video(scaled, read_video(city, 0, 120, size=(720, 1280)), probe(city).fps)
    return [weights.fetch("clip_squirrel"), weights.fetch("clip_bigbuckbunny"), scaled]


def main() -> None:
    parser = argparse.ArgumentParser(description="Reading video as RGB beside PyAV's own loop.")
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    asked = parser.parse_args()
    print(time.strftime("%Y-%m-%d"), f"{os.cpu_count()} cores, {asked.runs} runs")
    with tempfile.TemporaryDirectory() as folder:
        for video in asked.videos or videos(Path(folder)):
            for threads in (1, 2):
                table(video, threads, asked.runs, asked.before)


if __name__ == "__main__":
    main()
