"""Decoding a video in this process: any container and codec FFmpeg knows, as RGB frames on a
constant-rate grid. `catalog.media.decode` has it done in a process of its own.

Frame `k` of a video is what a player shows `k / fps` seconds after the first. Of a constant-rate
video this is each decoded frame once; `catalog.media.demux.timing` resamples others to a constant
rate.

Colours are those a player shows on an ordinary screen (`catalog.media.colour.conversion`): the
matrix and range that the stream is tagged with; untagged video is BT.709 from 720 lines on and
BT.601 below, limited range; HDR is tone-mapped; transparent pixels are black. More than 8 bits are
rounded to 8.
Interlaced video is deinterlaced. `VideoInfo.notes` lists what was done.
"""

from __future__ import annotations

import dataclasses
import functools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from catalog.media.colour.conversion import RgbConverter, to_gray
from catalog.media.demux.container import corrupt, open_stream, open_video, unreadable
from catalog.media.demux.index import Index, VideoInfo, index_of
from catalog.media.demux.packets import MAX_MISSING
from catalog.media.frames import decode_frames, deinterlaced
from catalog.media.picture import Frame, Size

MAX_LOST_AT_SPLICE = 100
"""Frames that a decoder may drop where a stream was spliced; about two groups of pictures."""


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """Which frames of a video to read, and as what.

    Frames `first, first + stride, …`, at most `count`; or `evenly` many, evenly spaced from the
    first to the last. `size` (height, width) or `long_side` (px, which shrinks only) resizes them;
    `masks` makes one channel of them, of 0 and 1. With `sample` = (every, long side), one of each
    `every` frames comes a second time at that size.
    """

    path: str
    first: int = 0
    count: int | None = None
    stride: int = 1
    evenly: int | None = None
    size: Size | None = None
    long_side: int | None = None
    masks: bool = False
    sample: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.first < 0 or self.stride < 1 or (self.count is not None and self.count < 0):
            raise ValueError(
                f"no frames are first={self.first}, count={self.count}, stride={self.stride}"
            )


class Reading:
    """A video that is read in this process, as `isolation.frames.Frames` reads one in another.

    An iterable over its frames, each a tuple of its pictures. Raises BadInput as
    `catalog.media.decode` does.
    """

    def __init__(self, request: FrameRequest) -> None:
        self._request = request
        self._index = index_of(request.path)
        self._numbers = _frame_numbers(self._index, request)
        self._converters = list(_converters(self._index, request))

    @property
    def info(self) -> VideoInfo:
        return self._index.info

    @property
    def count(self) -> int:
        """The number of frames that come."""
        return len(self._numbers)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of each picture of a frame: `[H, W, 3]`, or `[H, W]` of a mask; then of its sample."""
        return [shape for shape, _ in self._converters]

    def frames(self, into: Callable[[], Sequence[Frame]]) -> Iterator[int]:
        """Decode frame by frame into the uint8 arrays, one for each of `shapes`, that `into` gives
        for each; yield how many of them were filled."""
        every = self._request.sample[0] if self._request.sample else 1
        frames = _decode(self._request.path, self._index, self._numbers)
        for k, frame in enumerate(frames):
            filled = len(self._converters) if k % every == 0 else 1
            pictures = into()
            for (_, convert), picture in zip(self._converters[:filled], pictures, strict=False):
                convert(frame, picture)
            yield filled

    def __iter__(self) -> Iterator[tuple[Frame, ...]]:
        pictures: list[Frame] = []

        def fresh() -> Sequence[Frame]:
            pictures[:] = [np.empty(shape, np.uint8) for shape in self.shapes]
            return pictures

        for filled in self.frames(fresh):
            yield tuple(pictures[:filled])

    def read(self) -> Any:
        """All frames' first pictures in one array; bool for masks."""
        frames = np.empty((self.count, *self.shapes[0]), np.uint8)
        rest = iter(frames)
        for _ in self.frames(lambda: [next(rest)]):
            pass
        return frames.view(bool) if self._request.masks else frames

    def close(self) -> None:
        """Nothing is open between two frames' reading."""


Convert = Callable[[VideoFrame, Frame], object]


def _converters(index: Index, request: FrameRequest) -> Iterator[tuple[tuple[int, ...], Convert]]:
    """Shape of, and conversion to, each picture of a frame."""
    size = request.size
    if request.long_side is not None:
        size = _shrunk(index.info, request.long_side)
    height, width = size or (index.info.height, index.info.width)
    if request.masks:
        yield (height, width), functools.partial(_write_mask, index)
        return
    yield (height, width, 3), RgbConverter(index.picture_format, size)
    if request.sample is not None:
        size = _shrunk(index.info, request.sample[1])
        height, width = size or (index.info.height, index.info.width)
        yield (height, width, 3), RgbConverter(index.picture_format, size)


def _write_mask(index: Index, frame: VideoFrame, mask: Frame) -> None:
    height, width = mask.shape
    gray = to_gray(frame, index.picture_format)
    if gray.shape != (height, width):
        shrinks = height < gray.shape[0] or width < gray.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        gray = cv2.resize(gray, (width, height), interpolation=how)
    np.greater_equal(gray, 128, out=mask.view(bool))


def _frame_numbers(index: Index, request: FrameRequest) -> Sequence[int]:
    if request.evenly is not None:
        even = np.linspace(0, index.info.frames - 1, request.evenly)
        numbers: list[int] = np.rint(even).astype(int).tolist()
        return numbers
    count = request.count
    stop = index.info.frames if count is None else request.first + count * request.stride
    return range(request.first, min(stop, index.info.frames), request.stride)


def _shrunk(info: VideoInfo, long_side: int) -> Size | None:
    """The size with at most `long_side` px on the longer side; None where frames have that."""
    if long_side >= max(info.width, info.height):
        return None
    scale = long_side / max(info.width, info.height)
    return max(1, round(info.height * scale)), max(1, round(info.width * scale))


def _decode(path: str | Path, index: Index, wanted: Sequence[int]) -> Iterator[VideoFrame]:
    """Yield the decoded frame of each of the ascending frame numbers in `wanted` (with repeats).

    Raises BadInput (`corrupt_video`) if more than MAX_MISSING frames do not come.
    """
    keep_freed_memory()
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
def keep_freed_memory() -> None:
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
        landed = True  # whether a frame has come since

        def from_start(first: int) -> Iterator[tuple[int, VideoFrame]]:
            return _numbered_frames(path, _without_keyframes(index), [first, *pending])

        while target is not None:
            keyframe = _keyframe_to_seek(index, position, target)
            if keyframe > sought:
                sought, landed = keyframe, False
                try:
                    container.seek(index.keyframes[keyframe][1], stream=stream, backward=True)
                except (av.FFmpegError, OSError):
                    yield from from_start(target)
                    return
            try:
                for frame in _deinterlaced_frames(container, stream, index, from_start=sought < 0):
                    number = _frame_number(index, frame, position)
                    if number < 0:
                        continue  # cut off by an edit list, or its reference frames are missing
                    # Decoding cannot start at this keyframe, or gives nothing until all parts of
                    # the picture were refreshed.
                    if (frame.is_corrupt and sought >= 0) or (not landed and number > target):
                        yield from from_start(target)
                        return
                    position, landed = number, True
                    if frame.is_corrupt:
                        raise corrupt(path, f"damaged after {position} good frames")
                    yield position, frame
                    while target is not None and target <= position:
                        target = next(pending, None)
                    if target is None or _keyframe_to_seek(index, position, target) > sought:
                        break
                else:
                    if not landed:
                        yield from from_start(target)
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
