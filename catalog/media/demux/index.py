"""The index of a video file: what reading all its packets, without decoding them, tells.

Headers only estimate it: how many frames there are, when each is shown, and where the keyframes
are. With the index, frame numbers are exact, also after a seek, and truncated files are found
before any model runs. It costs one pass over the file and is kept while the file does not change.
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
from catalog.media.demux.container import REMEDY, main_stream, open_stream, open_video, unreadable
from catalog.media.demux.packets import StreamPackets, check_complete, decodable, read_packets
from catalog.media.demux.timing import Timestamps, Timing, timing
from catalog.media.frames import alpha_decoder, decode_frames, field_parity
from catalog.media.picture import PictureFormat, read_format

WITHOUT_PTS = frozenset({"avi", "mpeg"})
"""Containers that store few presentation timestamps or none; FFmpeg's guesses are unreliable."""

MAX_SIDE = 16384  # px; libx264 encodes no larger picture
MAX_PIXELS = 64_000_000
"""Pixels per frame (8K has 33 million); more is a mistake or an attack, and fills the memory."""

MAX_RATE = 1000.0
"""Frames a second; more is a clock that went wrong, and no encoder takes it."""

FIRST_FRAMES = 3
"""Frames decoded to learn the format; the video is interlaced if one of them is."""

MAX_BROKEN = 300
"""Frames decoded in search of the first intact one, which comes within a few groups of pictures."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Properties of a video as displayed: rotation and pixel shape are applied to the size."""

    width: int  # px
    height: int  # px
    fps: float
    frames: int  # on the grid of `fps`
    codec: str
    rotation: int  # degrees counter-clockwise that frames are rotated for display: 0, 90, 180, 270
    pix_fmt: str
    duration: float  # s
    mirrored: bool = False  # whether frames are mirrored for display too
    notes: tuple[str, ...] = ()
    """In words, how frames are changed or left out on reading: tone-mapped, deinterlaced …"""
    breaks: tuple[tuple[int, int], ...] = ()
    """Half-open ranges of frames that repeat one picture for a second or more. An empty range marks
    where timestamps jump. A clip should neither contain nor cross one."""


@dataclass(frozen=True, slots=True)
class Index:
    """What is needed to read frames by number."""

    info: VideoInfo
    picture_format: PictureFormat
    stream: int  # its index in the container
    decoder: str | None  # name, if not the stream's default one
    skip_to_keyframe: bool  # the frames before the first keyframe cannot be decoded
    interlaced: bool
    parity: str | None  # `tff` or `bff`, if the container says it is interlaced, not the frames
    pts: NDArray[np.int64] | None  # of each decoded frame, in the order shown; None: count them
    spliced: bool  # `pts` jumps back somewhere
    keyframes: tuple[tuple[int, int], ...]  # (pts, dts), sorted
    grid: NDArray[np.int64] | None  # decoded frame shown at each tick; None: each frame once
    decodable: int  # number of decoded frames


def index_of(path: str | Path) -> Index:
    """The index of the video at `path`.

    Raises BadInput: `missing_file`, `unreadable_file` (both not final), `corrupt_video` (also if
    shorter than its header says), `no_video_stream`, `no_frames`, `too_large`, `unusable_rate`,
    `unknown_colours`.
    """
    return _index_of(Path(path), *state_of(path))


def state_of(path: str | Path) -> tuple[int, int]:
    """When the file was changed (ns) and its bytes: another content has another state.

    Raises BadInput (`missing_file`, not final).
    """
    try:
        stat = Path(path).stat()
    except (OSError, ValueError) as error:  # ValueError: a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(
            "missing_file",
            f"{path}: cannot be found ({reason}); check the path",
            final=False,
        ) from None
    return stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=256)
