"""Reading videos: any container and codec FFmpeg knows, as RGB frames on a constant-rate grid.

Every file is first *indexed*: its packets are read, not decoded. That costs one pass over the file
(remembered while it stays the same) and gives what headers only promise: how many frames there are,
at which times, and where decoding can start. It makes frame numbers exact (also after a seek),
finds truncated files before any model runs, and tells a variable-rate video from a constant one.

Variable frame rate: frame `k` of a video is the one shown at `k / fps` after the first, that is,
the nearest earlier one; `fps` is the mean rate, so the number of frames stays the same. On a
constant-rate video this is every frame once.

Colour: the matrix and range the stream is tagged with; untagged video is read as players do,
BT.709 from 720 lines on and BT.601 below, limited range. More than 8 bits are rounded to 8. HDR
transfer curves (PQ, HLG) are not tone-mapped.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from catalog.errors import BadInput

MIN_SIDE = 64
"""Smaller videos (px) have nothing to detect or edit; the stages' models start at this size."""

DECODE_THREADS = 2
"""Two shards run side by side on the smallest supported machine, so more would only contend."""

SWALLOWED = 2
"""Frames a decoder may keep to itself in one read (packed B-frames, a broken last packet)."""

PROMISE = 0.9
"""A file that ends before this share of the duration in its header is taken as truncated."""

UNTIMED = ("avi", "mpeg")
"""Containers that store few times or none; FFmpeg's guesses mislead, so frames are counted."""

HD_LINES = 720
"""Untagged video is BT.709 from this height on, BT.601 below: ITU-R's split of HD and SD."""

_ACCURATE = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
_UNTAGGED = 2  # AVCOL_SPC_UNSPECIFIED
_REMEDY = "re-encode it with: ffmpeg -i IN -c:v libx264 OUT.mp4"

