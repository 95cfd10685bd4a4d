"""Reading videos: any container and codec FFmpeg knows, as RGB frames on a constant-rate grid.

Frame `k` of a video is what a player shows `k / fps` seconds after the first. Of a constant-rate
video this is each decoded frame once; `catalog.media.timing` resamples others to a constant rate.

Colours are those a player shows on an ordinary screen (`catalog.media.conversion`): the matrix and
range that the stream is tagged with; untagged video is BT.709 from 720 lines on and BT.601 below,
limited range; HDR is tone-mapped; transparent pixels are black. More than 8 bits are rounded to 8.
Interlaced video is deinterlaced. `VideoInfo.notes` lists what was done.
"""

from __future__ import annotations

import dataclasses
import functools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media.container import corrupt, open_stream, open_video, unreadable
from catalog.media.conversion import RgbConverter, to_gray
from catalog.media.frames import decode_frames, deinterlaced
from catalog.media.index import Index, VideoInfo, index_of
from catalog.media.packets import MAX_MISSING
from catalog.media.picture import Frame, Size

MIN_SIDE = 64
"""px, least width and height of a video: the models of the stages take nothing smaller."""

MAX_LOST_AT_SPLICE = 100
"""Frames that a decoder may drop where a stream was spliced; about two groups of pictures."""


def probe(path: str | Path) -> VideoInfo:
    """The properties of the video at `path`, from reading all its packets without decoding them.

    Raises BadInput: `missing_file`, `unreadable_file`, `corrupt_video` (unreadable, or shorter
    than its header says), `no_video_stream`, `no_frames`, `too_small` (a side under 64 px).
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

    Rotation and pixel shape are applied. A variable-rate video is resampled to a constant rate.
    `size` resizes to `(height, width)`: area average when shrinking, Lanczos when enlarging.
    Nothing is yielded past the end.

    Raises BadInput as :func:`probe` does (but for `too_small`), and `corrupt_video`, naming how
    many frames were good, if the decoder fails or reports damage.
    """
    index = index_of(path)
    frames = _decode(path, index, _frame_numbers(index, first, count, stride))
    to_rgb = RgbConverter(index.picture_format, size)
    return (to_rgb(frame) for frame in frames)


def iter_frames_and_samples(
    path: str | Path, size: Size, every: int, long_side: int
) -> Iterator[tuple[Frame, Frame | None]]:
    """All frames as :func:`iter_frames` yields them at `size`, each with itself at another size if
    it is one of each `every` frames, else with None: then its long side has at most `long_side` px.

    So one decode serves two readers. Raises BadInput as :func:`iter_frames` does.
    """
    index = index_of(path)
    to_rgb = RgbConverter(index.picture_format, size)
    to_sample = RgbConverter(index.picture_format, _shrunk(index.info, long_side))
    for k, frame in enumerate(_decode(path, index, range(index.info.frames))):
        yield to_rgb(frame), to_sample(frame) if k % every == 0 else None


def read_video(
    path: str | Path,
    first: int = 0,
    count: int | None = None,
    stride: int = 1,
    size: Size | None = None,
) -> Frame:
    """The frames :func:`iter_frames` yields, as one `[T, H, W, 3]` uint8 array."""
    index = index_of(path)
    return _read(path, index, _frame_numbers(index, first, count, stride), size)


def sample_frames(path: str | Path, n: int, long_side: int | None = None) -> Frame:
    """`n` frames evenly spaced from the first to the last, `[n, h, w, 3]` uint8 RGB.

    `long_side` shrinks frames (never enlarges them) to that many px on the longer side. Of a video
    with fewer than `n` frames some are repeated. Raises BadInput as :func:`iter_frames` does.
    """
    index = index_of(path)
    size = None if long_side is None else _shrunk(index.info, long_side)
    return _read(path, index, _evenly(index, n), size)


def read_masks(
    path: str | Path, first: int = 0, count: int | None = None, size: Size | None = None
) -> NDArray[np.bool_]:
    """The masks of a mask track, `[T, H, W]` bool; `size` resizes to `(height, width)`.

    A pixel of a resized mask is set if at least half of its area was. Raises BadInput as
    :func:`iter_frames` does.
    """
    index = index_of(path)
    return _read_masks(path, index, _frame_numbers(index, first, count, 1), size)


def sample_masks(path: str | Path, n: int) -> NDArray[np.bool_]:
    """`n` masks, `[n, H, W]` bool, of the frames that :func:`sample_frames` gives of a video of the
    same length. Raises BadInput as :func:`iter_frames` does."""
    index = index_of(path)
    return _read_masks(path, index, _evenly(index, n), None)


def _read_masks(
    path: str | Path, index: Index, wanted: Sequence[int], size: Size | None
) -> NDArray[np.bool_]:
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


def _evenly(index: Index, n: int) -> list[int]:
    """`n` frame numbers from the first to the last."""
    numbers: list[int] = np.rint(np.linspace(0, index.info.frames - 1, n)).astype(int).tolist()
    return numbers


def _shrunk(info: VideoInfo, long_side: int) -> Size | None:
    """The size with at most `long_side` px on the longer side; None where frames have that."""
    if long_side >= max(info.width, info.height):
        return None
    scale = long_side / max(info.width, info.height)
    return max(1, round(info.height * scale)), max(1, round(info.width * scale))


def _frame_numbers(index: Index, first: int, count: int | None, stride: int) -> range:
    if first < 0 or stride < 1 or (count is not None and count < 0):
        raise ValueError(f"no frames are first={first}, count={count}, stride={stride}")
    stop = index.info.frames if count is None else first + count * stride
    return range(first, min(stop, index.info.frames), stride)


