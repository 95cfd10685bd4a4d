"""Writing videos and mask tracks: the same frames give the same bytes, whole or not at all.

Videos are H.264 (VP9, then AV1, where this FFmpeg has no libx264), 4:2:0, tagged BT.709 limited
range, so that decoding gives the colours back. One encoder thread: shards run side by side, and
the bytes must not depend on how many cores there are. Masks are FFV1, lossless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream
from numpy.typing import NDArray

from catalog.errors import BadInput, EditmillError
from catalog.storage.files import replacing

CRF = 18
"""Constant rate factor of libx264 (0 lossless – 51): visually lossless, about 40 dB on footage."""

ENCODERS: tuple[tuple[str, str, int, dict[str, str]], ...] = (
    # encoder, the codec's name, what to add to x264's CRF on its own scale (rough), options
    # x264's macroblock tree reads memory it never wrote, in its AVX-512 code: without it the bytes
    # depend on the frames alone (asm=avx2 would cure it too, but crash where there is no AVX2).
    ("libx264", "h264", 0, {"preset": "veryfast", "x264-params": "mbtree=0"}),
    ("libvpx-vp9", "vp9", 8, {"b": "0", "deadline": "good", "cpu-used": "5"}),
    ("libsvtav1", "av1", 10, {"preset": "9", "svtav1-params": "lp=1"}),
    ("libaom-av1", "av1", 8, {"b": "0", "cpu-used": "8"}),
)


def write_video(
    path: str | Path, frames: Iterable[NDArray[np.uint8]], fps: float, crf: int = CRF
) -> str:
    """Write `frames` (`[H, W, 3]` uint8 RGB each) at `fps`; return the codec's name (`h264` …).

    4:2:0 needs even sides: of an odd one the last row or column is left out. The file appears under
    its name only when it is complete. MP4 whose index comes first, so a browser can start at once.

    Raises BadInput (`no_frames` without frames, `no_rate`, `unencodable` for a size the encoder
    refuses), EditmillError where the file cannot be written.
    """
    encoder, codec, offset, options = _encoder()
    reformatter = VideoReformatter()

    def configure(context: VideoCodecContext) -> None:
        context.pix_fmt = "yuv420p"
        context.options = {**options, "crf": str(crf + offset)}
        context.colorspace = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        context.color_trc = ColorTrc.BT709
        context.color_primaries = ColorPrimaries.BT709

    def convert(rgb: NDArray) -> VideoFrame:
        even = rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2]
        return reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24"),
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            dst_color_trc=ColorTrc.UNSPECIFIED,
            interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
            threads=1,
        )

    _write(Path(path), "mp4", encoder, (convert(f) for f in frames), fps, configure)
    return codec


def write_masks(path: str | Path, masks: Iterable[NDArray[np.bool_]], fps: float) -> None:
    """Write `masks` (`[H, W]` bool each) at `fps`, lossless: FFV1 gray in Matroska.

    Raises BadInput (`no_frames`) without masks, EditmillError where the file cannot be written.
    """

    def configure(context: VideoCodecContext) -> None:
        context.pix_fmt = "gray"
        context.options = {"level": "3", "slicecrc": "1", "context": "1"}

    grays = (
        VideoFrame.from_ndarray(np.asarray(m, bool).astype(np.uint8) * 255, format="gray")
        for m in masks
    )
    _write(Path(path), "matroska", "ffv1", grays, fps, configure)


def frame_rate(fps: float) -> Fraction:
    """`fps` as the fraction that a file stores: 29.97… is 30000/1001, one an hour 1/3600.

    Raises BadInput (`no_rate`) for what is no rate.
    """
    if not 0 < fps < float("inf"):
        raise BadInput("no_rate", f"{fps} is no frame rate; give frames per second above 0")
    if fps < 1:
        return 1 / Fraction(1 / fps).limit_denominator(1001)
    return Fraction(fps).limit_denominator(1001)


def _encoder() -> tuple[str, str, int, dict[str, str]]:
    for choice in ENCODERS:
        if choice[0] in av.codecs_available:
            return choice
    raise EditmillError(
        "this FFmpeg has no H.264, VP9 or AV1 encoder; install PyAV's own wheel: pip install av"
    )


def _write(
    path: Path,
    container_format: str,
    encoder: str,
    frames: Iterator[VideoFrame],
    fps: float,
    configure: Callable[[VideoCodecContext], None],
) -> None:
    first = next(frames, None)
    if first is None:
        raise BadInput("no_frames", f"{path}: there are no frames to write; give at least one")
    rate = frame_rate(fps)
    options = {"fflags": "+bitexact"}
    if container_format == "mp4":
        options["movflags"] = "+faststart"
    try:
        with (
            replacing(path) as temporary,
            av.open(str(temporary), "w", format=container_format, options=options) as container,
        ):
            stream = container.add_stream(encoder, rate=rate)
            assert isinstance(stream, VideoStream)
            context = stream.codec_context
            context.width, context.height = first.width, first.height
            context.time_base = 1 / rate
            context.thread_count = 1
            context.flags |= Flags.bitexact
            configure(context)
            for number, frame in enumerate(chain([first], frames)):
                if (frame.width, frame.height) != (first.width, first.height):
                    raise ValueError(f"frame {number} of {path} has another size than the first")
                frame.pts = number
                frame.time_base = 1 / rate
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise BadInput(
            "unencodable",
            f"{path}: {encoder} cannot encode {first.width}x{first.height} px at {fps:.6g} "
            f"frames/s ({error.strerror}); use another size or rate",
        ) from None
