"""What annotation costs per clip, and how near its masks are to the reference's.

    python infra/bench/annotation.py                       # against SAM 2's networks in float32
    python infra/bench/annotation.py --footage DIR         # and the videos in a folder
    python infra/bench/annotation.py --save ref.npz        # keep this state's masks and cost …
    python infra/bench/annotation.py --reference ref.npz   # … and compare a later one's with them

The embedded recipe's samples are ingested as a build does, `--clips` of each; every clip is
detected, tracked, its masks written and its camera's path measured. Per clip: core-seconds, those
in the encoder, the decoder and the detector, and the masks' agreement. A reference track and one
of now are the same where they overlap most, by .3 of their pixels or more. Its IoU is the mean over
the frames in which either has a mask; `shared` is that over frames in which both have one, without
what a track gained or lost at its ends.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from catalog import media
from experts.annotate.detection.detect import Detector
from experts.annotate.motion.camera import camera_path
from experts.annotate.sam2 import derived
from experts.annotate.tracking.segment import Segmenter
from experts.annotate.tracking.tracker import TrackedObject, Tracker
from experts.base import Frames
from experts.masks.geometry import iou
from experts.masks.packed import Union
from experts.threads import onnx_session
from flows.recipe import FolderSources, load
from flows.runtime import worker
from flows.runtime.context import context
from flows.sources import local_files
from flows.stages.clips import ingest, look

SAME_TRACK = 0.3
"""Least IoU, over all pixels and frames, of two tracks of one object."""


class ChannelsFirst:
    """An exported network, called like a derived one: channels last, the box's corners as such."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session

    def run(self, names: list[str], feed: dict[str, Any], options: Any = None) -> list[Any]:
        features = {n: np.moveaxis(v, -1, 1) for n, v in feed.items() if n in FEATURES}
        if features:
            features["point_labels"] = np.array([[2, 3]], np.float32)
        given = self._session.run(names, feed | features, options)
        return [
            np.moveaxis(v, 1, -1) if n in FEATURES else v for n, v in zip(names, given, strict=True)
        ]


FEATURES = ("high_res_feats_0", "high_res_feats_1", "image_embed")


class Exported(Segmenter):
    """With the pinned networks, in float32."""

    def open_encoder(self, tall: bool) -> Any:
        return ChannelsFirst(onnx_session(derived.ENCODER, self.threads))

    def open_decoder(self) -> Any:
        return ChannelsFirst(onnx_session(derived.DECODER, self.threads))


@dataclass(frozen=True)
class Annotated:
    """What one clip's annotation gave, and its core-seconds by part; `all` is their whole."""

    labels: list[str]
    masks: list[NDArray[np.bool_]]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Agreement:
    """Of a clip's tracks with the reference's; one IoU per track that both have."""

    iou: list[float]
    shared: list[float]
    lost: list[str]
    gained: list[str]
    renamed: list[str]


class Line:
    """Annotation of a clip as the stage does it, with the processor time of its parts."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.seconds: Counter[str] = Counter()
        rules = load("embedded").annotate
        detector = Detector(threshold=rules.score_threshold)
        self.keyframe_seconds = rules.keyframe_seconds
        for part, method in ((detector, "detect"), (segmenter, "encode"), (segmenter, "decode")):
            setattr(part, method, self._timed(method, getattr(part, method)))
        self.tracker = Tracker(detector, segmenter, max_objects=rules.max_objects)
        self.tracker.load()

    def annotate(self, frames: Frames, fps: float) -> Annotated:
        self.seconds.clear()
        started = time.process_time()
        found = self.tracker.track(frames, max(1, round(self.keyframe_seconds * fps)))
        self._write(found, fps)
        moving = Union([one.masks for one in found]) if found else None
        camera_path(frames, moving)
        self.seconds["all"] = time.process_time() - started
        return Annotated(
            [one.label for one in found],
            [np.asarray(one.masks) for one in found],
            dict(self.seconds),
        )

    def _write(self, found: Sequence[TrackedObject], fps: float) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for number, one in enumerate(found):
                media.write_masks(Path(folder) / f"{number}.mkv", one.masks, fps)

    def _timed(self, part: str, method: Any) -> Any:
        def timed(*args: Any, **options: Any) -> Any:
            started = time.process_time()
            try:
                return method(*args, **options)
            finally:
                self.seconds[part] += time.process_time() - started

        return timed


def agreement(reference: Annotated, now: Annotated) -> Agreement:
    """How near the tracks of now are to the reference's."""
    overlaps = []
    for i, a in enumerate(reference.masks):
        for j, b in enumerate(now.masks):
            both = np.count_nonzero(a & b)
            if both:
                overlaps.append((both / np.count_nonzero(a | b), i, j))
    same: dict[int, int] = {}
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap >= SAME_TRACK and i not in same and j not in same.values():
            same[i] = j
    either, shared, renamed = [], [], []
    for i, j in same.items():
        pairs = list(zip(reference.masks[i], now.masks[j], strict=True))
        either.append(float(np.mean([iou(a, b) for a, b in pairs if a.any() or b.any()])))
        shared.append(float(np.mean([iou(a, b) for a, b in pairs if a.any() and b.any()])))
        if reference.labels[i] != now.labels[j]:
            renamed.append(f"{reference.labels[i]} → {now.labels[j]}")
    lost = [label for i, label in enumerate(reference.labels) if i not in same]
    gained = [label for j, label in enumerate(now.labels) if j not in same.values()]
    return Agreement(either, shared, lost, gained, renamed)


