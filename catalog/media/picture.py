"""From a decoded frame to the picture a player shows: colours, transparency, shape, orientation."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media import hdr

HD_LINES = 720
"""Untagged video is BT.709 from this height on, BT.601 below: ITU-R's split of HD and SD."""

STRETCH = 4
"""Pixels wider or higher than this are a lie in the header: no format has more than 2.9 to 1."""

_ACCURATE = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
_UNTAGGED = 2  # AVCOL_SPC_UNSPECIFIED
_UNKNOWN_MATRICES = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "Y'D'zD'x",
    12: "constant luminance",
    13: "constant luminance",
    14: "ICtCp",
    15: "IPT-C2",
}
"""AVCOL_SPC_… that FFmpeg's scaler would read as if they were BT.601."""
_UNKNOWN_CURVES = {8: "linear light", 9: "a logarithmic curve", 10: "a logarithmic curve"}
"""AVCOL_TRC_… that are no SDR's and no HDR's that is known here."""
_XYZ = 10  # AVCOL_PRI_SMPTE428, and 17, AVCOL_TRC_SMPTE428: digital cinema

Frame = NDArray[np.uint8]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Orientation:
    """How the coded picture is turned and mirrored for display: first transposed, then flipped."""

    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise, the mirroring aside: 0, 90, 180, 270."""
        if self.transposed:
            return 90 if self.flip_rows else 270
        return 180 if self.flip_rows else 0

    @property
    def mirrored(self) -> bool:
        """Whether it is a mirror image too."""
        return (self.transposed + self.flip_rows + self.flip_columns) % 2 == 1

    def applied(self, picture: NDArray) -> NDArray:
        """`picture` [h, w, …] as displayed; a view."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        if self.flip_rows:
            picture = picture[::-1]
        if self.flip_columns:
            picture = picture[:, ::-1]
        return picture


@dataclass(frozen=True, slots=True)
class Look:
    """What the first frame says of all: orientation, and the coded picture's size (height, width)
    with square pixels. `notes` tell in words what is done to the picture."""

    orientation: Orientation
    coded: Size
    notes: tuple[str, ...]

    @property
    def size(self) -> Size:
        """Height and width as displayed."""
        return self.coded[::-1] if self.orientation.transposed else self.coded


def look(path: object, frame: VideoFrame, shape: Fraction | None) -> Look:
    """How frames like this one are shown; `shape` is the width of a pixel over its height.

    Raises BadInput (`unknown_colours`) for a colour matrix that cannot be read.
    """
    notes = []
    unknown = _UNKNOWN_MATRICES.get(int(frame.colorspace))
    unknown = unknown or _UNKNOWN_CURVES.get(int(frame.color_trc))
    if frame.color_primaries == _XYZ or frame.color_trc == 17:
        unknown = "XYZ"
    if unknown:
        raise BadInput(
            "unknown_colours",
            f"{path}: its colours are coded as {unknown}, which is not read here; convert it to "
            "BT.709 with the program that made it",
        )
    if hdr.is_hdr(frame.color_trc):
        name = "PQ" if frame.color_trc == hdr.PQ else "HLG"
        notes.append(f"HDR ({name}) tone-mapped to SDR")
    elif frame.color_primaries in hdr.WIDE:
        notes.append("wide colours converted to BT.709")
    if has_alpha(frame):
        notes.append("transparency flattened on black")
    shape = shape or Fraction(1)
    if not Fraction(1, STRETCH) <= shape <= STRETCH:
        notes.append(f"a pixel shape of {shape.numerator}:{shape.denominator} taken as square")
        shape = Fraction(1)
    coded = (frame.height, max(1, round(frame.width * shape)))
    return Look(_orientation(frame), coded, tuple(notes))


def has_alpha(frame: VideoFrame) -> bool:
    """Whether its pixels may be transparent."""
    return any(component.is_alpha for component in frame.format.components)


def _orientation(frame: VideoFrame) -> Orientation:
    """From the display matrix (x' = a·x + c·y, y' = b·x + d·y; ISO/IEC 14496-12, 8.3.2)."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return Orientation(True, flip_rows=b < 0, flip_columns=c < 0)
    return Orientation(False, flip_rows=d < 0, flip_columns=a < 0)


def to_rgb(
    frame: VideoFrame,
    look: Look,
    size: Size | None,
    reformatter: VideoReformatter,
    out: Frame | None = None,
) -> Frame:
    """`[H, W, 3]` uint8 RGB as displayed, resized to `size` (height, width) if given: area average
    when shrinking, Lanczos when enlarging. Written into `out`, if given, and returned."""
    turned = look.orientation.transposed
    height, width = look.coded if size is None else (size[::-1] if turned else size)
    resized = (height, width) != (frame.height, frame.width)
    if not resized:
        how = Interpolation.BILINEAR  # only the chroma is scaled
    elif height < frame.height or width < frame.width:
        how = Interpolation.AREA
    else:
        how = Interpolation.LANCZOS
    wide = hdr.is_hdr(frame.color_trc) or frame.color_primaries in hdr.WIDE
    if has_alpha(frame):
        layout = "rgba"
    elif wide:  # FFmpeg 8 garbles packed 16-bit pixels with full chroma interpolation
        layout = "gbrp16le"
    else:
        layout = "rgb24" if resized or not _planes_are_exact(frame) else "gbrp"
    untagged = frame.colorspace == _UNTAGGED
    guess = Colorspace.ITU709 if frame.height >= HD_LINES else Colorspace.ITU601
    converted = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format=layout,
        src_colorspace=guess if untagged else None,
        interpolation=how | _ACCURATE,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )
    rgb: NDArray[Any]
    if layout == "rgba":
        rgb = _on_black(converted.to_ndarray())
    elif layout == "gbrp16le":
        rgb = hdr.to_sdr(_interleaved(converted), frame.color_trc, frame.color_primaries)
    elif layout == "gbrp":
        rgb = _interleaved(converted, None if look.orientation != Orientation() else out)
    else:
        rgb = converted.to_ndarray()
    picture = look.orientation.applied(rgb)
    if out is None:
        return np.ascontiguousarray(picture)
    if picture is not out:
        out[...] = picture
    return out


def _planes_are_exact(frame: VideoFrame) -> bool:
    """Whether converting to planes of R, G and B, and interleaving these, gives the very pixels
    that converting to rgb24 gives, in a third of the time: FFmpeg has vector code for planes only.

    So it is where chroma has every line or every second; its rows in between are rounded otherwise.
    """
    chroma = frame.format.chroma_height(frame.height)
    return not frame.format.is_rgb and 2 * chroma >= frame.height


def _interleaved(gbr: VideoFrame, out: Frame | None = None) -> NDArray[Any]:
    """A frame in planes (gbrp, gbrp16le) as `[h, w, 3]` RGB, in `out` if given."""
    dtype = np.dtype("<u2" if gbr.format.name == "gbrp16le" else "u1")
    planes: tuple[Any, ...] = gbr.planes
    green, blue, red = (
        np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width] for plane in planes
    )
    return cv2.merge((red, green, blue), out)


def _on_black(rgba: NDArray[Any]) -> Frame:
    return (rgba[..., :3].astype(np.uint16) * rgba[..., 3:] // 255).astype(np.uint8)


def to_gray(frame: VideoFrame, look: Look) -> Frame:
    """`[H, W]` uint8 luma, full range, as displayed."""
    gray = frame.reformat(format="gray", dst_color_range=ColorRange.JPEG).to_ndarray()
    return np.ascontiguousarray(look.orientation.applied(gray))
