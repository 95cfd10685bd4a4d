"""A file's packets, all read once: how many pictures there are, at which times, and whether the
file is as long as its header promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from catalog.media.container import corrupt, decoding, is_complete, open_video, packets, unreadable
from catalog.media.frames import decoded
from catalog.media.timing import Stamp

SWALLOWED = 2
"""Frames a decoder may keep to itself in one read (packed B-frames, a broken last packet)."""

PROMISE = 0.9
"""A file that ends before this share of the duration in its header is taken as truncated."""

UNPROMISED = frozenset({"mpeg", "mpegts"})
"""Containers without a header that says how long they are: FFmpeg takes it from the times."""


@dataclass(slots=True)
class StreamPackets:
    """Of one stream, in decoding order."""

    stamps: list[Stamp]
    keys: list[int]  # numbers, in `stamps`, of the keyframes
    hidden: int = 0  # cut off by an edit list, or empty slots
    led: bool = False  # a keyframe that is cut off lets the first pictures be decoded

    @property
    def from_key(self) -> bool:
        """Whether there are pictures before the first keyframe, which cannot be decoded."""
        return bool(self.keys) and self.keys[0] > 0 and not self.led


def read_packets(path: Path, container: Any) -> tuple[dict[int, StreamPackets], float]:
    """The packets of every video stream, by its index; and where the last of any stream ends, s."""
    streams = {stream.index: StreamPackets([], []) for stream in container.streams.video}
    end = 0.0
    try:
        for packet in packets(container):
            if packet.dts is None and packet.pts is None and packet.size == 0:
                continue  # the demuxer's flush packet
            time = packet.pts if packet.pts is not None else packet.dts
            if time is not None and packet.time_base is not None:
                end = max(end, float((time + (packet.duration or 0)) * packet.time_base))
            found = streams.get(packet.stream_index)
            if found is None:
                continue
            if packet.is_discard or packet.size == 0:
                found.hidden += 1
                found.led |= packet.is_keyframe and not found.stamps
                continue
            if packet.is_keyframe:
                found.keys.append(len(found.stamps))
            found.stamps.append((packet.pts, packet.dts))
    except (av.FFmpegError, OSError) as error:
        raise unreadable(path, error, "damaged") from None
    return streams, end


def decodable(found: StreamPackets) -> tuple[Sequence[Stamp], int]:
    """The stamps of packets that the file holds all of, and how many others begin it.

    A recording that was switched on, or cut by copy, between keyframes begins with pictures that
    need those before: all up to the first keyframe, and after it those that are shown before it.
    """
    if not found.keys or found.led:
        return found.stamps, 0
    first = found.keys[0]
    shown = found.stamps[first][0]
    rest = found.stamps[first + 1 :]
    leading = 0
    if shown is not None:  # such pictures may have no time at all, or one made up
        times = np.unique([pts for pts, _ in found.stamps if pts is not None])
        slack = int(np.median(np.diff(times))) // 8 if len(times) > 1 else 0
        before = [pts is None or pts <= shown + slack for pts, _ in rest]
        leading = before.index(False) if False in before else 0
    kept = [found.stamps[first], *rest[leading:]]
    return kept, first + leading


def refuse_truncated(path: Path, container: Any, stream: int, held: int, end: float) -> None:
    """Raises BadInput (`corrupt_video`) where the file's header promises more: more packets than
    the stream `held`, or more seconds than up to its `end`."""
    # Only MP4's index lists its frames; AVI's header counts empty slots, others guess.
    listed = container.streams[stream].frames if "mp4" in container.format.name else 0
    if listed - held > SWALLOWED:
        what = f"{listed} promised"
    else:
        promised = (container.duration or 0) / av.time_base
        seconds = end - (container.start_time or 0) / av.time_base
        if (
            container.format.name in UNPROMISED
            or seconds >= PROMISE * promised
            or promised - seconds <= 1
        ):
            return
        if is_complete(path):
            return  # its last picture stands for the rest
        what = f"{seconds:.1f} s of {promised:.1f} s promised"
    raise corrupt(path, f"truncated: {_count_good(path, stream)} good frames, {what}")


def _count_good(path: Path, stream: int) -> int:
    good = 0
    with open_video(path) as container:
        try:
            for frame in decoded(container, decoding(container, stream), None, False):
                if frame.is_corrupt:
                    break
                good += 1
        except (av.FFmpegError, OSError):
            pass
    return good