def clips(per_source: int, folders: Sequence[Path]) -> Iterator[tuple[str, Frames, float]]:
    """(name, frames, frames per second); one of each source first, then the others."""
    recipe = load("embedded")
    extra = [FolderSources(kind="folder", path=str(folder), licence="?") for folder in folders]
    recipe = recipe.model_copy(
        update={
            "clips": recipe.clips.model_copy(update={"per_source": per_source}),
            "sources": [*recipe.sources, *extra],
        }
    )
    with tempfile.TemporaryDirectory() as root:
        ctx = context(Path(root), recipe)
        ordinal: Counter[str] = Counter()
        found = []
        for clip in ingest.run(ctx, look.run(ctx, local_files(recipe.sources))):
            name = Path(clip.uri).stem
            found.append((ordinal[name], f"{name}-{ordinal[name]}", clip))
            ordinal[name] += 1
        for _, name, clip in sorted(found, key=lambda one: one[0]):
            yield name, media.read_video(ctx.catalog.path(clip.video)), clip.fps


class Kept:
    """What `keep` wrote, by the digest of a clip's frames; one clip's masks in memory at a time."""

    def __init__(self, file: Path) -> None:
        self._stored = np.load(file)
        self._index = json.loads(str(self._stored["index"]))

    def get(self, key: str) -> Annotated | None:
        one = self._index.get(key)
        if one is None:
            return None
        shape, count = one["shape"], int(np.prod(one["shape"]))
        packed = [self._stored[f"{key}/{i}"] for i in range(len(one["labels"]))]
        masks = [np.unpackbits(p, count=count).reshape(shape).astype(bool) for p in packed]
        return Annotated(one["labels"], masks, one["seconds"])


def keep(file: Path, annotated: dict[str, Annotated]) -> None:
    """Masks, labels and core-seconds into one file."""
    index = {
        key: {
            "labels": one.labels,
            "shape": one.masks[0].shape if one.masks else (),
            "seconds": one.seconds,
        }
        for key, one in annotated.items()
    }
    arrays = {
        f"{key}/{i}": np.packbits(mask)
        for key, one in annotated.items()
        for i, mask in enumerate(one.masks)
    }
    np.savez_compressed(file, index=json.dumps(index), **arrays)


def frames_key(frames: Frames) -> str:
    return hashlib.sha256(frames.tobytes()).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=2, help="clips of each source")
    parser.add_argument("--footage", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--save", type=Path, help="keep masks and cost, compare with nothing")
    parser.add_argument("--reference", type=Path, help="what --save kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    worker.limit_threads(1)
    references = Kept(args.reference) if args.reference else None
    line = Line(Segmenter())
    exported = None if args.save or args.reference else Line(Exported())
    saved: dict[str, Annotated] = {}
    rows: list[dict[str, Any]] = []
    for name, frames, fps in clips(args.clips, args.footage):
        key = frames_key(frames)
        reference = exported.annotate(frames, fps) if exported else None
        if references is not None:
            reference = references.get(key)
        now = line.annotate(frames, fps)
        if args.save:
            saved[key] = now
        row: dict[str, Any] = {"clip": name, **_seconds(now), "tracks": len(now.labels)}
        if reference is not None:
            found = agreement(reference, now)
            row |= {"before": reference.seconds["all"], **vars(found)}
        rows.append(row)
        if not args.json:
            print(_printed(row), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    if args.save:
        keep(args.save, saved)
    if args.json:
        print(json.dumps({"clips": rows, "peak_mb": peak}))
        return
    compared = [row for row in rows if "before" in row]
    if compared:
        ious = [value for row in compared for value in row["iou"]]
        shared = [value for row in compared for value in row["shared"]]
        cost, before = (sum(row[of] for row in compared) for of in ("all", "before"))
        print(
            f"{len(ious)} tracks in both: IoU {np.mean(ious):.3f}, shared {np.mean(shared):.3f}; "
            f"lost {sum(len(row['lost']) for row in compared)}, "
            f"gained {sum(len(row['gained']) for row in compared)}; "
            f"core-seconds {cost:.0f} / {before:.0f} = {cost / before:.2f}"
        )
    print(f"peak memory {peak} MB")


def _seconds(annotated: Annotated) -> dict[str, float]:
    parts = ("all", "encode", "decode", "detect")
    return {part: annotated.seconds.get(part, 0.0) for part in parts}


def _printed(row: dict[str, Any]) -> str:
    parts = " ".join(f"{part} {row[part]:.1f}" for part in ("encode", "decode", "detect"))
    text = f"{row['clip']:<24} {row['all']:6.1f} core-s ({parts}), {row['tracks']} tracks"
    if "before" not in row:
        return text
    mean = f"{np.mean(row['iou']):.3f}" if row["iou"] else "-"
    both = f"{np.mean(row['shared']):.3f}" if row["shared"] else "-"
    changes = "; ".join(f"{of} {row[of]}" for of in ("lost", "gained", "renamed") if row[of])
    return f"{text}; before {row['before']:.1f}; IoU {mean}, shared {both}; {changes}"


if __name__ == "__main__":
    main()
