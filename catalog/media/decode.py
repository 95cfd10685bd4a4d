"""Reading videos: any container and codec FFmpeg knows, as RGB frames on a constant-rate grid.

Frame `k` of a video is the picture a player shows at `k / fps` after the first. On a constant-rate
video this is every picture once; `catalog.media.timing` says how others are put on a grid.

Colours are those a player shows on an ordinary screen (`catalog.media.conversion`): the matrix and
range that the stream is tagged with; untagged video is BT.709 from 720 lines on and BT.601 below,
limited range; HDR is tone-mapped; transparency lies on black. More than 8 bits are rounded to 8.
Interlaced pictures are deinterlaced. What was done stands in `VideoInfo.notes`.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media.container import corrupt, decoding, open_video, unreadable
from catalog.media.conversion import to_gray, to_rgb
from catalog.media.frames import decoded, deinterlaced
from catalog.media.index import Index, VideoInfo, index_of
from catalog.media.packets import SWALLOWED
from catalog.media.picture import Frame, Size

MIN_SIDE = 64
"""Smaller videos (px) have nothing to detect or edit; the stages' models start at this size."""

LOST_AT_SPLICE = 100
"""Pictures a decoder may lose where a stream was spliced; about two groups of pictures."""


def probe(path: str | Path) -> VideoInfo:
    """What the video at `path` is; its packets are all read, but not decoded.

    Raises BadInput: `missing_file`, `unreadable_file`, `corrupt_video` (unreadable, or shorter
    than its header promises), `no_video_stream`, `no_frames`, `too_small` (a side under 64 px).
    """
    info = index_of(path).info
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
    index = index_of(path)
    frames = _decode(path, index, _numbers(index, first, count, stride))
    reformatter = VideoReformatter()
    return (to_rgb(frame, index.picture_format, size, reformatter) for frame in frames)


def read_video(
    path: str | Path,
    first: int = 0,
    count: int | None = None,
    stride: int = 1,
    size: Size | None = None,
) -> Frame:
    """The frames :func:`iter_frames` yields, as one `[T, H, W, 3]` uint8 array."""
    index = index_of(path)
    return _stack(path, index, _numbers(index, first, count, stride), size)


def sample_frames(path: str | Path, n: int, long_side: int | None = None) -> Frame:
    """`n` frames evenly spaced from the first to the last, `[n, h, w, 3]` uint8 RGB.

    `long_side` shrinks (never enlarges) to that many px on the longer side. A video of fewer than
    `n` frames gives some of them more than once. Raises BadInput as :func:`iter_frames` does.
    """
    index = index_of(path)
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
    index = index_of(path)
    wanted = _numbers(index, first, count, 1)
    height, width = size or (index.info.height, index.info.width)
    masks = np.empty((len(wanted), height, width), bool)
    for k, frame in enumerate(_decode(path, index, wanted)):
        gray = to_gray(frame, index.picture_format)
        if gray.shape != (height, width):
            shrinks = height < gray.shape[0] or width < gray.shape[1]
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            gray = cv2.resize(gray, (width, height), interpolation=how)
        masks[k] = gray >= 128
    return masks


def _numbers(index: Index, first: int, count: int | None, stride: int) -> range:
    if first < 0 or stride < 1 or (count is not None and count < 0):
        raise ValueError(f"no frames are first={first}, count={count}, stride={stride}")
    stop = index.info.frames if count is None else first + count * stride
    return range(first, min(stop, index.info.frames), stride)


def _stack(path: str | Path, index: Index, wanted: Sequence[int], size: Size | None) -> Frame:
    height, width = size or (index.info.height, index.info.width)
    frames = np.empty((len(wanted), height, width, 3), np.uint8)
    reformatter = VideoReformatter()
    for k, frame in enumerate(_decode(path, index, wanted)):
        to_rgb(frame, index.picture_format, size, reformatter, out=frames[k])
    return frames


# --- decoding ------------------------------------------------------------------------------------


