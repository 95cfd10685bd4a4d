"""A lossy encoder's marks on frames: encoded and decoded again in memory.

RealBasicVSR (Chan et al., CVPR 2022) ends its degradations with a video codec, Real-ESRGAN with
JPEG. One thread and no macroblock tree, as in `catalog/media/encode.py`: same frames, same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from experts.base import Frames
from experts.edit.degrade.optics import Drawn, one_of

CODECS = {"h264": 0.6, "mpeg4": 0.2, "jpeg": 0.2}
"""Shares: nearly all footage that people have is H.264; MPEG-4 part 2 is what old cameras wrote,
JPEG what cheap ones write for each frame."""

MPEG4_Q = (3, 8)
"""Quantiser scale, 1 best to 31."""

JPEG_QUALITY = (50, 95)
"""0–100 (Real-ESRGAN: 30 to 95)."""

RATE = Fraction(25)
"""Frames per second; matters to no codec at a fixed quality."""

_ENCODERS = {"h264": "libx264", "mpeg4": "mpeg4"}
_ACCURATE = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP


def draw_codec(rng: np.random.Generator, crf: tuple[int, int]) -> Drawn:
    """A codec and its quality; `crf` limits x264's (0 lossless to 51). Where this FFmpeg has no
    x264, MPEG-4 stands in."""
    codec = one_of(rng, CODECS)
    quality = float(rng.random())
    if codec == "h264" and "libx264" not in av.codecs_available:
        codec = "mpeg4"
    if codec == "h264":
        return {"codec": codec, "crf": _between(crf, quality)}
    if codec == "mpeg4":
        return {"codec": codec, "q": _between(MPEG4_Q, quality)}
    return {"codec": codec, "quality": _between(JPEG_QUALITY, quality)}


def recompressed(frames: Frames, drawn: Drawn) -> Frames:
    """`frames` [T, H, W, 3] as they come back from the codec of :func:`draw_codec`; any size."""
    height, width = frames.shape[1:3]
    padded = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    coded = _jpeg(padded, drawn) if drawn["codec"] == "jpeg" else _video(padded, drawn)
    out = np.empty_like(frames)
    count = 0
    for picture in coded:
        out[count] = picture[:height, :width]
        count += 1
    assert count == len(frames), f"{drawn['codec']} gave {count} of {len(frames)} frames back"
    return out


def _between(limits: tuple[int, int], share: float) -> int:
    low, high = limits
    return low + int(share * (high - low + 1))


def _jpeg(frames: Frames, drawn: Drawn) -> Iterator[NDArray[np.uint8]]:
    for frame in frames:
        _, data = cv2.imencode(
            ".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, drawn["quality"]]
        )
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert bgr is not None  # it was written the line before
        yield np.asarray(bgr[..., ::-1], np.uint8)


def _video(frames: Frames, drawn: Drawn) -> Iterator[NDArray[np.uint8]]:
    encoder = VideoCodecContext.create(_ENCODERS[drawn["codec"]], "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.height, encoder.width = frames.shape[1:3]
    encoder.pix_fmt = "yuv420p"
    encoder.time_base, encoder.framerate = 1 / RATE, RATE
    encoder.thread_count = 1
    encoder.flags |= Flags.bitexact
    encoder.options = (
        {"preset": "veryfast", "crf": str(drawn["crf"]), "x264-params": "mbtree=0"}
        if drawn["codec"] == "h264"
        else {"qmin": str(drawn["q"]), "qmax": str(drawn["q"])}
    )
    decoder = VideoCodecContext.create(drawn["codec"], "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    to_yuv, to_rgb = VideoReformatter(), VideoReformatter()
    for number in range(len(frames) + 1):
        picture = _yuv(to_yuv, frames[number], number) if number < len(frames) else None
        for packet in encoder.encode(picture):
            yield from (_rgb(to_rgb, each) for each in decoder.decode(packet))
    yield from (_rgb(to_rgb, each) for each in decoder.decode(None))


def _yuv(reformatter: VideoReformatter, rgb: NDArray[np.uint8], number: int) -> VideoFrame:
    frame = reformatter.reformat(
        VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"),
        format="yuv420p",
        src_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
        threads=1,
    )
    frame.pts, frame.time_base = number, 1 / RATE
    return frame


def _rgb(reformatter: VideoReformatter, frame: VideoFrame) -> NDArray[np.uint8]:
    rgb = reformatter.reformat(
        frame,
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.BILINEAR | _ACCURATE,
        threads=1,
    )
    return np.asarray(rgb.to_ndarray(), np.uint8)
