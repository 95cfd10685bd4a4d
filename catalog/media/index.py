"""What a video file really holds: its packets are all read once, but not decoded.

That costs one pass over the file (remembered while it stays the same) and gives what headers only
promise: how many pictures there are, when each is shown, and where decoding can start. It makes
frame numbers exact (also after a seek) and finds truncated files before any model runs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import dropwhile, islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media.container import REMEDY, decoding, main_stream, open_video, unreadable
from catalog.media.frames import alpha_decoder, decoded, parity
from catalog.media.packets import StreamPackets, decodable, read_packets, refuse_truncated
from catalog.media.picture import PictureFormat, read_format
from catalog.media.timing import Stamp, Timing, timing

UNTIMED = frozenset({"avi", "mpeg"})
"""Containers that store few presentation times or none; FFmpeg's guesses mislead."""

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
    picture_format: PictureFormat
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


@functools.lru_cache(maxsize=256)
def _index_of(path: Path, _mtime_ns: int, _size: int) -> Index:
    with open_video(path) as container:
        streams, end = read_packets(path, container)
        stream = main_stream(path, container, {k: len(v.stamps) for k, v in streams.items()})
        found = streams[stream.index]
        refuse_truncated(path, container, stream.index, len(found.stamps) + found.hidden, end)
        timed = container.format.name not in UNTIMED
        decoder = alpha_decoder(stream)
        pictures = _pictures(path, stream, found, decoder, timed)
        when, frames = pictures.when, pictures.frames
        picture_format = read_format(path, frames[0], stream.sample_aspect_ratio)
        height, width = picture_format.display_size
        if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
            raise BadInput("too_large", f"{path}: {width}x{height} px is too large; scale it down")
        codec = stream.codec_context.codec.canonical_name
        flagged = any(frame.interlaced_frame for frame in frames)
        if flagged and codec == "hevc":  # which says so of pictures that are one field each
            raise BadInput(
                "field_coded",
                f"{path}: its pictures are single fields; weave them with: "
                "ffmpeg -i IN -vf weave,bwdif OUT.mp4",
            )
        fields = None if flagged else parity(stream)
        interlaced = flagged or fields is not None
        count = pictures.count if when.grid is None else len(when.grid)
        info = VideoInfo(
            width=width,
            height=height,
            fps=when.fps,
            frames=count,
            codec=codec,
            rotation=picture_format.orientation.rotation,
            pix_fmt=frames[0].format.name,
            duration=count / when.fps,
            mirrored=picture_format.orientation.mirrored,
            notes=(*picture_format.notes, *_notes(interlaced, pictures.left_out, when.spliced)),
            breaks=when.breaks,
        )
        keyframes = [found.stamps[k] for k in found.keys] if timed else []
        starts = [(pts, pts if dts is None else dts) for pts, dts in keyframes if pts is not None]
        return Index(
            info=info,
            picture_format=picture_format,
            stream=stream.index,
            decoder=decoder,
            from_key=found.from_key,
            interlaced=interlaced,
            parity=fields,
            stamps=when.stamps,
            spliced=when.spliced,
            starts=tuple(sorted(starts)),
            grid=when.grid,
            pictures=pictures.count,
        )


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Those that can be decoded: how many, when, the first of them, and how many before are not."""

    count: int
    when: Timing
    frames: list[VideoFrame]
    left_out: int


def _pictures(
    path: Path, stream: VideoStream, found: StreamPackets, decoder: str | None, timed: bool
) -> _Pictures:
    kept, left_out = decodable(found)
    base, rates = stream.time_base or Fraction(1), (stream.average_rate, stream.guessed_rate)

    def timed_at(stamps: Sequence[Stamp]) -> Timing:
        return timing(stamps if timed else [(None, dts) for _, dts in stamps], base, rates)

    when = timed_at(kept)
    start = None if when.stamps is None or when.spliced else int(when.stamps[0])
    frames = _first_frames(path, stream.index, decoder, found.from_key, start)
    shown = frames[0].pts
    if start is not None and shown is not None and shown > start:  # those before are not whole
        whole = [stamp for stamp in kept if stamp[0] is not None and stamp[0] >= shown]
        left_out, kept = left_out + len(kept) - len(whole), whole
        when = timed_at(kept)
    return _Pictures(len(kept), when, frames, left_out)


def _notes(interlaced: bool, left_out: int, spliced: bool) -> Iterator[str]:
    if interlaced:
        yield "deinterlaced"
    if left_out:
        which = "picture" if left_out == 1 else f"{left_out} pictures"
        yield f"first {which} left out, which need what was cut away before"
    if spliced:
        yield "parts with clocks of their own joined"


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
