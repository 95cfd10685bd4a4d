"""What a stage costs beside its models: each model is replaced by an identity of the same shape.

    python infra/bench/stage_overhead.py [--clips 4] [--frames 64]

Core-seconds of the annotate, edit and judge stages on clips of a sample, as a share of decoding
the same videos and mask tracks once. Told apart is what is made besides decoding: videos and mask
tracks that are encoded, and frames and masks scaled to an edit's size; and how much longer the
processes that decode take for the same frames while a stage works beside them, as two threads of
one core do. The camera's path and the caption count as models. Each stage runs between two
decodings of what it reads, of which the second counts, so that neither finds colder caches than the
other. All runs once to warm up, then three times; medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import psutil

from catalog import media
from catalog.media.demux import index
from catalog.records import Clip, Plan
from experts.annotate import clip as annotating
from experts.annotate.clip import AnnotatedClip
from experts.annotate.frame_stream import FrameSequence
from experts.annotate.tracking.results import TrackedObject
from experts.base import EditRequest, EditResult
from experts.masks.packed import MaskTrack
from experts.weights import fetch
from filters.base import FRAMES, Verdict
from filters.samples import LONG_SIDE
from flows import recipe as recipes
from flows.runtime.context import Context, context
from flows.stages import edit
from flows.stages.clips import annotate
from flows.stages.instruct import InstructedEdit
from flows.stages.judging import judge
from flows.stages.plan import PlannedClip

SIZE = (336, 592)
RUNS = 3

APART = {"write_video": "encoding", "write_masks": "encoding", "crop_resize": "scaling"}


class Nothing:
    """What identities share: nothing to load."""

    name, version, output_licence = "identity", "1", None

    def load(self) -> None: ...

    def close(self) -> None: ...


class IdentityTracker(Nothing):
    """One object, a box, in every frame."""

    def track(self, frames: FrameSequence, *_: object, **__: object) -> list[TrackedObject]:
        count, height, width = frames.shape[:3]
        for _ in frames:  # read, as every tracker does
            pass
        mask = np.zeros((height, width), bool)
        mask[height // 4 : height // 2, width // 4 : width // 2] = True
        box = [width // 4, height // 4, width // 2, height // 2]
        return [
            TrackedObject(
                label="car",
                score=0.9,
                masks=MaskTrack([mask] * count, (height, width)),
                first=0,
                last=count - 1,
                confidence=np.ones(count, np.float32),
                boxes=np.tile(np.array(box, np.float32), (count, 1)),
            )
        ]


class IdentityExpert(Nothing):
    """Gives back what it gets."""

    def edit(self, request: EditRequest) -> EditResult:
        return EditResult(request.frames, request.masks, {})


@dataclass
class Measured:
    """Core-seconds of one call: of this process, the encoding and scaling in it, and of the
    processes that decode for it."""

    process: float
    decoders: float
    encoding: float = 0.0
    scaling: float = 0.0

    @property
    def own(self) -> float:
        """This process's, but for encoding and scaling."""
        return self.process - self.encoding - self.scaling

    @property
    def decoding(self) -> float:
        """Where nothing else was done: this process's part of it, too."""
        return self.own + self.decoders


Pair = tuple[Measured, Measured]
"""Of a stage, and of decoding alone."""


def core_seconds() -> tuple[float, float]:
    """Of this process, and of those that decode for it."""
    children = psutil.Process().children(recursive=True)
    used = [child.cpu_times() for child in children]
    return time.process_time(), sum(each.user + each.system for each in used)


def measured(work: Callable[[], object]) -> Measured:
    """`work`, timed."""
    spent = {"encoding": 0.0, "scaling": 0.0}

    def apart(name: str, what: str) -> Callable[..., object]:
        call = getattr(media, name)

        def timed(*args: object, **kwargs: object) -> object:
            begun = time.process_time()
            try:
                return call(*args, **kwargs)
            finally:
                spent[what] += time.process_time() - begun

        return timed

    with ExitStack() as patched:
        for name, what in APART.items():
            patched.enter_context(patch.object(media, name, apart(name, what)))
        process, decoders = core_seconds()
        work()
        process_after, decoders_after = core_seconds()
        return Measured(process_after - process, decoders_after - decoders, **spent)


def beside(stage: Callable[[], object], decoding: Callable[[], object]) -> Pair:
    """The stage, and decoding alone what it looks at, each timed as for whoever reads the files
    first: what a process knows of their packets is forgotten."""
    decoding()
    index._index_of.cache_clear()
    whole = measured(stage)
    index._index_of.cache_clear()
    return whole, measured(decoding)


