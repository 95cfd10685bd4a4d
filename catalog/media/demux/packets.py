"""One pass over a file's packets: how many frames there are, their timestamps, and whether the file
is as long as its header says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from catalog.media.demux.container import (
    corrupt,
    is_complete,
    open_stream,
    open_video,
    packets,
    unreadable,
)
from catalog.media.demux.timing import Timestamps
from catalog.media.frames import decode_frames

MAX_MISSING = 2
"""How many more packets than decoded frames there may be (packed B-frames, a broken last one)."""

MIN_DURATION_SHARE = 0.9
"""A file that ends before this share of the duration in its header is truncated."""

NO_DURATION = frozenset({"mpeg", "mpegts"})
"""Containers whose header has no duration: FFmpeg computes it from the timestamps."""


@dataclass(slots=True)
class StreamPackets:
    """The packets of one video stream, in decoding order."""

    timestamps: list[Timestamps]
    keyframes: list[int]  # indices into `timestamps`
    discarded: int = 0  # number of packets that an edit list cuts off, or that are empty
    discarded_keyframe: bool = False  # before the first frame: that one can be decoded with it

    @property
    def skips_to_keyframe(self) -> bool:
        """Whether there are frames before the first keyframe, which cannot be decoded."""
        return bool(self.keyframes) and self.keyframes[0] > 0 and not self.discarded_keyframe


def read_packets(path: Path, container: Any) -> tuple[dict[int, StreamPackets], float]:
    """The packets of every video stream by its index, and the time at which the last packet of any
    stream ends, in seconds."""
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
                found.discarded += 1
                found.discarded_keyframe |= packet.is_keyframe and not found.timestamps
                continue
            if packet.is_keyframe:
                found.keyframes.append(len(found.timestamps))
            found.timestamps.append((packet.pts, packet.dts))
    except (av.FFmpegError, OSError) as error:
        raise unreadable(path, error, "damaged") from None
    return streams, end


def decodable(found: StreamPackets) -> tuple[Sequence[Timestamps], int]:
    """The timestamps of the frames that can be decoded, and how many frames before them cannot.

    A recording that starts, or was cut without re-encoding, between keyframes begins with frames
    that refer to missing ones: all before the first keyframe, and those behind it in decoding order
    that are shown before it (the leading pictures of an open GOP).
    """
    if not found.keyframes or found.discarded_keyframe:
        return found.timestamps, 0
    first = found.keyframes[0]
    shown = found.timestamps[first][0]
    rest = found.timestamps[first + 1 :]
    leading = 0
    if shown is not None:  # leading pictures may have no time, or one that FFmpeg guessed
        times = np.unique([pts for pts, _ in found.timestamps if pts is not None])
        slack = int(np.median(np.diff(times))) // 8 if len(times) > 1 else 0
        before = [pts is None or pts <= shown + slack for pts, _ in rest]
        leading = before.index(False) if False in before else 0
    kept = [found.timestamps[first], *rest[leading:]]
    return kept, first + leading


def check_complete(path: Path, container: Any, stream: int, packets_read: int, end: float) -> None:
    """Raise BadInput (`corrupt_video`) for a truncated file: its header says that stream has more
    than `packets_read` packets, or that the file lasts longer than `end` seconds."""
    # Only MP4's index lists its frames; AVI's header counts empty slots, others guess.
    listed = container.streams[stream].frames if "mp4" in container.format.name else 0
    if listed - packets_read > MAX_MISSING:
        what = f"{listed} promised"
    else:
        stated = (container.duration or 0) / av.time_base
        seconds = end - (container.start_time or 0) / av.time_base
        if (
            container.format.name in NO_DURATION
            or seconds >= MIN_DURATION_SHARE * stated
            or stated - seconds <= 1
        ):
            return
        if is_complete(path):
            return  # its last frame is shown for the rest of the duration
        what = f"{seconds:.1f} s of {stated:.1f} s promised"
    raise corrupt(path, f"truncated: {_count_good(path, stream)} good frames, {what}")


def _count_good(path: Path, stream: int) -> int:
    good = 0
    with open_video(path) as container:
        try:
            for frame in decode_frames(container, open_stream(container, stream), None, False):
                if frame.is_corrupt:
                    break
                good += 1
        except (av.FFmpegError, OSError):
            pass
    return good
