"""Near-duplicates of videos: precision and recall by kind of copy, search time, and cost.

    python infra/bench/duplicates/run.py [--many 100000] [VIDEO …]

Sources are the sample clips, the VIDEOs and rendered scenes (moving discs before a fixed camera; a
camera that moves over a photograph). Each is cut into takes that share no moment. Every take is in
the index; what is asked for are its copies, encoded anew in twenty ways (sets.py). Found
and of the same take: right; found and of another: wrong. The threshold is chosen on the sources in
TUNED_ON, and the others are reported.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from sets import Frame, copies, scaled, sources, takes, write

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog.media import iter_frames
from catalog.media.demux.index import index_of
from experts import weights
from experts.annotate.shots import INPUT_SIZE, ShotDetector
from filters.footage.duplicates import (
    DuplicateIndex,
    Fingerprint,
    Fingerprinter,
    FrameHash,
    Matcher,
)

TUNED_ON = (
    *("vtest", "squirrel", "bigbuckbunny", "cup", "carphone_pristine", "physicsworks", "bikes"),
    *("promenade", "a", "shapes 1", "shapes 2", "camera 1", "camera 2"),
)
"""By name, without suffix; whole sources."""

SAMPLE_SIDE = 320
"""Of what is fingerprinted, px, as in the build."""


def sampled(path: Path) -> Iterator[tuple[float, Frame]]:
    """Times and frames as the build looks at them: whole frames, two a second."""
    info = index_of(path).info
    every = max(1, round(info.fps / 2))
    for k, frame in enumerate(iter_frames(path)):
        if k % every == 0:
            yield k / info.fps, frame


def shrunk(frame: Frame) -> Frame:
    by = SAMPLE_SIDE / max(frame.shape[:2])
    return frame if by >= 1 else scaled(frame, by)


def fingerprint(path: Path) -> Fingerprint:
    made = Fingerprinter()
    for time_s, frame in sampled(path):
        made.add(time_s, shrunk(frame))
    return made.fingerprint()


Made = dict[tuple[str, int, str], Fingerprint]  # by source, take and kind


def make(videos: list[Path], folder: Path) -> Made:
    made: Made = {}
    for name, clip in sources(videos):
        for number, take in enumerate(takes(clip)):
            for kind, copy in [("", take), *copies(take)]:
                write(folder / "copy.mkv", copy)
                made[name, number, kind] = fingerprint(folder / "copy.mkv")
        print(f"{name}: {number + 1} takes of {len(take.frames) / take.fps:.1f} s", flush=True)
    return made


def found(made: Made, matcher: Matcher) -> tuple[dict[str, list[int]], list[str]]:
    """By kind: copies, those found, wrong takes found; and what went wrong, in words."""
    index = DuplicateIndex(matcher)
    ids = {f"{name}/{number}": (name, number) for name, number, kind in made if not kind}
    for id, (name, number) in ids.items():
        index.add(id, made[name, number, ""])
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    words = []
    for (name, number, kind), asked in made.items():
        matches = dict(index.find(asked))
        right = matches.pop(f"{name}/{number}", None)
        wrong = [f"{id} ({score:.2f})" for id, score in matches.items()]
        if kind:
            counts[kind][0] += 1
            counts[kind][1] += right is not None
            if right is None:
                words.append(f"{name}/{number} {kind}: not found")
        counts[kind or "takes themselves"][2] += len(wrong)
        words += [f"{name}/{number} {kind}: taken for {id}" for id in wrong]
    return counts, words


def totals(counts: dict[str, list[int]]) -> tuple[float, float, int]:
    asked, right, wrong = (sum(column) for column in zip(*counts.values(), strict=True))
    return right / max(1, right + wrong), right / max(1, asked), asked


def report(made: Made) -> None:
    bare = {key[:2] for key, print_ in made.items() if not key[2] and len(print_.samples) < 3}
    made = {key: value for key, value in made.items() if key[:2] not in bare}
    print("left out, for they show next to nothing:", *(f"{name}/{n}" for name, n in bare))
    tuned = {key: value for key, value in made.items() if key[0] in TUNED_ON}
    others = {key: value for key, value in made.items() if key[0] not in TUNED_ON}
    print("\nthreshold   tuned on: precision  recall   reported on: precision  recall")
    for threshold in (0.2, 0.22, 0.24, 0.26, 0.28, 0.3, 0.35):
        both = [
            totals(found(part, Matcher(threshold=threshold, still_agreement=threshold))[0])
            for part in (tuned, others)
        ]
        print(f"{threshold:9.2f}", *(f"{p:20.3f}{r:9.3f}  " for p, r, _ in both))
    results = [found(part, Matcher()) for part in (tuned, others)]
    print(f"\nat {Matcher().threshold}: found/copies (wrong)   tuned on   reported on")
    for kind in results[0][0]:
        columns = (f"{a[1]}/{a[0]} ({a[2]})" for a in (counts[kind] for counts, _ in results))
        print(f"{kind:26}", *(f"{column:>14}" for column in columns))
    for name, (counts, words) in zip(("tuned on", "reported on"), results, strict=True):
        precision, recall, asked = totals(counts)
        print(f"\n{name}: precision {precision:.4f}, recall {recall:.4f} of {asked} copies")
        print(*(f"  {line}" for line in words), sep="\n")


def search(made: Made, videos: int, samples: int = 20, asked: int = 50) -> None:
    """Time to find one among `videos` of 10 s whose hashes have bits as frequent as those seen."""
    rng = np.random.default_rng(0)
    seen = np.array([s.appearance for f in made.values() for s in f.samples], np.uint64)
    often = np.unpackbits(seen.view(np.uint8).reshape(-1, 8), axis=1).mean(axis=0)
    process = psutil.Process()
    before, start, index = process.memory_info().rss, time.process_time(), DuplicateIndex()
    drawn = []
    for number in range(videos):
        first = rng.random(64) < often
        flips = np.logical_xor.accumulate(rng.random((samples, 64)) < 0.03, axis=0)
        hashes = np.packbits(flips ^ first, axis=1).view(np.uint64).ravel().tolist()
        masks = rng.integers(0, 1 << 62, (samples, 2)).tolist()
        rows = [
            FrameHash(500 * k, h, *m) for k, (h, m) in enumerate(zip(hashes, masks, strict=True))
        ]
        index.add(str(number), Fingerprint(str(number), tuple(rows)))
        if number % max(1, videos // asked) == 0:
            drawn.append(Fingerprint("", tuple(rows)))
    added = time.process_time() - start
    size = process.memory_info().rss - before
    times = []
    for each in drawn:
        start = time.process_time()
        index.find(each)
        times.append(time.process_time() - start)
    print(
        f"\n{videos} videos of {samples} samples: generated and added in {added:.1f} core-s, "
        f"{size / videos / samples:.0f} bytes a sample; found in {1e3 * np.median(times):.1f} ms "
        f"(median), {1e3 * max(times):.1f} ms (most)"
    )


def cost(runs: int = 5) -> None:
    """Core time of fingerprinting beside decoding and shot detection, in turn."""
    detector = ShotDetector()
    detector.load()
    for name in ("squirrel", "city"):
        path = weights.fetch(f"clip_{name}")
        frames = list(sampled(path))
        ratios = []
        for _ in range(runs):
            start = time.process_time()
            detector.transitions(iter_frames(path, size=INPUT_SIZE))
            middle = time.process_time()
            made = Fingerprinter()
            for time_s, frame in frames:
                made.add(time_s, shrunk(frame))
            made.fingerprint()
            end = time.process_time()
            ratios.append(((end - middle) / (middle - start), 1e3 * (end - middle) / len(frames)))
        ratio, each = np.median(ratios, axis=0)
        print(
            f"clip_{name}: fingerprinting takes {ratio:.2%} of decoding and finding shots, "
            f"{each:.2f} ms a sample"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Near-duplicates of videos.")
    parser.add_argument("videos", nargs="*", type=Path, help="more sources")
    parser.add_argument("--many", type=int, default=100_000, help="to search")
    asked = parser.parse_args()
    print(time.strftime("%Y-%m-%d"))
    with tempfile.TemporaryDirectory() as folder:
        made = make(asked.videos, Path(folder))
    report(made)
    search(made, asked.many)
    cost()


if __name__ == "__main__":
    main()
