"""What a video file really holds: its packets are all read once, but not decoded.

That costs one pass over the file (remembered while it stays the same) and gives what headers only
promise: how many pictures there are, when each is shown, and where decoding can start. It makes
frame numbers exact (also after a seek) and finds truncated files before any model runs.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import dropwhile, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media.container import (
    REMEDY,
    corrupt,
    decoding,
    is_complete,
    main_stream,
    open_video,
    packets,
    unreadable,
)
from catalog.media.frames import alpha_decoder, decoded, parity
from catalog.media.picture import Look, look
from catalog.media.timing import Stamp, Timing, timing

SWALLOWED = 2
"""Frames a decoder may keep to itself in one read (packed B-frames, a broken last packet)."""

PROMISE = 0.9
"""A file that ends before this share of the duration in its header is taken as truncated."""

UNTIMED = frozenset({"avi", "mpeg"})
"""Containers that store few presentation times or none; FFmpeg's guesses mislead."""

UNPROMISED = frozenset({"mpeg", "mpegts"})
"""Containers without a header that says how long they are: FFmpeg takes it from the times."""

MAX_SIDE = 16384  # px; libx264 encodes no larger picture
MAX_PIXELS = 64_000_000
"""A picture of more (8K has 33 million) is a mistake or an attack, and fills the memory."""

FIRST_FRAMES = 3
"""Decoded to see what frames look like; one interlaced picture among them is enough."""

MOST_BROKEN = 300
"""Frames looked at for the first whole one: a recording begins within a few groups of pictures."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video is, as displayed: rotation and pixel shape are already applied to the size."""

    width: int  # px
    height: int  # px
    fps: float
    frames: int  # on the grid of `fps`
    codec: str
    rotation: int  # degrees counter-clockwise the coded picture is turned for display: 0, 90, …
    pix_fmt: str
    duration: float  # s
    mirrored: bool = False  # whether it is displayed as its mirror image
    notes: tuple[str, ...] = ()
    """What is done to the pictures, or was left out, in words: tone-mapped, deinterlaced …"""
    breaks: tuple[tuple[int, int], ...] = ()
    """Half-open runs of frames in which one picture stands still for a second or more; an empty
    run is where the clock leaps. A clip should hold and span none."""


@dataclass(frozen=True, slots=True)
class Index:
    """All that reading frames by number takes."""

    info: VideoInfo
    look: Look
    stream: int  # its index in the container
    decoder: str | None  # where it is not the stream's own
    from_key: bool  # the file begins with pictures that cannot be decoded
    interlaced: bool
    parity: str | None  # `tff` or `bff` where only the container says that it is
    stamps: NDArray[np.int64] | None  # the decoder's time of each picture; None: count them
    spliced: bool  # stamps do not only rise
    starts: tuple[tuple[int, int], ...]  # (presentation, decoding) time of keyframes, sorted
    grid: NDArray[np.int64] | None  # picture shown at each tick, where not every one is once
    pictures: int


