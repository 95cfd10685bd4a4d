"""Reading videos: any container and codec FFmpeg knows, as RGB frames on a constant-rate grid.

Frame `k` of a video is what a player shows `k / fps` seconds after the first
(`catalog.media.reading`). Every video is decoded in another process, with limits
(`catalog.media.isolation`): one that crashes the decoder, or costs more than it may, is a record
with a reason, like any other that cannot be read.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media.demux.index import VideoInfo, state_of
from catalog.media.isolation.pool import opened
from catalog.media.picture import Frame, Size
from catalog.media.reading import FrameRequest

MIN_SIDE = 64
"""px, least width and height of a video: the models of the stages take nothing smaller."""


def probe(path: str | Path, min_side: int = MIN_SIDE) -> VideoInfo:
    """The properties of the video at `path`, from reading all its packets without decoding them.

    Raises BadInput: `missing_file`, `unreadable_file`, `corrupt_video` (unreadable, or shorter
    than its header says), `no_video_stream`, `unsupported_codec`, `no_frames`, `too_large`,
    `too_small` (a side under `min_side` px), `decode_limit` (of time, memory or packets),
    `decoder_crash`, `decode_stalled` (not final).
    """
    info = _info(Path(path), *state_of(path))
    if min(info.width, info.height) < min_side:
        raise BadInput(
            "too_small",
            f"{path}: {info.width}x{info.height} is too small; use a video of at least "
            f"{min_side} px on each side",
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
    reading = opened(FrameRequest(str(path), first, count, stride, size=size))
    return (frame for (frame,) in reading)


def iter_frames_and_samples(
    path: str | Path, size: Size, every: int, long_side: int
) -> Iterator[tuple[Frame, Frame | None]]:
    """All frames as :func:`iter_frames` yields them at `size`, each with itself at another size if
    it is one of each `every` frames, else with None: then its long side has at most `long_side` px.

    So one decode serves two readers. Raises BadInput as :func:`iter_frames` does.
    """
    for frame, *sample in opened(FrameRequest(str(path), size=size, sample=(every, long_side))):
        yield frame, sample[0] if sample else None


def read_video(
    path: str | Path,
    first: int = 0,
    count: int | None = None,
    stride: int = 1,
    size: Size | None = None,
) -> Frame:
    """The frames :func:`iter_frames` yields, as one `[T, H, W, 3]` uint8 array."""
    frames: Frame = opened(FrameRequest(str(path), first, count, stride, size=size)).read()
    return frames


def sample_frames(path: str | Path, n: int, long_side: int | None = None) -> Frame:
    """`n` frames evenly spaced from the first to the last, `[n, h, w, 3]` uint8 RGB.

    `long_side` shrinks frames (never enlarges them) to that many px on the longer side. Of a video
    with fewer than `n` frames some are repeated. Raises BadInput as :func:`iter_frames` does.
    """
    frames: Frame = opened(FrameRequest(str(path), evenly=n, long_side=long_side)).read()
    return frames


def read_masks(
    path: str | Path, first: int = 0, count: int | None = None, size: Size | None = None
) -> NDArray[np.bool_]:
    """The masks of a mask track, `[T, H, W]` bool; `size` resizes to `(height, width)`.

    A pixel of a resized mask is set if at least half of its area was. Raises BadInput as
    :func:`iter_frames` does.
    """
    masks: NDArray[np.bool_] = opened(
        FrameRequest(str(path), first, count, size=size, masks=True)
    ).read()
    return masks


def sample_masks(path: str | Path, n: int) -> NDArray[np.bool_]:
    """`n` masks, `[n, H, W]` bool, of the frames that :func:`sample_frames` gives of a video of the
    same length. Raises BadInput as :func:`iter_frames` does."""
    masks: NDArray[np.bool_] = opened(FrameRequest(str(path), evenly=n, masks=True)).read()
    return masks


@functools.lru_cache(maxsize=256)
def _info(path: Path, _mtime_ns: int, _size: int) -> VideoInfo:
    with contextlib.closing(opened(FrameRequest(str(path)))) as reading:
        return reading.info
