"""The memory that annotating a long clip takes: 500 frames of 1080p with twelve objects in them.

    python infra/bench/annotation_memory.py
    python infra/bench/annotation_memory.py --frames 100 --width 1280

A real video of people (the samples' `clip_pedestrians`) is enlarged and played there and back until
it has so many frames; detector, segmenter and masks are the embedded recipe's, as the annotate
stage runs them. In a process of its own: its largest resident set, with the libraries and models,
and of it what annotating came to beyond both. Processes that decode are counted beside it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from catalog import media
from experts.weights import fetch
from flows import recipe as recipes
from flows.runtime.context import context
from flows.sources import local_files
from flows.stages.clips import annotate, ingest, look

SAMPLE = "clip_pedestrians"

RECIPE = """
name: long
seed: 0
sources: [{{kind: folder, path: {videos}, licence: CC0-1.0}}]
clips: {{max_frames: {frames}, min_frames: {frames}, per_source: 1}}
footage: {{duplicates: false}}
annotate: {{max_objects: {objects}}}
plan: {{weights: {{deblur: 1}}}}
run: {{threads: 1, workers: 1}}
"""

MIB = 1 << 20


class Peak:
    """The largest resident sets of this process, and of the processes it started, while open."""

    def __enter__(self) -> Peak:
        self.own = self.children = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._ended.wait(0.1):
            self.own = max(self.own, process.memory_info().rss)
            children = [each.memory_info() for each in process.children(recursive=True)]
            self.children = max(self.children, sum(each.rss - each.shared for each in children))


def there_and_back(path: Path, count: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """`count` frames of the video's middle, 16:9, enlarged to `width` px, with no cut in them."""
    small = media.read_video(path, count=count)
    cut = (small.shape[1] - small.shape[2] * 9 // 16) // 2
    small = small[:, cut:-cut]
    size = width, width * 9 // 16 // 2 * 2
    order = itertools.cycle([*range(len(small)), *range(len(small) - 2, 0, -1)])
    for k in itertools.islice(order, count):
        yield np.asarray(cv2.resize(small[k], size, interpolation=cv2.INTER_CUBIC))


def one(folder: Path, frames: int, objects: int) -> dict[str, float]:
    """Annotates the video in `folder/videos`, in this process."""
    recipe = folder / "recipe.yaml"
    text = RECIPE.format(videos=folder / "videos", frames=frames, objects=objects)
    recipe.write_text(text)
    asked = recipes.load(str(recipe))
    ctx = context(folder / "catalog", asked)
    clips = ingest.run(ctx, look.run(ctx, local_files(asked.sources)))
    before = psutil.Process().memory_info().rss
    begun = time.monotonic()
    with Peak() as peak:
        (found,) = annotate.run(ctx, clips)
    return {
        "width": found.clip.width,
        "height": found.clip.height,
        "frames": found.clip.frames,
        "objects": len(found.tracks),
        "seconds": round(time.monotonic() - begun),
        "before": before // MIB,
        "peak": peak.own // MIB,
        "decoding": peak.children // MIB,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--objects", type=int, default=12)
    parser.add_argument("--width", type=int, default=1920, help="px")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one, given.frames, given.objects)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        videos = Path(temporary) / "videos"
        videos.mkdir()
        frames = there_and_back(fetch(SAMPLE), given.frames, given.width)
        media.write_video(videos / "long.mp4", frames, 25)
        command = [sys.executable, __file__, f"--one={temporary}"]
        command += [f"--frames={given.frames}", f"--objects={given.objects}"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
