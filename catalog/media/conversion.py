"""From a decoded frame to the RGB picture that a player shows on an SDR screen."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from catalog.media import hdr
from catalog.media.picture import Frame, Orientation, PictureFormat, Size, has_alpha

HD_LINES = 720
"""Untagged video is BT.709 from this height on, BT.601 below: ITU-R's split of HD and SD."""

_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
"""Chroma is interpolated for every pixel and rounded to nearest; swscale's default takes the
nearest chroma sample and is off by up to 8 codes on footage, up to 55 on animation."""

_UNSPECIFIED_MATRIX = 2  # AVCOL_SPC_UNSPECIFIED


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
    wide = hdr.is_hdr(frame.color_trc) or frame.color_primaries in hdr.WIDE
    if has_alpha(frame):
        layout = "rgba"
    elif wide:  # FFmpeg 8 garbles packed 16-bit pixels with full chroma interpolation
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
