"""From a decoded frame to the RGB picture that a player shows on an SDR screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from catalog.media.colour import hdr
from catalog.media.picture import Frame, Orientation, PictureFormat, Size, has_alpha

HD_LINES = 720
"""Untagged video is BT.709 from this height on, BT.601 below: ITU-R's split of HD and SD."""

_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
"""Chroma is interpolated for every pixel and rounded to nearest; swscale's default takes the
nearest chroma sample and is off by up to 8 codes on footage, up to 55 on animation."""

_UNSPECIFIED_MATRIX = 2  # AVCOL_SPC_UNSPECIFIED
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG

COMPILE_AFTER = 400 * 1280 * 720
"""Pixels of 4:2:0 video that a process converts by FFmpeg before it imports
`catalog.media.colour.yuv420`, which takes as long as it saves on so many: .6 core-seconds, at 1.5
ms per frame of 1280x720."""

_pixels = 0  # so far converted by FFmpeg that `catalog.media.colour.yuv420` might have converted

Convert = Callable[[VideoFrame, Frame], None]


class RgbConverter:
    """Converts the frames of one stream, each as :func:`to_rgb` does.

    Ordinary 8-bit 4:2:0 video that is not resized is converted by `catalog.media.colour.yuv420`, if
    the process converts much of it, and if noise in the first such frame gives FFmpeg's pixels:
    where chroma samples lie, PyAV does not tell.
    """

    def __init__(self, picture_format: PictureFormat, size: Size | None = None) -> None:
        self._picture_format = picture_format
        self._size = size
        self._reformatter = VideoReformatter()
        self._kind: object = None
        self._convert: Convert | None = None

    def __call__(self, frame: VideoFrame, out: Frame | None = None) -> Frame:
        convert = self._compiled(frame)
        if convert is None:
            return to_rgb(frame, self._picture_format, self._size, self._reformatter, out)
        orientation = self._picture_format.orientation
        direct = out is not None and orientation == Orientation() and out.flags.c_contiguous
        rgb = out if direct else np.empty((frame.height, frame.width, 3), np.uint8)
        assert rgb is not None
        convert(frame, rgb)
        return _oriented(rgb, orientation, out)

    def _compiled(self, frame: VideoFrame) -> Convert | None:
        """The compiled conversion of such a frame, or None."""
        global _pixels
        height, width = self._picture_format.size
        if frame.format.name not in ("yuv420p", "yuvj420p") or _is_wide(frame):
            return None
        if (height, width) != (frame.height, frame.width) or height % 2 or width % 2:
            return None
        if self._size not in (None, self._picture_format.display_size):
            return None
        if _pixels < COMPILE_AFTER:
            _pixels += height * width
            return None
        kind = (height, width, frame.format.name, frame.colorspace, frame.color_range)
        if kind != self._kind:
            self._kind, self._convert = kind, self._checked(frame)
        return self._convert

    def _checked(self, frame: VideoFrame) -> Convert | None:
        """The compiled conversion that gives FFmpeg's pixels of noise in such a frame."""
        from catalog.media.colour import yuv420  # for long reads only: see COMPILE_AFTER

        matrix = int(frame.colorspace)
        if matrix == _UNSPECIFIED_MATRIX:
            matrix = 1 if frame.height >= HD_LINES else 6  # AVCOL_SPC_BT709, AVCOL_SPC_SMPTE170M
        if matrix not in yuv420.KR_KB:
            return None
        full_range = frame.color_range == _FULL_RANGE or frame.format.name == "yuvj420p"
        factors = yuv420.coefficients(matrix, full_range)

        def conversion(siting: tuple[int, int]) -> Convert:
            return lambda frame, out: yuv420.convert(_planes(frame), factors, siting, out)

        upright = PictureFormat(Orientation(), (frame.height, frame.width), ())
        found = np.empty((frame.height, frame.width, 3), np.uint8)
        with _noise(frame):
            expected = to_rgb(frame, upright, None, self._reformatter)
            for siting in (yuv420.LEFT, yuv420.CENTRE):
                convert = conversion(siting)
                convert(frame, found)
                if np.array_equal(found, expected):
                    return convert
        return None


def _planes(frame: VideoFrame) -> list[Frame]:
    """The planes of an 8-bit frame as they lie in memory, `[h, ≥ w]` uint8."""
    planes: tuple[Any, ...] = frame.planes
    return [np.frombuffer(plane, np.uint8).reshape(plane.height, -1) for plane in planes]


