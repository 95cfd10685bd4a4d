"""Source files in, what they show out: one decode gives a file's shots, a fingerprint by which
copies of it are found, and the measures by which footage is refused.

A content is looked at once, whatever its files are named: what was seen is remembered by what the
file holds, and its row in `sources` keeps every name.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog import media
from catalog.errors import BadInput
from catalog.keeping.forget import forgotten_sources
from catalog.keys import digest, file_digest
from catalog.media import VideoInfo
from catalog.records import Failure, Source, failure_id, from_row, to_row
from experts.annotate.shots import INPUT_SIZE, ShotDetector
from experts.base import Frames
from experts.memory import using
from experts.providers import chosen
from filters.footage import measurer as measuring
from filters.footage.duplicates import fingerprint
from filters.footage.duplicates.fingerprint import Fingerprinter
from filters.footage.measurer import FootageMeasurer
from filters.footage.models import FootageModels, models_for
from filters.footage.rules import refusal
from filters.footage.sampled import LONG_SIDE
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.sources.source import SourceFile
from flows.stages.clips.fetch import path_of

STAGE = "look"
VERSION = "1"
"""Rises whenever the same file may give another document."""

CONTENTS = "contents"
"""The journal's stage that remembers what each state of a file holds."""

SAMPLES_PER_SECOND = 2.0
"""Frames that are measured and fingerprinted: a still of half a second is seen."""

State = tuple[int, int]  # size and time of change: another content has another state


@dataclass(frozen=True, slots=True)
class Look:
    """What one source file shows."""

    file: SourceFile
    source: Source
    shots: list[tuple[int, int]]  # first frame and end; no clip goes beyond


def run(ctx: Context, shard: Sequence[SourceFile]) -> list[Look]:
    """The shard's files that can be footage, in its order; the others have rows in `failures`."""
    detector = chosen(ctx.recipe.models.shots, threshold=ctx.recipe.clips.shot_threshold)
    models = models_for(ctx.recipe.footage)
    looking = _Looking(ctx, detector, models, forgotten_sources(ctx.catalog.storage))
    documents = dict(
        journal.run(
            ctx,
            STAGE,
            shard,
            key=looking.key,
            work=lambda batch: [looking.document(file) for file in batch],
            name=lambda file: file.name,
        )
    )
    looks: list[Look] = []
    failures: dict[str, list[Failure]] = {}
    for file in shard:
        document = documents.get(file)
        about = failures.setdefault(f"{STAGE}/verdict on {file.name}", [])
        if document is None:
            about += [_failed_too(copy, file) for copy in file.copies]
            continue
        source = named(from_row(Source, document["source"]), file)
        about += [same_content(copy, source.name, source.licence) for copy in file.copies]
        seconds = source.frames / source.fps
        size = source.width, source.height
        if refused := refusal(source.measures, ctx.recipe.footage, *size, seconds):
            about.append(failure(file, *refused))
            ctx.stats.refuse(STAGE)
            continue
        looks.append(Look(file, source, [(first, end) for first, end in document["shots"]]))
    ctx.catalog.tables.put("failures", failures)
    return looks


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


def failure(file: SourceFile, reason: str, message: str) -> Failure:
    """The row that says why a file gives no footage."""
    text = str(BadInput(reason, message))  # one printable line
    return Failure(failure_id(STAGE, file.name), STAGE, file.name, reason, text)


def same_content(file: SourceFile, name: str, licence: str) -> Failure:
    """The row about a file of the content of another, which goes by `name` and `licence`."""
    message = f"{file.name}: same content as {name}; its clips are made once, as that one's"
    if file.licence != licence:
        message += f", under its licence ({licence})"
    return failure(file, "duplicate", message)


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


def _failed_too(copy: SourceFile, first: SourceFile) -> Failure:
    message = f"{copy.name}: same content as {first.name}, which gives no clip; see why there"
    return failure(copy, "duplicate", message)


