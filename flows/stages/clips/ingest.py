"""Sources in, clips out: their shots are cut to length and stored at their own resolution.

A content is cut once, whatever its files are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from catalog import media
from catalog.errors import BadInput
from catalog.keys import digest
from catalog.media.image import Transparent, write_transparent
from catalog.records import Clip, Source, from_row, to_row
from experts.annotate.motion.still_background import ShotBackgrounds
from flows.recipe import Clips
from flows.runtime.context import Context, checked
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.sources.source import SourceFile
from flows.stages.clips.fetch import path_of
from flows.stages.clips.look import Look

STAGE = "ingest"
VERSION = "5"
"""Rises whenever the same file may give other clips, or a document is written otherwise."""

CLIP_CRF = 15
"""Clips are an intermediate from which every edit is made, so nearly lossless."""

SHORTEST = 2
"""Frames; no recipe may ask for shorter clips."""


def run(ctx: Context, shard: Sequence[Look]) -> list[Clip]:
    """The clips of a shard of sources, each once."""
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda look: digest(look.file.name, _address(ctx, look)),  # messages name it
        work=lambda batch: [_document(ctx, look) for look in batch],
        name=lambda look: look.file.name,
    )
    sources, clips = {}, {}
    for look, document in documents:
        source = look.source
        sources[source.source_id] = [source]
        for row in document["clips"]:
            clip = replace(
                from_row(Clip, row),
                uri=source.uri,
                licence=source.licence,
                author=source.author,
                labels=list(look.file.section.labels or ()),
            )
            clips[clip.clip_id] = clip
    ctx.catalog.tables.put("sources", sources)
    return list(clips.values())


def cuts(shots: Sequence[tuple[int, int]], rules: Clips) -> list[tuple[int, int]]:
    """(first frame, frames) of each clip: shots cut to `max_frames`, scraps below `min_frames`
    left out, `per_source` of them evenly spaced, of whole ones if there are enough."""
    pieces = [
        (first, min(rules.max_frames, end - first))
        for shot_first, end in shots
        for first in range(shot_first, end, rules.max_frames)
    ]
    pieces = [piece for piece in pieces if piece[1] >= rules.min_frames]
    if rules.per_source is None or len(pieces) <= rules.per_source:
        return pieces
    whole = [piece for piece in pieces if piece[1] == rules.max_frames]
    if len(whole) >= rules.per_source:
        pieces = whole
    step = len(pieces) / rules.per_source
    return [pieces[int((i + 0.5) * step)] for i in range(rules.per_source)]


def rules_for(file: SourceFile, rules: Clips) -> Clips:
    """How a file is cut: its section of the recipe may ask for more, or shorter, clips."""
    given = {"per_source": file.section.per_source, "max_frames": file.section.max_frames}
    return rules.model_copy(update={k: v for k, v in given.items() if v is not None})


def _address(ctx: Context, look: Look) -> str:
    """All that the clips depend on: not the file's name."""
    rules = rules_for(look.file, ctx.recipe.clips).model_dump(exclude={"shot_threshold"})
    return digest(VERSION, look.source.source_id, look.shots, rules, CLIP_CRF)


def _document(ctx: Context, look: Look) -> Document:
    """The source's clips, as they were cut when its content had another name, if it had.

    Raises BadInput where it gives none.
    """
    address = _address(ctx, look)
    document = ctx.catalog.products.get(STAGE, address)
    if document is None:
        document = _cut(ctx, look)
        ctx.catalog.products.put(STAGE, address, document)
    return document


def _cut(ctx: Context, look: Look) -> Document:
    path, rules = path_of(ctx, look.file), rules_for(look.file, ctx.recipe.clips)
    pieces = cuts(look.shots, rules)
    if not pieces:
        raise _too_short(look, rules)
    clips, backgrounds = [], dict[int, str]()
    height, width = look.source.height, look.source.width

    def found(behind: list[tuple[int, int]], background: Transparent) -> None:
        with ctx.catalog.media.writing(".png") as out:  # clips have even sides
            write_transparent(out.path, background[: height // 2 * 2, : width // 2 * 2])
        backgrounds.update({first: out.ref for first, _ in behind})

    watched = ShotBackgrounds(look.shots, pieces, look.source.fps, (height, width), found)
    frames = watched.watching(checked(media.iter_frames(path), ctx.check_stop))
    position = 0
    for first, count in pieces:
        ctx.check_stop()
        with ctx.catalog.media.writing(".mp4") as out:
            wanted = islice(frames, first - position, first - position + count)
            media.write_video(out.path, wanted, look.source.fps, crf=CLIP_CRF)
        position = first + count
        clips.append(_stored(ctx, look.source, out.ref, first, count))
    watched.finish()
    clips = [replace(c, background=backgrounds.get(c.first_frame, "")) for c in clips]
    return {"clips": [to_row(clip) for clip in clips]}


def _stored(ctx: Context, source: Source, ref: str, first: int, count: int) -> Clip:
    """The clip as its file has it, which need not be what was asked for."""
    stored = media.probe(ctx.catalog.path(ref))
    if stored.frames != count:
        raise BadInput(
            "corrupt_video",
            f"{source.name}: {stored.frames} frames came of the {count} from frame {first} on; "
            "re-encode it with: ffmpeg -i IN -c:v libx264 OUT.mp4",
        )
    return Clip(
        clip_id=digest("clip", source.source_id, first, count, ref),
        source_id=source.source_id,
        uri=source.uri,
        licence=source.licence,
        video=ref,
        first_frame=first,
        frames=count,
        fps=stored.fps,
        width=stored.width,
        height=stored.height,
    )


def _too_short(look: Look, rules: Clips) -> BadInput:
    longest = max((min(end - first, rules.max_frames) for first, end in look.shots), default=0)
    plural = "" if longest == 1 else "s"
    remedy = "leave it out"
    if longest >= SHORTEST:
        remedy = f"lower clips.min_frames to {longest} in the recipe, or leave it out"
    return BadInput(
        "too_short",
        f"{look.file.name}: its longest stretch without a cut has {longest} frame{plural}, and a "
        f"clip needs {rules.min_frames}; {remedy}",
    )