def index_of(path: str | Path) -> Index:
    """The index of the video at `path`.

    Raises BadInput: `missing_file`, `unreadable_file` (both may pass), `corrupt_video` (or shorter
    than its header promises), `no_video_stream`, `no_frames`, `too_large`, `unknown_colours`.
    """
    path = Path(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise BadInput(
            "missing_file",
            f"{path}: cannot be found ({error.strerror}); check the path",
            final=False,
        ) from None
    return _index_of(path, stat.st_mtime_ns, stat.st_size)


@dataclass(slots=True)
class _Packets:
    """Of one stream, in decoding order."""

    stamps: list[Stamp]
    keys: list[int]  # numbers, in `stamps`, of the keyframes
    hidden: int = 0  # cut off by an edit list, or empty slots
    led: bool = False  # a keyframe that is cut off lets the first pictures be decoded


@functools.lru_cache(maxsize=256)
def _index_of(path: Path, _mtime_ns: int, _size: int) -> Index:
    with open_video(path) as container:
        streams, end = _packets(path, container)
        pictures = {number: len(found.stamps) for number, found in streams.items()}
        stream = main_stream(path, container, pictures)
        found = streams[stream.index]
        _refuse_truncated(path, container, stream.index, len(found.stamps) + found.hidden, end)
        kept, left_out = _decodable(found)
        if not kept:
            raise BadInput("no_frames", f"{path}: holds no keyframe to begin with; {REMEDY}")
        timed = container.format.name not in UNTIMED
        rates = (stream.average_rate, stream.guessed_rate)
        base = stream.time_base or Fraction(1)

        def timed_at(stamps: Sequence[Stamp]) -> Timing:
            given = stamps if timed else [(None, dts) for _, dts in stamps]
            return timing(given, base, rates)

        when = timed_at(kept)
        decoder = alpha_decoder(stream)
        from_key = bool(found.keys) and found.keys[0] > 0 and not found.led
        first_stamp = None if when.stamps is None or when.spliced else int(when.stamps[0])
        frames = _first_frames(path, stream.index, decoder, from_key, first_stamp)
        shown = frames[0].pts
        if first_stamp is not None and shown is not None and shown > first_stamp:
            whole = [stamp for stamp in kept if stamp[0] is not None and stamp[0] >= shown]
            left_out, kept = left_out + len(kept) - len(whole), whole
            when = timed_at(kept)
        appearance = look(path, frames[0], stream.sample_aspect_ratio)
        height, width = appearance.size
        if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
            raise BadInput("too_large", f"{path}: {width}x{height} px is too large; scale it down")
        flagged = any(frame.interlaced_frame for frame in frames)
        fields = None if flagged else parity(stream)
        interlaced = flagged or fields is not None
        codec = stream.codec_context.codec.canonical_name
        if flagged and codec == "hevc":  # which says so of pictures that are one field each
            raise BadInput(
                "field_coded",
                f"{path}: its pictures are single fields; weave them with: "
                "ffmpeg -i IN -vf weave,bwdif OUT.mp4",
            )
        notes = [*appearance.notes]
        if interlaced:
            notes.append("deinterlaced")
        if left_out:
            which = "picture" if left_out == 1 else f"{left_out} pictures"
            notes.append(f"first {which} left out, which need what was cut away before")
        if when.spliced:
            notes.append("parts with clocks of their own joined")
        count = len(kept) if when.grid is None else len(when.grid)
        info = VideoInfo(
            width=width,
            height=height,
            fps=when.fps,
            frames=count,
            codec=codec,
            rotation=appearance.orientation.rotation,
            pix_fmt=frames[0].format.name,
            duration=count / when.fps,
            mirrored=appearance.orientation.mirrored,
            notes=tuple(notes),
            breaks=when.breaks,
        )
        starts = [
            (pts, pts if dts is None else dts)
            for pts, dts in (found.stamps[k] for k in found.keys)
            if timed and pts is not None
        ]
        return Index(
            info=info,
            look=appearance,
            stream=stream.index,
            decoder=decoder,
            from_key=from_key,
            interlaced=interlaced,
            parity=fields,
            stamps=when.stamps,
            spliced=when.spliced,
            starts=tuple(sorted(starts)),
            grid=when.grid,
            pictures=len(kept),
        )


def _packets(path: Path, container: Any) -> tuple[dict[int, _Packets], float]:
    """The packets of every video stream, by its index; and where the last of any stream ends, s."""
    streams = {stream.index: _Packets([], []) for stream in container.streams.video}
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


def _decodable(found: _Packets) -> tuple[Sequence[Stamp], int]:
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


def _first_frames(
    path: Path, stream: int, decoder: str | None, from_key: bool, first_stamp: int | None
) -> list[VideoFrame]:
    """The first FIRST_FRAMES whole frames, from the first picture of the index on."""
    with open_video(path) as container:
        try:
            frames = (
                frame
                for frame in decoded(container, decoding(container, stream), decoder, from_key)
                if first_stamp is None or frame.pts is None or frame.pts >= first_stamp
            )
            whole = dropwhile(lambda frame: frame.is_corrupt, islice(frames, MOST_BROKEN))
            found = list(islice(whole, FIRST_FRAMES))
        except (av.FFmpegError, OSError) as error:
            raise unreadable(path, error, "0 good frames") from None
    if not found:
        raise BadInput("no_frames", f"{path}: none of its frames can be decoded; {REMEDY}")
    return found


def _refuse_truncated(path: Path, container: Any, stream: int, packets: int, end: float) -> None:
    """Raise BadInput where the file holds fewer packets or seconds than its header promises."""
    # Only MP4's index lists its frames; AVI's header counts empty slots, others guess.
    listed = container.streams[stream].frames if "mp4" in container.format.name else 0
    if listed - packets > SWALLOWED:
        what = f"{listed} promised"
    else:
        promised = (container.duration or 0) / av.time_base
        held = end - (container.start_time or 0) / av.time_base
        if (
            container.format.name in UNPROMISED
            or held >= PROMISE * promised
            or promised - held <= 1
        ):
            return
        if is_complete(path):
            return  # its last picture stands for the rest
        what = f"{held:.1f} s of {promised:.1f} s promised"
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