@dataclass(slots=True)
class _Looking:
    """Looks at the files of one shard."""

    ctx: Context
    detector: ShotDetector
    models: FootageModels
    forgotten: frozenset[str]  # ids of sources that were taken out of the catalog
    _seen: dict[str, tuple[str, State]] = field(default_factory=dict)  # by name: its content

    def key(self, file: SourceFile) -> str:
        """By its content and name: a message about it names it."""
        if file.refusal is not None:
            return digest(VERSION, file.name, file.refusal.reason, file.refusal.message)
        self._seen[file.name] = self._content(file)
        content = self._seen[file.name][0]
        if content in self.forgotten:
            return digest(VERSION, file.name, content, "forgotten")
        return digest(file.name, self._address(content))

    def document(self, file: SourceFile) -> Document:
        """What the file shows, as another file of the same content did if there was one.

        Raises BadInput where it cannot be read, or changes meanwhile.
        """
        if file.refusal is not None:
            raise file.refusal.error()
        content, state = self._seen[file.name]
        if content in self.forgotten:
            raise BadInput(
                "forgotten",
                f"{file.name}: its content was taken out of this catalog (editmill forget); leave "
                "the file out of the sources",
            )
        products, address = self.ctx.catalog.products, self._address(content)
        document = products.get(STAGE, address)
        if document is None:
            document = self._look(file, content)
            if not file.media and _state(file.path) != state:
                raise BadInput(
                    "changed_file",
                    f"{file.path}: was written to while it was read; build again when it is whole",
                    final=False,
                )
            products.put(STAGE, address, document)
        return document

    def _content(self, file: SourceFile) -> tuple[str, State]:
        """The SHA-256 of what the file holds. That of an unchanged file is remembered: to read
        every source again would cost each build what all of them weigh."""
        if file.media:
            return Path(file.media).stem, (0, 0)
        state = _state(file.path)  # before it is read, so that a change while reading shows
        name = os.fsencode(file.path.absolute()).hex()  # a path need not be text
        products, key = self.ctx.catalog.products, digest(name, state)
        known = products.get(CONTENTS, key)
        if known is None:
            known = {"sha256": file_digest(file.path)}
            products.put(CONTENTS, key, known)
        return known["sha256"], state

    def _address(self, content: str) -> str:
        """All that the document depends on."""
        return digest(
            (VERSION, measuring.VERSION, fingerprint.VERSION),
            content,
            (self.detector.version, self.models.version),
        )

    def _look(self, file: SourceFile, content: str) -> Document:
        path = path_of(self.ctx, file)
        try:
            info = media.probe(path)
            measurer, fingerprinter = FootageMeasurer(self.models), Fingerprinter()
            frames = self._frames(path, info, measurer, fingerprinter)
            with using(self.detector):
                shots = unbroken(self.detector.shots(frames), info.breaks)
        except BadInput as error:
            if not file.media:
                raise
            told = str(error).replace(str(path), file.name)  # its path in the catalog says nothing
            raise BadInput(error.reason, told, final=error.final) from None
        source = Source(
            source_id=content,
            name=file.name,
            uri=file.uri,
            licence=file.licence,
            width=info.width,
            height=info.height,
            fps=info.fps,
            frames=info.frames,
            codec=info.codec,
            notes=list(info.notes),
            fingerprint=fingerprinter.fingerprint().document(),
            measures=measurer.measures(),
        )
        return {"source": to_row(source), "shots": shots}

    def _frames(
        self, path: Path, info: VideoInfo, measurer: FootageMeasurer, fingerprinter: Fingerprinter
    ) -> Iterator[Frames]:
        """Every frame for the shot detector; a few a second go to the others on the way."""
        every = max(1, round(info.fps / SAMPLES_PER_SECOND))
        both = media.iter_frames_and_samples(path, INPUT_SIZE, every, LONG_SIDE)
        for k, (frame, sample) in enumerate(both):
            self.ctx.check_stop()
            if sample is not None:
                measurer.add(k / info.fps, sample)
                fingerprinter.add(k / info.fps, sample)
            yield frame


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