def _read(path: str | Path, index: Index, wanted: Sequence[int], size: Size | None) -> Frame:
    height, width = size or (index.info.height, index.info.width)
    frames = np.empty((len(wanted), height, width, 3), np.uint8)
    to_rgb = RgbConverter(index.picture_format, size)
    for k, frame in enumerate(_decode(path, index, wanted)):
        to_rgb(frame, out=frames[k])
    return frames


# --- decoding ------------------------------------------------------------------------------------


def _decode(path: str | Path, index: Index, wanted: Sequence[int]) -> Iterator[VideoFrame]:
    """Yield the decoded frame of each of the ascending frame numbers in `wanted` (with repeats).

    Raises BadInput (`corrupt_video`) if more than MAX_MISSING frames do not come.
    """
    _keep_freed_memory()
    if index.grid is not None:
        wanted = index.grid[np.asarray(wanted, int)].tolist()
    numbers = iter(wanted)
    number = next(numbers, None)
    missing = 0
    previous: VideoFrame | None = None
    for position, frame in _numbered_frames(Path(path), index, wanted):
        while number is not None and position >= number:
            if position > number:
                missing += 1
                if missing > MAX_MISSING:
                    raise corrupt(path, f"damaged: {number} good frames of {index.decodable}")
            yield frame if position == number or previous is None else previous
            number = next(numbers, None)
        if number is None:
            return
        previous = frame
    # There were packets for the rest, but the decoder gave no frames: the last one is repeated.
    while number is not None:
        if previous is None:
            raise corrupt(path, f"damaged: 0 good frames of {index.decodable}")
        missing += 1
        if missing > MAX_MISSING:
            raise corrupt(path, f"damaged: about {number} good frames of {index.decodable}")
        yield previous
        number = next(numbers, None)


@functools.cache
def _keep_freed_memory() -> None:
    """Make glibc reuse the memory of freed frames, for the whole process.

    By default it returns a frame's memory to the kernel as soon as two frames are free, and the
    page faults of the next ones cost as much as their colour conversion. Its threshold is twice the
    largest mapped block that was freed, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD), so one block
    of nearly that size, never written, is freed here. Other allocators are not affected.
    """
    np.empty(31 << 20, np.uint8)


def _numbered_frames(
    path: Path, index: Index, wanted: Sequence[int]
) -> Iterator[tuple[int, VideoFrame]]:
    """Decode `(number, frame)` in order, up to the last one wanted, and seek to the keyframe before
    a wanted frame if that skips frames."""
    with open_video(path) as container:
        stream = open_stream(container, index.stream)
        position = -1  # number of the frame decoded last
        pending = iter(wanted)
        target = next(pending, None)
        sought = -1  # the last keyframe sought: a demuxer may land before it; do not seek it again
        while target is not None:
            keyframe = _keyframe_to_seek(index, position, target)
            if keyframe > sought:
                sought = keyframe
                try:
                    container.seek(index.keyframes[keyframe][1], stream=stream, backward=True)
                except (av.FFmpegError, OSError):
                    yield from _numbered_frames(path, _without_keyframes(index), [target, *pending])
                    return
            try:
                for frame in _deinterlaced_frames(container, stream, index, from_start=sought < 0):
                    number = _frame_number(index, frame, position)
                    if number < 0:
                        continue  # cut off by an edit list, or its reference frames are missing
                    if frame.is_corrupt and sought >= 0:  # decoding cannot start at this keyframe
                        yield from _numbered_frames(
                            path, _without_keyframes(index), [target, *pending]
                        )
                        return
                    position = number
                    if frame.is_corrupt:
                        raise corrupt(path, f"damaged after {position} good frames")
                    yield position, frame
                    while target is not None and target <= position:
                        target = next(pending, None)
                    if target is None or _keyframe_to_seek(index, position, target) > sought:
                        break
                else:
                    return
            except (av.FFmpegError, OSError) as error:
                what = f"damaged after {position + 1} good frames"
                raise unreadable(path, error, what) from None


def _without_keyframes(index: Index) -> Index:
    """The index without keyframes: frames are then decoded from the start, without a seek."""
    return dataclasses.replace(index, keyframes=())


def _deinterlaced_frames(
    container: Any, stream: VideoStream, index: Index, from_start: bool
) -> Iterator[VideoFrame]:
    skip_to_keyframe = index.skip_to_keyframe and from_start
    frames = decode_frames(container, stream, index.decoder, skip_to_keyframe)
    return deinterlaced(frames, index.parity)


def _frame_number(index: Index, frame: VideoFrame, previous: int) -> int:
    """The frame's number, -1 if it comes before the first. `previous`: that of the frame before."""
    if index.pts is None or frame.pts is None:
        return previous + 1
    if not index.spliced:
        return int(np.searchsorted(index.pts, frame.pts, "right")) - 1
    # A timestamp may occur twice: take the next one.
    first = previous + 1
    ahead = np.flatnonzero(index.pts[first : first + MAX_LOST_AT_SPLICE] == frame.pts)
    return first + int(ahead[0]) if len(ahead) else -1


def _keyframe_to_seek(index: Index, position: int, target: int) -> int:
    """The keyframe to seek to for frame `target`, as an index into `index.keyframes`: the last one
    at or before it. -1 if that would skip no frames, the last decoded one being `position`."""
    pts = index.pts
    if pts is None or index.spliced or index.decoder is not None or target >= len(pts):
        return -1
    if index.interlaced:  # the deinterlacer needs the frame before
        target = max(0, target - 1)
    last = bisect_right(index.keyframes, pts[target], key=lambda times: times[0]) - 1
    if last < 0:
        return -1
    first = int(np.searchsorted(pts, index.keyframes[last][0]))
    return last if first > position + 1 else -1