def _decode(path: str | Path, index: Index, wanted: Sequence[int]) -> Iterator[VideoFrame]:
    """Yield the frame of each of the ascending numbers in `wanted` (repeats allowed)."""
    if index.grid is not None:
        wanted = index.grid[np.asarray(wanted, int)].tolist()
    numbers = iter(wanted)
    number = next(numbers, None)
    swallowed = 0
    previous: VideoFrame | None = None
    for position, frame in _numbered(Path(path), index, wanted):
        while number is not None and position >= number:
            if position > number:
                swallowed += 1
                if swallowed > SWALLOWED:
                    raise corrupt(path, f"damaged: {number} good frames of {index.pictures}")
            yield frame if position == number or previous is None else previous
            number = next(numbers, None)
        if number is None:
            return
        previous = frame
    # What is left was promised by packets but not decoded.
    while number is not None:
        if previous is None:
            raise corrupt(path, f"damaged: 0 good frames of {index.pictures}")
        swallowed += 1
        if swallowed > SWALLOWED:
            raise corrupt(path, f"damaged: about {number} good frames of {index.pictures}")
        yield previous
        number = next(numbers, None)


def _numbered(path: Path, index: Index, wanted: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
    """Decode `(number, frame)` in order; jump to a keyframe where that skips frames."""
    with open_video(path) as container:
        stream = decoding(container, index.stream)
        position = -1  # number of the frame decoded last
        pending = iter(wanted)
        target = next(pending, None)
        jumped = -1  # keyframe of the last jump: a demuxer may land before it, never jump again
        while target is not None:
            jump = _jump(index, position, target)
            if jump > jumped:
                jumped = jump
                try:
                    container.seek(index.starts[jump][1], stream=stream, backward=True)
                except (av.FFmpegError, OSError):
                    yield from _numbered(path, _straight(index), [target, *pending])
                    return
            try:
                for frame in _frames(container, stream, index, from_start=jumped < 0):
                    number = _number(index, frame, position)
                    if number < 0:
                        continue  # cut off by an edit list, or needs what is not there
                    if frame.is_corrupt and jumped >= 0:  # the keyframe was none to begin with
                        yield from _numbered(path, _straight(index), [target, *pending])
                        return
                    position = number
                    if frame.is_corrupt:
                        raise corrupt(path, f"damaged after {position} good frames")
                    yield position, frame
                    while target is not None and target <= position:
                        target = next(pending, None)
                    if target is None or _jump(index, position, target) > jumped:
                        break
                else:
                    return
            except (av.FFmpegError, OSError) as error:
                what = f"damaged after {position + 1} good frames"
                raise unreadable(path, error, what) from None


def _straight(index: Index) -> Index:
    """The index for decoding from the start, without a jump."""
    return dataclasses.replace(index, starts=())


def _frames(
    container: Any, stream: VideoStream, index: Index, from_start: bool
) -> Iterator[VideoFrame]:
    frames = decoded(container, stream, index.decoder, index.from_key and from_start)
    return deinterlaced(frames, index.parity)


def _number(index: Index, frame: VideoFrame, last: int) -> int:
    """The frame's number; -1 where it lies before the first. `last` is that of the one before."""
    if index.stamps is None or frame.pts is None:
        return last + 1
    if not index.spliced:
        return int(np.searchsorted(index.stamps, frame.pts, "right")) - 1
    # A stamp may come twice, so the nearest ahead.
    ahead = np.flatnonzero(index.stamps[last + 1 : last + 1 + LOST_AT_SPLICE] == frame.pts)
    return last + 1 + int(ahead[0]) if len(ahead) else -1


def _jump(index: Index, position: int, target: int) -> int:
    """The number in `starts` of the last keyframe up to frame `target` if getting there skips
    frames behind `position`, else -1."""
    stamps = index.stamps
    if stamps is None or index.spliced or index.decoder is not None or target >= len(stamps):
        return -1
    if index.interlaced:  # a picture's fields are told from the one before
        target = max(0, target - 1)
    last = bisect_right(index.starts, stamps[target], key=lambda start: start[0]) - 1
    if last < 0:
        return -1
    first = int(np.searchsorted(stamps, index.starts[last][0]))
    return last if first > position + 1 else -1
