"""What lies among a recipe's sources, by a look that decodes next to nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from catalog import media
from catalog.errors import BadInput
from catalog.media import VideoInfo
from flows.sources.source import SourceFile

LOOKED_AT = 8
"""Videos in which objects are looked for, spread evenly over the folder."""

FRAMES_EACH = 3
"""Frames of each: the first, the middle and the last. The detector takes about a third of a
core-second for one."""

LONG_SIDE = 1280
"""px a frame is shrunk to before: the detector's tiles are 448 px wide."""


@dataclass(frozen=True, slots=True)
class Video:
    """A video that can be footage."""

    file: SourceFile
    info: VideoInfo


@dataclass(frozen=True, slots=True)
class ReadableVideos:
    """The videos that can be read, and of the others the reason in a line each."""

    videos: list[Video]
    refused: list[str]

    @property
    def seconds(self) -> float:
        """The length of all videos together."""
        return sum(video.info.duration for video in self.videos)


@dataclass(frozen=True, slots=True)
class Sighting:
    """The video in which a label was seen, and the detector's highest score for it there."""

    video: str
    score: float


@dataclass(frozen=True, slots=True)
class Objects:
    """What the detector saw: in how many of the `looked_at` videos each label was, commonest
    first. `doubtful` are the labels that one of several videos had, and not surely."""

    looked_at: int
    videos: dict[str, int] = field(default_factory=dict)
    doubtful: dict[str, Sighting] = field(default_factory=dict)


def probed(files: Iterable[SourceFile]) -> ReadableVideos:
    """What each file is; its packets are read, its pictures are not decoded. One of a single frame
    counts as one that cannot be read: its rate means nothing."""
    videos, refused = [], []
    for file in files:
        if file.refusal is not None:
            refused.append(file.refusal.message)
            continue
        try:
            info = media.probe(file.path)
        except BadInput as error:
            refused.append(str(error))
            continue
        if info.frames < 2:  # and so no rate; a build leaves it out as too short
            refused.append(f"{file.path}: a single frame, which is no video; leave it out")
            continue
        videos.append(Video(file, info))
    return ReadableVideos(videos, refused)


def objects_in(videos: Sequence[Video], min_score: float) -> Objects:
    """The objects in a few frames of a few videos that the detector is at least so sure of.

    Raises EditmillError where its weights cannot be had.
    """
    from experts.annotate.captions.labels import SURE
    from experts.annotate.detection.detect import Detector

    detector = Detector(threshold=min_score)
    detector.load()
    step = max(1.0, len(videos) / LOOKED_AT)
    chosen = [videos[int(k * step)] for k in range(min(LOOKED_AT, len(videos)))]
    seen: dict[str, list[Sighting]] = {}
    looked_at = 0
    for video in chosen:
        try:
            frames = media.sample_frames(video.file.path, FRAMES_EACH, LONG_SIDE)
        except BadInput:  # damaged further on; the build will say where
            continue
        looked_at += 1
        best: dict[str, float] = {}
        for one in (one for found in detector.detect([*frames]) for one in found):
            best[one.label] = max(one.score, best.get(one.label, 0.0))
        for label, score in best.items():
            seen.setdefault(label, []).append(Sighting(video.file.name, score))
    detector.close()
    ordered = sorted(seen, key=lambda label: (-len(seen[label]), label))
    doubtful = {
        label: seen[label][0]
        for label in ordered
        if len(seen[label]) == 1 < looked_at and seen[label][0].score < SURE
    }
    return Objects(looked_at, {label: len(seen[label]) for label in ordered}, doubtful)