@contextmanager
def _noise(frame: VideoFrame) -> Iterator[None]:
    """Random samples instead of the frame's own, for a while."""
    frame.make_writable()
    shown = [plane[:, : p.width] for plane, p in zip(_planes(frame), frame.planes, strict=True)]
    kept = [plane.copy() for plane in shown]
    rng = np.random.default_rng(0)
    for plane in shown:
        plane[...] = np.frombuffer(rng.bytes(plane.size), np.uint8).reshape(plane.shape)
    try:
        yield
    finally:
        for plane, samples in zip(shown, kept, strict=True):
            plane[...] = samples


def to_rgb(
    frame: VideoFrame,
    picture_format: PictureFormat,
    size: Size | None,
    reformatter: VideoReformatter,
    out: Frame | None = None,
) -> Frame:
    """The frame as displayed, `[H, W, 3]` uint8 RGB, resized to `size` (height, width) if given.

    Shrinking averages areas, enlarging is Lanczos. `reformatter` is kept from frame to frame: it
    holds swscale's tables. With `out` the pixels are written there, and it is returned.
    """
    orientation = picture_format.orientation
    height, width = picture_format.size
    if size is not None:
        height, width = size[::-1] if orientation.transposed else size
    resized = (height, width) != (frame.height, frame.width)
    if not resized:
        scaling = Interpolation.BILINEAR  # only the chroma is scaled
    elif height < frame.height or width < frame.width:
        scaling = Interpolation.AREA
    else:
        scaling = Interpolation.LANCZOS
    if has_alpha(frame):
        layout = "rgba"
    elif _is_wide(frame):  # FFmpeg 8 garbles packed 16-bit pixels with full chroma interpolation
        layout = "gbrp16le"
    else:
        layout = "rgb24" if resized or not _planar_is_exact(frame) else "gbrp"
    matrix = None
    if frame.colorspace == _UNSPECIFIED_MATRIX:
        matrix = Colorspace.ITU709 if frame.height >= HD_LINES else Colorspace.ITU601
    converted = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format=layout,
        src_colorspace=matrix,
        interpolation=scaling | _EXACT,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )
    rgb: NDArray[Any]
    if layout == "rgba":
        rgb = _on_black(converted.to_ndarray())
    elif layout == "gbrp16le":
        rgb = hdr.to_sdr(_interleaved(converted), frame.color_trc, frame.color_primaries)
    elif layout == "gbrp":
        rgb = _interleaved(converted, None if orientation != Orientation() else out)
    else:
        rgb = converted.to_ndarray()
    return _oriented(rgb, orientation, out)


def _is_wide(frame: VideoFrame) -> bool:
    return hdr.is_hdr(frame.color_trc) or frame.color_primaries in hdr.WIDE


def _oriented(rgb: NDArray[Any], orientation: Orientation, out: Frame | None) -> Frame:
    """The picture as displayed, in `out` if given (which `rgb` may be already)."""
    picture = orientation.applied(rgb)
    if out is None:
        return np.ascontiguousarray(picture)
    if picture is not out:
        out[...] = picture
    return out


def _planar_is_exact(frame: VideoFrame) -> bool:
    """Whether conversion to planar RGB (gbrp) gives the same pixels as conversion to rgb24.

    FFmpeg has vector code for the planar one only: interleaving included, it takes less than half
    the time. The two round interpolated chroma rows differently, which changes no pixel if chroma
    has at least every second row, as it has in all usual formats but yuv410p.
    """
    chroma_rows = frame.format.chroma_height(frame.height)
    return not frame.format.is_rgb and 2 * chroma_rows >= frame.height


def _interleaved(planar: VideoFrame, out: Frame | None = None) -> NDArray[Any]:
    """A planar frame (gbrp, gbrp16le) as `[h, w, 3]` RGB, written into `out` if given."""
    dtype = np.dtype("<u2" if planar.format.name == "gbrp16le" else "u1")
    planes: tuple[Any, ...] = planar.planes
    green, blue, red = (
        np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width] for plane in planes
    )
    return cv2.merge((red, green, blue), out)


def _on_black(rgba: NDArray[Any]) -> Frame:
    return (rgba[..., :3].astype(np.uint16) * rgba[..., 3:] // 255).astype(np.uint8)


def to_gray(frame: VideoFrame, picture_format: PictureFormat) -> Frame:
    """The frame's luma as displayed, `[H, W]` uint8, full range."""
    gray = frame.reformat(format="gray", dst_color_range=ColorRange.JPEG).to_ndarray()
    return np.ascontiguousarray(picture_format.orientation.applied(gray))
