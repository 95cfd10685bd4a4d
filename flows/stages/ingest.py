"""Sources in, clips out: shots are found, cut to length and stored at their own resolution.

A content is cut once, whatever its files are named: its clips are remembered by what it holds, and
its row in `sources` keeps every name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from catalog import media
from catalog.errors import BadInput
from catalog.keeping.forget import forgotten_sources
from catalog.keys import digest, file_digest
from catalog.records import Clip, Failure, Source, failure_id, from_row, to_row
from experts.annotate.shots import ShotDetector
from experts.instances import ready, shared
from flows.recipe import Clips
from flows.runtime import journal
from flows.runtime.context import Context, checked
from flows.runtime.journal import Document
from flows.sources.copies import joined
from flows.sources.source import SourceFile

STAGE = "ingest"
VERSION = "2"
"""Rises whenever the same file may give other clips, or a document is written otherwise."""

CLIP_CRF = 15
"""Clips are an intermediate from which every edit is made, so nearly lossless."""

SHORTEST = 2
"""Frames; no recipe may ask for shorter clips."""

State = tuple[int, int]  # size and time of change: another content has another state


def distinct(ctx: Context, files: Sequence[SourceFile]) -> list[SourceFile]:
    """The build's sources, each content once (:mod:`flows.sources.copies`)."""
    return joined(files)


def run(ctx: Context, shard: Sequence[SourceFile]) -> list[Clip]:
    """The clips of a shard of source files, each once."""
    rules = ctx.recipe.clips
    detector = shared(ShotDetector, threshold=rules.shot_threshold)
    cutting = _Cutting(ctx, detector, forgotten_sources(ctx.catalog.storage))
    documents = dict(
        journal.run(
            ctx,
            STAGE,
            shard,
            key=cutting.key,
            work=lambda batch: [cutting.document(file) for file in batch],
            name=lambda file: file.name,
        )
    )
    sources: dict[str, list[Source]] = {}
    clips = {}
    copies: dict[str, list[Failure]] = {}
    for file in shard:
        document = documents.get(file)
        about = copies.setdefault(f"{STAGE}/copies of {file.name}", [])
        if document is None:
            about += [_failed_too(copy, file) for copy in file.copies]
            continue
        source = named(from_row(Source, document["source"]), file)
        sources[source.source_id] = [source]
        about += [_duplicate(copy, source) for copy in file.copies]
        for row in document["clips"]:
            clip = from_row(Clip, row)
            clips[clip.clip_id] = dataclasses.replace(
                clip,
                uri=source.uri,
                licence=source.licence,
                author=source.author,
                labels=list(file.section.labels or ()),
            )
    ctx.catalog.tables.put("sources", sources)
    ctx.catalog.tables.put("failures", copies)
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