def _index_of(path: Path, _mtime_ns: int, _size: int) -> Index:
    with open_video(path) as container:
        streams, end = read_packets(path, container)
        stream = main_stream(path, container, {k: len(v.timestamps) for k, v in streams.items()})
        coded = stream.codec_context  # what its header says, before a frame of it fills the memory
        _check_size(path, coded.width, coded.height)
        found = streams[stream.index]
        packets_read = len(found.timestamps) + found.discarded
        check_complete(path, container, stream.index, packets_read, end)
        has_pts = container.format.name not in WITHOUT_PTS
        decoder = alpha_decoder(stream)
        decoded = _decodable_frames(path, stream, found, decoder, has_pts)
        times, frames = decoded.timing, decoded.first
        if not 0 < times.fps <= MAX_RATE:
            raise BadInput(
                "unusable_rate",
                f"{path}: shows {times.fps:.6g} frames a second by its clock; set it right with: "
                "ffmpeg -r 25 -i IN -c:v libx264 OUT.mp4",
            )
        picture_format = read_format(path, frames[0], stream.sample_aspect_ratio)
        height, width = picture_format.display_size
        _check_size(path, width, height)
        codec = stream.codec_context.codec.canonical_name
        flagged = any(frame.interlaced_frame for frame in frames)
        if flagged and codec == "hevc":  # which says so of pictures that are one field each
            raise BadInput(
                "field_coded",
                f"{path}: its pictures are single fields; weave them with: "
                "ffmpeg -i IN -vf weave,bwdif OUT.mp4",
            )
        fields = None if flagged else field_parity(stream)
        interlaced = flagged or fields is not None
        count = decoded.count if times.grid is None else len(times.grid)
        info = VideoInfo(
            width=width,
            height=height,
            fps=times.fps,
            frames=count,
            codec=codec,
            rotation=picture_format.orientation.rotation,
            pix_fmt=frames[0].format.name,
            duration=count / times.fps,
            mirrored=picture_format.orientation.mirrored,
            notes=(*picture_format.notes, *_notes(interlaced, decoded.left_out, times.spliced)),
            breaks=times.breaks,
        )
        timestamps = [found.timestamps[k] for k in found.keyframes] if has_pts else []
        keyframes = [
            (pts, pts if dts is None else dts) for pts, dts in timestamps if pts is not None
        ]
        return Index(
            info=info,
            picture_format=picture_format,
            stream=stream.index,
            decoder=decoder,
            skip_to_keyframe=found.skips_to_keyframe,
            interlaced=interlaced,
            parity=fields,
            pts=times.pts,
            spliced=times.spliced,
            keyframes=tuple(sorted(keyframes)),
            grid=times.grid,
            decodable=decoded.count,
        )


def _check_size(path: Path, width: int, height: int) -> None:
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise BadInput("too_large", f"{path}: {width}x{height} px is too large; scale it down")


@dataclass(frozen=True, slots=True)
class _DecodableFrames:
    """The frames that can be decoded."""

    count: int
    timing: Timing
    first: list[VideoFrame]  # up to FIRST_FRAMES
    left_out: int  # frames before these, which cannot be decoded


def _decodable_frames(
    path: Path, stream: VideoStream, found: StreamPackets, decoder: str | None, has_pts: bool
) -> _DecodableFrames:
    kept, left_out = decodable(found)
    base, rates = stream.time_base or Fraction(1), (stream.average_rate, stream.guessed_rate)

    def timing_of(packets: Sequence[Timestamps]) -> Timing:
        return timing(packets if has_pts else [(None, dts) for _, dts in packets], base, rates)

    times = timing_of(kept)
    start = None if times.pts is None or times.spliced else int(times.pts[0])
    frames = _first_frames(path, stream.index, decoder, found.skips_to_keyframe, start)
    shown = frames[0].pts
    if start is not None and shown is not None and shown > start:  # those before are broken
        intact = [t for t in kept if t[0] is not None and t[0] >= shown]
        left_out, kept = left_out + len(kept) - len(intact), intact
        times = timing_of(kept)
    return _DecodableFrames(len(kept), times, frames, left_out)


def _notes(interlaced: bool, left_out: int, spliced: bool) -> Iterator[str]:
    if interlaced:
        yield "deinterlaced"
    if left_out:
        which = "picture" if left_out == 1 else f"{left_out} pictures"
        yield f"first {which} left out, which need what was cut away before"
    if spliced:
        yield "parts with clocks of their own joined"


def _first_frames(
    path: Path, stream: int, decoder: str | None, skip_to_keyframe: bool, first_pts: int | None
) -> list[VideoFrame]:
    """The first FIRST_FRAMES intact frames shown at `first_pts` or later."""
    with open_video(path) as container:
        opened = open_stream(container, stream)
        try:
            frames = (
                frame
                for frame in decode_frames(container, opened, decoder, skip_to_keyframe)
                if first_pts is None or frame.pts is None or frame.pts >= first_pts
            )
            intact = dropwhile(lambda frame: frame.is_corrupt, islice(frames, MAX_BROKEN))
            found = list(islice(intact, FIRST_FRAMES))
        except (av.FFmpegError, OSError) as error:
            raise unreadable(path, error, "0 good frames") from None
    if not found:
        raise BadInput("no_frames", f"{path}: none of its frames can be decoded; {REMEDY}")
    return found