Frame = NDArray[np.uint8]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video is, as displayed: rotation and pixel shape are already applied to the size."""

    width: int  # px
    height: int  # px
    fps: float  # mean rate
    frames: int
    codec: str
    rotation: int  # degrees counter-clockwise the coded picture is turned for display: 0, 90, …
    pix_fmt: str
    duration: float  # s


@dataclass(frozen=True, slots=True)
class _Index:
    info: VideoInfo
    coded: Size  # display size before the rotation
    times: NDArray[np.int64] | None  # presentation times, sorted; None where packets have none
    starts: tuple[tuple[int, int], ...]  # (presentation, decoding) time of keyframes, sorted
    grid: NDArray[np.int64] | None  # frame shown at each tick, where the rate varies


def probe(path: str | Path) -> VideoInfo:
    """What the video at `path` is; its packets are all read, but not decoded.

    Raises BadInput: `missing_file`, `unreadable_file`, `corrupt_video` (unreadable, or shorter
    than its header promises), `no_video_stream`, `no_frames`, `too_small` (a side under 64 px).
    """
    info = _index(path).info
    if min(info.width, info.height) < MIN_SIDE:
        raise BadInput(
            "too_small",
            f"{path}: {info.width}x{info.height} is too small; use a video of at least "
            f"{MIN_SIDE} px on each side",
        )
    return info


def iter_frames(
    path: str | Path,
    first: int = 0,
    count: int | None = None,
    stride: int = 1,
    size: Size | None = None,
) -> Iterator[Frame]:
    """Yield frames `first, first + stride, …`, at most `count`, as `[H, W, 3]` uint8 RGB.

    Rotation and pixel shape are applied. A variable-rate video is put on a grid of its mean rate
    (see the module's head). `size` resizes to `(height, width)`: area average when shrinking,
    Lanczos when enlarging. Past the end there is nothing to yield.

    Raises BadInput as :func:`probe` does (but for `too_small`), and `corrupt_video`, naming how
    many frames were good, where the decoder fails or reports damage.
    """
    index = _index(path)
    return _pictures(path, index, _numbers(index, first, count, stride), size)


def read_video(
    path: str | Path,
    first: int = 0,
    count: int | None = None,
    stride: int = 1,
    size: Size | None = None,
) -> Frame:
    """The frames :func:`iter_frames` yields, as one `[T, H, W, 3]` uint8 array."""
    index = _index(path)
    return _stack(path, index, _numbers(index, first, count, stride), size)


def sample_frames(path: str | Path, n: int, long_side: int | None = None) -> Frame:
    """`n` frames evenly spaced from the first to the last, `[n, h, w, 3]` uint8 RGB.

    `long_side` shrinks (never enlarges) to that many px on the longer side. A video of fewer than
    `n` frames gives some of them more than once. Raises BadInput as :func:`iter_frames` does.
    """
    index = _index(path)
    info = index.info
    size = None
    if long_side is not None and long_side < max(info.width, info.height):
        scale = long_side / max(info.width, info.height)
        size = (max(1, round(info.height * scale)), max(1, round(info.width * scale)))
    wanted = np.rint(np.linspace(0, info.frames - 1, n)).astype(int).tolist()
    return _stack(path, index, wanted, size)


def read_masks(
    path: str | Path, first: int = 0, count: int | None = None, size: Size | None = None
) -> NDArray[np.bool_]:
    """Masks of a mask track, `[T, H, W]` bool; `size` resizes to `(height, width)`.

    A resized mask is set where at least half of the pixel's area was. Raises BadInput as
    :func:`iter_frames` does.
    """
    index = _index(path)
    wanted = _numbers(index, first, count, 1)
    height, width = size or (index.info.height, index.info.width)
    masks = np.empty((len(wanted), height, width), bool)
    to_gray = functools.partial(_to_gray, index=index)
    for k, gray in enumerate(_decode(path, index, wanted, to_gray)):
        if gray.shape != (height, width):
            shrinks = height < gray.shape[0] or width < gray.shape[1]
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            gray = cv2.resize(gray, (width, height), interpolation=how)
        masks[k] = gray >= 128
    return masks


def _numbers(index: _Index, first: int, count: int | None, stride: int) -> range:
    if first < 0 or stride < 1 or (count is not None and count < 0):
        raise ValueError(f"no frames are first={first}, count={count}, stride={stride}")
    stop = index.info.frames if count is None else first + count * stride
    return range(first, min(stop, index.info.frames), stride)


def _stack(path: str | Path, index: _Index, wanted: Sequence[int], size: Size | None) -> Frame:
    height, width = size or (index.info.height, index.info.width)
    frames = np.empty((len(wanted), height, width, 3), np.uint8)
    for k, frame in enumerate(_pictures(path, index, wanted, size)):
        frames[k] = frame
    return frames


def _pictures(
    path: str | Path, index: _Index, wanted: Sequence[int], size: Size | None
) -> Iterator[Frame]:
    to_rgb = functools.partial(_to_rgb, index=index, size=size, reformatter=VideoReformatter())
    return _decode(path, index, wanted, to_rgb)


# --- the index -----------------------------------------------------------------------------------


def _index(path: str | Path) -> _Index:
    path = Path(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise BadInput(
            "missing_file", f"{path}: cannot be found ({error.strerror}); check the path"
        ) from None
    return _index_of(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=256)
def _index_of(path: Path, _mtime_ns: int, _size: int) -> _Index:
    with _open(path) as container:
        stream = _video_stream(path, container)
        timed = container.format.name not in UNTIMED
        shown: list[int | None] = []
        starts: list[tuple[int, int]] = []
        hidden = 0
        end = 0.0  # of the last packet of any stream, s
        try:
            for packet in container.demux():
                if packet.dts is None and packet.pts is None and packet.size == 0:
                    continue  # the demuxer's flush packet
                time = packet.pts if packet.pts is not None else packet.dts
                if time is not None and packet.time_base is not None:
                    end = max(end, float((time + (packet.duration or 0)) * packet.time_base))
                if packet.stream_index != stream.index:
                    continue
                if packet.is_discard or packet.size == 0:
                    hidden += 1  # cut off by an edit list, or an empty slot
                    continue
                shown.append(packet.pts if timed else None)
                if timed and packet.is_keyframe and packet.pts is not None:
                    starts.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
        except av.FFmpegError as error:
            raise _corrupt(path, str(error.strerror)) from None
        if not shown:
            raise BadInput("no_frames", f"{path}: holds no video frames; use another file")
        _refuse_truncated(path, container, stream, len(shown) + hidden, end)
        nominal = stream.average_rate or stream.guessed_rate or Fraction(25)
        times, grid, fps = _timing(shown, stream.time_base or Fraction(1), float(nominal))
        first = _first_frame(path)
        rotation = round(first.rotation / 90) * 90 % 360
        aspect = stream.sample_aspect_ratio or Fraction(1)
        coded = (first.height, max(1, round(first.width * aspect)))
        height, width = coded[::-1] if rotation % 180 else coded
        info = VideoInfo(
            width=width,
            height=height,
            fps=fps,
            frames=len(shown),
            codec=stream.codec_context.codec.canonical_name,
            rotation=rotation,
            pix_fmt=first.format.name,
            duration=len(shown) / fps,
        )
        return _Index(info, coded, times, tuple(sorted(starts)), grid)


def _refuse_truncated(
    path: Path, container: Any, stream: VideoStream, packets: int, end: float
) -> None:
    """Raise BadInput where the file holds fewer packets or seconds than its header promises."""
    # Only MP4's index lists its frames; AVI's header counts empty slots, others guess.
    listed = stream.frames if "mp4" in container.format.name else 0
    promised = (container.duration or 0) / av.time_base
    held = end - (container.start_time or 0) / av.time_base
    if listed - packets > SWALLOWED:
        what = f"{listed} promised"
    elif held < PROMISE * promised and promised - held > 1:
        what = f"{held:.1f} s of {promised:.1f} s promised"
    else:
        return
    raise _corrupt(path, f"truncated: {_count_good(path)} good frames, {what}")


def _timing(
    shown: list[int | None], time_base: Fraction, nominal: float
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None, float]:
    """Sorted times, the grid if the rate varies, and the rate."""
    stamped = [pts for pts in shown if pts is not None]
    times = np.array(sorted(stamped), np.int64)
    if len(stamped) < len(shown) or len(np.unique(times)) < len(times):
        return None, None, nominal  # no usable time stamps: frames are counted
    if len(times) == 1:
        return times, None, nominal
    ticks = np.arange(len(times))
    period = (times[-1] - times[0]) / (len(times) - 1)
    at = times[0] + ticks * period
    # A frame half a period or more off its tick would be shown at another one. Containers round
    # times (Matroska to 1 ms), so being off is no sign by itself.
    if np.abs(times - at).max() < period / 2:
        mean = float(1 / (period * time_base))
        return times, None, nominal if abs(nominal / mean - 1) < 1e-3 else mean
    rounding = 1e-6 * period
    grid = np.searchsorted(times, at + rounding, side="right") - 1
    return times, grid, float(1 / (period * time_base))


def _open(path: Path) -> Any:
    try:
        return av.open(str(path))
    except (PermissionError, IsADirectoryError) as error:
        raise BadInput(
            "unreadable_file", f"{path}: cannot be read ({error.strerror}); name a readable file"
        ) from None
    except av.EOFError:
        raise BadInput(
            "no_frames", f"{path}: ends before its first frame; use another file"
        ) from None
    except (av.FFmpegError, OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise _corrupt(path, f"not a readable video ({what})") from None


def _video_stream(path: Path, container: Any) -> VideoStream:
    streams = [s for s in container.streams.video if Disposition.attached_pic not in s.disposition]
    if not streams:
        raise BadInput(
            "no_video_stream", f"{path}: has no video stream; name a file with pictures in it"
        )
    stream: VideoStream = streams[0]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = DECODE_THREADS
    return stream


def _first_frame(path: Path) -> VideoFrame:
    with _open(path) as container:
        try:
            for frame in container.decode(_video_stream(path, container)):
                return frame
        except av.FFmpegError as error:
            raise _corrupt(path, f"0 good frames ({error.strerror})") from None
    raise BadInput("no_frames", f"{path}: none of its frames can be decoded; {_REMEDY}")


def _count_good(path: Path) -> int:
    good = 0
    with _open(path) as container:
        try:
            for frame in container.decode(_video_stream(path, container)):
                if frame.is_corrupt:
                    break
                good += 1
        except av.FFmpegError:
            pass
    return good


def _corrupt(path: str | Path, what: str) -> BadInput:
    return BadInput("corrupt_video", f"{path}: {what}; {_REMEDY}")


# --- decoding ------------------------------------------------------------------------------------


def _decode(
    path: str | Path,
    index: _Index,
    wanted: Sequence[int],
    convert: Callable[[VideoFrame], Frame],
) -> Iterator[Frame]:
    """Yield `convert(frame)` for each of the ascending numbers in `wanted` (repeats allowed)."""
    if index.grid is not None:
        wanted = index.grid[np.asarray(wanted, int)].tolist()
    numbers = iter(wanted)
    number = next(numbers, None)
    swallowed = 0
    previous: VideoFrame | None = None
    for position, frame in _numbered(path, index, wanted):
        while number is not None and position >= number:
            if position > number:
                swallowed += 1
                if swallowed > SWALLOWED:
                    raise _corrupt(path, f"damaged: {number} good frames of {index.info.frames}")
            yield convert(frame if position == number or previous is None else previous)
            number = next(numbers, None)
        if number is None:
            return
        previous = frame
    # What is left was promised by packets but not decoded.
    while number is not None:
        if previous is None:
            raise _corrupt(path, f"damaged: 0 good frames of {index.info.frames}")
        swallowed += 1
        if swallowed > SWALLOWED:
            raise _corrupt(path, f"damaged: about {number} good frames of {index.info.frames}")
        yield convert(previous)
        number = next(numbers, None)


def _numbered(
    path: str | Path, index: _Index, wanted: Sequence[int]
) -> Iterator[tuple[int, VideoFrame]]:
    """Decode `(number, frame)` in order; jump to a keyframe where that skips frames."""
    path = Path(path)
    with _open(path) as container:
        stream = _video_stream(path, container)
        position = -1  # number of the frame decoded last
        pending = iter(wanted)
        target = next(pending, None)
        jumped = -1  # keyframe of the last jump: a demuxer may land before it, never jump again
        while target is not None:
            jump = _jump(index, position, target)
            if jump > jumped:
                jumped = jump
                container.seek(index.starts[jump][1], stream=stream, backward=True)
            try:
                for frame in container.decode(stream):
                    if frame.is_corrupt:
                        raise _corrupt(path, f"damaged after {position + 1} good frames")
                    if index.times is None or frame.pts is None:
                        position += 1
                    else:
                        position = int(np.searchsorted(index.times, frame.pts, "right")) - 1
                    if position < 0:
                        continue
                    yield position, frame
                    while target is not None and target <= position:
                        target = next(pending, None)
                    if target is None or _jump(index, position, target) > jumped:
                        break
                else:
                    return
            except av.FFmpegError as error:
                what = f"damaged after {position + 1} good frames ({error.strerror})"
                raise _corrupt(path, what) from None


def _jump(index: _Index, position: int, target: int) -> int:
    """The number of the last keyframe up to frame `target` if it lies past `position`, else -1."""
    if index.times is None or target >= len(index.times):
        return -1
    last = bisect_right(index.starts, index.times[target], key=lambda start: start[0]) - 1
    passed = index.times[max(position, 0)]
    return last if last >= 0 and index.starts[last][0] > passed else -1


# --- pictures ------------------------------------------------------------------------------------


def _to_rgb(
    frame: VideoFrame, index: _Index, size: Size | None, reformatter: VideoReformatter
) -> Frame:
    turned = index.info.rotation % 180 != 0
    height, width = index.coded if size is None else (size[::-1] if turned else size)
    shrinks = height < frame.height or width < frame.width
    if (height, width) == (frame.height, frame.width):
        how = Interpolation.BILINEAR  # only the chroma is scaled
    else:
        how = Interpolation.AREA if shrinks else Interpolation.LANCZOS
    untagged = frame.colorspace == _UNTAGGED
    guess = Colorspace.ITU709 if frame.height >= HD_LINES else Colorspace.ITU601
    rgb = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=guess if untagged else None,
        interpolation=how | _ACCURATE,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    ).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, index.info.rotation // 90))


def _to_gray(frame: VideoFrame, index: _Index) -> Frame:
    gray = frame.reformat(format="gray", dst_color_range=ColorRange.JPEG).to_ndarray()
    return np.ascontiguousarray(np.rot90(gray, index.info.rotation // 90))
