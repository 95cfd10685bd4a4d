"""Sources in, clips out: shots are found, cut to length and stored at their own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from catalog import media
from catalog.keys import digest, file_digest
from catalog.records import Clip, Source, from_row, to_row
from experts.annotate.shots import ShotDetector
from flows import journal
from flows.context import Context
from flows.journal import Document
from flows.recipe import Clips
from flows.sources import SourceFile
from flows.worker import ready, shared

STAGE = "ingest"
CLIP_CRF = 15
"""Clips are an intermediate from which every edit is made, so nearly lossless."""


def run(ctx: Context, shard: Sequence[SourceFile]) -> list[Clip]:
    """The clips of a shard of source files."""
    rules = ctx.recipe.clips
    shots = shared(ShotDetector, threshold=rules.shot_threshold)
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda s: digest(
            file_digest(s.path),
            s.name,
            s.uri,
            s.licence,
            rules.model_dump(),
            shots.version,
            CLIP_CRF,
        ),
        work=lambda batch: [_ingest(ctx, source, ready(shots)) for source in batch],
        name=lambda s: s.name,
    )
    sources, clips = [], []
    for _, document in documents:
        sources.append(from_row(Source, document["source"]))
        clips += [from_row(Clip, row) for row in document["clips"]]
    ctx.catalog.tables.merge("sources", sources)
    return clips


def cuts(shots: Sequence[tuple[int, int]], rules: Clips) -> list[tuple[int, int]]:
    """(first frame, frames) of each clip: shots cut to `max_frames`, scraps below `min_frames`
    left out, `per_source` of them evenly spaced."""
    pieces = [
        (first, min(rules.max_frames, end - first))
        for shot_first, end in shots
        for first in range(shot_first, end, rules.max_frames)
    ]
    pieces = [piece for piece in pieces if piece[1] >= rules.min_frames]
    if rules.per_source is None or len(pieces) <= rules.per_source:
        return pieces
    step = len(pieces) / rules.per_source
    return [pieces[int((i + 0.5) * step)] for i in range(rules.per_source)]


def _ingest(ctx: Context, file: SourceFile, detector: ShotDetector) -> Document:
    info = media.probe(file.path)
    source_id = file_digest(file.path)
    shots = detector.shots(file.path)
    source = Source(
        source_id=source_id,
        name=file.name,
        uri=file.uri,
        licence=file.licence,
        width=info.width,
        height=info.height,
        fps=info.fps,
        frames=shots[-1][1] if shots else 0,
        codec=info.codec,
    )
    clips = []
    frames = media.iter_frames(file.path)
    position = 0
    for first, count in cuts(shots, ctx.recipe.clips):
        ctx.check_stop()
        with ctx.catalog.media.writing(".mp4") as out:
            wanted = islice(frames, first - position, first - position + count)
            media.write_video(out.path, wanted, info.fps, crf=CLIP_CRF)
        position = first + count
        stored = media.probe(ctx.catalog.path(out.ref))
        clips.append(
            Clip(
                clip_id=digest("clip", source_id, first, count, out.ref),
                source_id=source_id,
                uri=file.uri,
                licence=file.licence,
                video=out.ref,
                first_frame=first,
                frames=count,
                fps=info.fps,
                width=stored.width,
                height=stored.height,
            )
        )
    return {"source": to_row(source), "clips": [to_row(clip) for clip in clips]}