def unbroken(
    shots: Sequence[tuple[int, int]], breaks: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The shots (first frame, end) without `breaks` (`VideoInfo.breaks`): no clip is made of a
    picture that stands still, nor goes on where the clock leaps."""
    parts = list(shots)
    for start, stop in breaks:
        halves = ((first, min(end, start), max(first, stop), end) for first, end in parts)
        parts = [part for a, b, c, d in halves for part in ((a, b), (c, d)) if part[0] < part[1]]
    return parts


def named(found: Source, file: SourceFile) -> Source:
    """`found` under every name it has now: the file's, then its copies'."""
    names = list(dict.fromkeys(each.name for each in (file, *file.copies)))
    return dataclasses.replace(
        found,
        name=file.name,
        names=names,
        uri=file.uri,
        licence=file.licence,
        author=file.author,
        media=file.media,
    )


def _duplicate(file: SourceFile, source: Source) -> Failure:
    message = f"{file.name}: same content as {source.name}; its clips are made once, as that one's"
    if file.licence != source.licence:
        message += f", under its licence ({source.licence})"
    return _failure(file, "duplicate", message)


def _failed_too(copy: SourceFile, first: SourceFile) -> Failure:
    message = f"{copy.name}: same content as {first.name}, which gives no clip; see why there"
    return _failure(copy, "duplicate", message)


def _failure(file: SourceFile, reason: str, message: str) -> Failure:
    text = str(BadInput(reason, message))  # one printable line
    return Failure(failure_id(STAGE, file.name), STAGE, file.name, reason, text)


@dataclass(slots=True)
class _Cutting:
    """Cuts the files of one shard."""

    ctx: Context
    detector: ShotDetector
    forgotten: frozenset[str]  # ids of sources that were taken out of the catalog
    _seen: dict[str, tuple[str, State]] = field(default_factory=dict)  # by name: its content

    def key(self, file: SourceFile) -> str:
        """By its content and name: a message about it names it."""
        if file.refusal is not None:
            return digest(VERSION, file.name, file.refusal.reason, file.refusal.message)
        state = _state(file.path)  # before it is read, so that a change while reading shows
        self._seen[file.name] = file_digest(file.path), state
        if self._seen[file.name][0] in self.forgotten:
            return digest(VERSION, file.name, self._seen[file.name][0], "forgotten")
        return digest(file.name, self._content(file))

    def document(self, file: SourceFile) -> Document:
        """The file's source and clips, of another file where it has the same content.

        Raises BadInput where it cannot be read, changes meanwhile, or gives no clip.
        """
        if file.refusal is not None:
            raise file.refusal.error()
        if self._seen[file.name][0] in self.forgotten:
            raise BadInput(
                "forgotten",
                f"{file.name}: its content was taken out of this catalog (editmill forget); leave "
                "the file out of the sources",
            )
        products, key = self.ctx.catalog.products, self._content(file)
        document = products.get(STAGE, key)
        if document is None:
            document = self._cut(file)
            if _state(file.path) != self._seen[file.name][1]:
                raise BadInput(
                    "changed_file",
                    f"{file.path}: was written to while it was read; build again when it is whole",
                    final=False,
                )
            products.put(STAGE, key, document)
        return document

    def _content(self, file: SourceFile) -> str:
        """All that the clips depend on."""
        rules = rules_for(file, self.ctx.recipe.clips).model_dump()
        content = self._seen[file.name][0]
        return digest(VERSION, content, rules, self.detector.version, CLIP_CRF)

    def _cut(self, file: SourceFile) -> Document:
        info = media.probe(file.path)
        found = ready(self.detector).shots(file.path, self.ctx.check_stop)
        shots = unbroken(found, info.breaks)
        source = Source(
            source_id=self._seen[file.name][0],
            name=file.name,
            uri=file.uri,
            licence=file.licence,
            width=info.width,
            height=info.height,
            fps=info.fps,
            frames=info.frames,
            codec=info.codec,
            notes=list(info.notes),
        )
        pieces = cuts(shots, rules_for(file, self.ctx.recipe.clips))
        if not pieces:
            raise _too_short(file, shots, rules_for(file, self.ctx.recipe.clips))
        clips = []
        frames = checked(media.iter_frames(file.path), self.ctx.check_stop)
        position = 0
        for first, count in pieces:
            self.ctx.check_stop()
            with self.ctx.catalog.media.writing(".mp4") as out:
                wanted = islice(frames, first - position, first - position + count)
                media.write_video(out.path, wanted, info.fps, crf=CLIP_CRF)
            position = first + count
            clips.append(self._stored(source, out.ref, first, count))
        return {"source": to_row(source), "clips": [to_row(clip) for clip in clips]}

    def _stored(self, source: Source, ref: str, first: int, count: int) -> Clip:
        """The clip as its file has it, which need not be what was asked for."""
        stored = media.probe(self.ctx.catalog.path(ref))
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


def _state(path: Path) -> State:
    try:
        stat = path.stat()
    except OSError as error:
        raise BadInput(
            "unreadable_file",
            f"{path}: cannot be read ({error.strerror}); see that it is there and readable",
            final=False,
        ) from None
    return stat.st_size, stat.st_mtime_ns


def _too_short(file: SourceFile, shots: Sequence[tuple[int, int]], rules: Clips) -> BadInput:
    longest = max((min(end - first, rules.max_frames) for first, end in shots), default=0)
    plural = "" if longest == 1 else "s"
    remedy = "leave it out"
    if longest >= SHORTEST:
        remedy = f"lower clips.min_frames to {longest} in the recipe, or leave it out"
    return BadInput(
        "too_short",
        f"{file.path}: its longest stretch without a cut has {longest} frame{plural}, and a clip "
        f"needs {rules.min_frames}; {remedy}",
    )
