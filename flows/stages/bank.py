"""Annotated clips in, references to them out: the bank of objects that swaps take donors from.

Appearances in a few frames per clip are enough, so this costs about a second a clip. They stay in
the journal. Whoever plans the swaps of a shard reads the candidates of its sources, and a sample of
all others that each process reads once.
"""

from __future__ import annotations

import dataclasses
import threading
from array import array
from collections.abc import Container, Sequence
from typing import Any

from catalog import media
from catalog.keys import digest
from experts.annotate.clip import AnnotatedClip
from experts.edit.swap.appearance import STRIDE, VERSION, Appearance, appearance_of
from experts.plan.bank import Bank, DonorCandidate
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.stages.recorded import ClipReference, recorded, reference

STAGE = "bank"

SAMPLE = "donors"
"""The journal's stage that keeps which clips a sample has."""


def run(ctx: Context, shard: Sequence[AnnotatedClip]) -> list[ClipReference]:
    """Those of the shard's clips whose objects' appearances are in the journal now."""
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=_key,
        page=lambda a: a.clip.clip_id,
        work=lambda batch: [_appearances(ctx, annotated) for annotated in batch],
        name=lambda annotated: annotated.clip.clip_id,
    )
    return [reference(annotated) for annotated, _ in documents]


def candidates(
    ctx: Context, clips: Sequence[AnnotatedClip], only: Container[str] | None = None
) -> list[DonorCandidate]:
    """The objects of clips that have been through :func:`run`, with their appearances, which take
    some 20 kB each: all, or those of the tracks of these ids."""
    return [
        DonorCandidate(
            annotated.clip,
            track,
            tuple(annotated.tracks),
            tuple(Appearance(**row) for row in rows),
        )
        for annotated in clips
        for track, rows in zip(annotated.tracks, _known(ctx, annotated), strict=True)
        if only is None or track.track_id in only
    ]


def keep_sample(ctx: Context, clips: Sequence[ClipReference]) -> str:
    """The key under which any worker finds these clips, whose objects, as far as they are named
    here, are offered to all."""
    document = {"clips": [each.row() for each in clips]}
    key = digest(document)
    if ctx.catalog.products.get(SAMPLE, key) is None:
        ctx.catalog.products.put(SAMPLE, key, document)
    return key


def bank_of(ctx: Context, sources: Sequence[AnnotatedClip], sample: str) -> Bank:
    """The bank that offers the sources of these clips what a bank of the whole build would;
    `sources` are all clips of these sources, `sample` is as :func:`keep_sample` returned it."""
    with _reading:
        if ctx.donors is None:
            document = ctx.catalog.products.get(SAMPLE, sample) or {}
            clips = [ClipReference.of_row(row) for row in document["clips"]]
            offered = {track for clip in clips for track, _ in clip.tracks}
            ctx.donors = Bank(
                [
                    candidate
                    for annotated in map(_packed, recorded(ctx, clips))
                    for candidate in candidates(ctx, [annotated], offered)
                ]
            )
    return Bank(candidates(ctx, sources), ctx.donors)


_reading = threading.Lock()


def _packed(annotated: AnnotatedClip) -> AnnotatedClip:
    """The same, its tracks' numbers in arrays: what stays in memory takes a fifth of what lists of
    Python's floats do."""
    tracks = [
        dataclasses.replace(
            track,
            boxes=array("d", track.boxes),  # type: ignore[arg-type]
            confidence=array("d", track.confidence),  # type: ignore[arg-type]
        )
        for track in annotated.tracks
    ]
    return dataclasses.replace(annotated, tracks=tracks)


def _key(annotated: AnnotatedClip) -> str:
    tracks = [(track.masks, track.label) for track in annotated.tracks]
    return digest(VERSION, STRIDE, annotated.clip.video, tracks)


def _known(ctx: Context, annotated: AnnotatedClip) -> list[list[dict[str, Any]]]:
    """Per track its appearances; none where looking at the clip has failed."""
    page = ctx.catalog.products.page(STAGE, annotated.clip.clip_id)
    document = page.get(_key(annotated)) or _appearances(ctx, annotated)
    found: list[list[dict[str, Any]]] = document["appearances"]
    return found


def _appearances(ctx: Context, annotated: AnnotatedClip) -> Document:
    """Per track its appearances, in every STRIDE-th frame in which it is alive."""
    path = ctx.catalog.path
    frames = media.read_video(path(annotated.clip.video), stride=STRIDE)
    masks = [media.read_masks(path(t.masks))[::STRIDE] for t in annotated.tracks]
    found: list[list[dict[str, object]]] = []
    for track, own in zip(annotated.tracks, masks, strict=True):
        rows = []
        for k, frame in enumerate(frames):
            if not own[k].any():
                continue
            others = [m[k] for m in masks if m is not own]
            one = appearance_of(frame, own[k], others, k * STRIDE, track.label)
            rows += [dataclasses.asdict(one)] if one is not None else []
        found.append(rows)
    return {"appearances": found}