def footage(folder: Path, clips: int, frames: int) -> tuple[Context, list[Clip]]:
    """A catalog with clips of a sample in it."""
    recipe = recipes.load("embedded")
    ctx = context(folder / "catalog", recipe)
    path = fetch("clip_city")
    info = media.probe(path)
    made = []
    for k in range(clips):
        part = media.read_video(path, first=k * frames, count=frames)
        with ctx.catalog.media.writing(".mp4") as out:
            media.write_video(out.path, part, info.fps, crf=15)
        made.append(
            Clip(f"clip{k}", "s", "u", "l", out.ref, 0, frames, info.fps, info.width, info.height)
        )
    ctx.catalog.media.flush()
    return ctx, made


def plans(annotated: Sequence[AnnotatedClip]) -> list[PlannedClip]:
    """Two removals of each clip's object, in two windows."""
    planned = []
    for each in annotated:
        (track,) = each.tracks
        both = [
            Plan(
                plan_id=f"{each.clip.clip_id}-{first}",
                clip_id=each.clip.clip_id,
                task="object_removal",
                expert="identity",
                track_id=track.track_id,
                label="car",
                phrase="car",
                count=1,
                prompt="Remove car",
                negative_prompt="",
                target_prompt="",
                seed=0,
                first_frame=first,
                frames=33,
                crop=[0, 0, each.clip.width, each.clip.height],
                width=SIZE[1],
                height=SIZE[0],
                params={},
            )
            for first in (0, each.clip.frames - 33)
        ]
        planned.append(PlannedClip(each.clip, {track.track_id: track}, both))
    return planned


def run(clips: int, frames: int) -> dict[str, Pair]:
    """Per stage its core-seconds, and those of decoding alone what it looks at."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as patched:
        ctx, made = footage(Path(folder), clips, frames)
        path = ctx.catalog.media.path
        found: dict[str, Pair] = {}

        still = np.zeros((frames, 2), np.float32)
        patched.enter_context(patch.object(annotate, "tracker_for", lambda *_: IdentityTracker()))
        patched.enter_context(patch.object(annotating, "camera_path", lambda *_: still))
        patched.enter_context(patch.object(annotating, "describe", lambda *_: ""))
        annotated: list[AnnotatedClip] = []

        def videos() -> None:
            for clip in made:
                media.read_video(path(clip.video))

        found["annotate"] = beside(lambda: annotated.extend(annotate.run(ctx, made)), videos)

        patched.enter_context(patch.object(edit, "serving", lambda *_: IdentityExpert()))
        planned = plans(annotated)
        edits: list[edit.Edit] = []

        def videos_and_masks() -> None:
            videos()
            for each in planned:
                for plan in each.plans:
                    (track,) = each.tracks.values()
                    media.read_masks(path(track.masks), plan.first_frame, plan.frames)

        found["edit"] = beside(lambda: edits.extend(edit.run(ctx, planned)), videos_and_masks)

        def kept(samples: Sequence[object], *_: object) -> list[dict[str, Verdict]]:
            return [{name: Verdict(True, 1.0) for name in judge.FILTER_SCORES} for _ in samples]

        patched.enter_context(patch.object(judge, "judge", kept))
        words = [InstructedEdit(e, "Remove the car.", "", "model", "m", [], []) for e in edits]

        def pairs() -> None:
            for each in edits:
                for side in (each.source, each.target):
                    media.sample_frames(path(side.video), FRAMES, LONG_SIDE)
                media.sample_masks(path(each.mask), FRAMES)

        found["judge"] = beside(lambda: judge.run(ctx, words), pairs)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--frames", type=int, default=64)
    given = parser.parse_args()
    runs = [run(given.clips, given.frames) for _ in range(RUNS + 1)][1:]

    def middle(stage: str, read: Callable[[Measured, Measured], float]) -> float:
        return statistics.median(read(*each[stage]) for each in runs)

    for stage in runs[0]:

        def share(of: Callable[[Measured, Measured], float], stage: str = stage) -> float:
            return middle(stage, lambda ours, alone: of(ours, alone) / alone.decoding)

        print(
            f"{stage:9} decoding {middle(stage, lambda _, alone: alone.decoding):.2f} s; the stage "
            f"beside it {share(lambda ours, alone: ours.own - alone.own):+.2f} of that, "
            f"scaling {share(lambda ours, _: ours.scaling):.2f}, "
            f"encoding {share(lambda ours, _: ours.encoding):.2f}; decoders' time "
            f"{middle(stage, lambda ours, alone: ours.decoders / alone.decoders):.2f} times as long"
        )


if __name__ == "__main__":
    main()
