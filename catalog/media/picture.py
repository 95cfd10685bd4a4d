"""How a decoded frame is to be displayed: its orientation, pixel shape, colours, transparency.

`catalog.media.colour.conversion` makes RGB of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media.colour import hdr

MAX_PIXEL_ASPECT = 4
"""A sample aspect ratio above this, or below its inverse, is an error in the header and ignored.
The largest of a real format is 2.9 to 1."""

_UNSUPPORTED_MATRICES = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "Y'D'zD'x",
    12: "constant luminance",
    13: "constant luminance",
    14: "ICtCp",
    15: "IPT-C2",
}
"""AVCOL_SPC_… that swscale would convert as if they were BT.601."""
_UNSUPPORTED_CURVES = {8: "linear light", 9: "a logarithmic curve", 10: "a logarithmic curve"}
"""AVCOL_TRC_… that are neither SDR nor one of the HDR curves of `catalog.media.colour.hdr`."""
_XYZ_PRIMARIES, _XYZ_CURVE = 10, 17
"""AVCOL_PRI_SMPTE428 and AVCOL_TRC_SMPTE428: digital cinema."""

Frame = NDArray[np.uint8]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a decoded frame is rotated and mirrored for display: first transposed, then flipped."""

    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise, without the mirroring: 0, 90, 180 or 270."""
        if self.transposed:
            return 90 if self.flip_rows else 270
        return 180 if self.flip_rows else 0

    @property
    def mirrored(self) -> bool:
        """Whether the displayed picture is a mirror image of the decoded one."""
        return (self.transposed + self.flip_rows + self.flip_columns) % 2 == 1

    def applied(self, picture: NDArray) -> NDArray:
        """A view of `picture` [h, w, …] as it is displayed."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        if self.flip_rows:
            picture = picture[::-1]
        if self.flip_columns:
            picture = picture[:, ::-1]
        return picture


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """How to display a stream's decoded frames, read from the first one.

    `size`: (height, width) of the decoded frame, px, after its pixels are made square and before it
    is rotated. `notes`: in words, what the conversion to RGB does beyond the matrix.
    """

    orientation: Orientation
    size: Size
    notes: tuple[str, ...]

    @property
    def display_size(self) -> Size:
        """(height, width), px, as displayed: after rotation too."""
        return self.size[::-1] if self.orientation.transposed else self.size


def read_format(
    path: object, frame: VideoFrame, sample_aspect_ratio: Fraction | None
) -> PictureFormat:
    """The format of a stream of frames like this one.

    `sample_aspect_ratio` is a pixel's width over its height; None is square. `path` is for messages
    only. Raises BadInput (`unknown_colours`) for a colour matrix or transfer curve that cannot be
    converted to RGB here.
    """
    notes = []
    unsupported = _UNSUPPORTED_MATRICES.get(int(frame.colorspace))
    unsupported = unsupported or _UNSUPPORTED_CURVES.get(int(frame.color_trc))
    if frame.color_primaries == _XYZ_PRIMARIES or frame.color_trc == _XYZ_CURVE:
        unsupported = "XYZ"
    if unsupported:
        raise BadInput(
            "unknown_colours",
            f"{path}: its colours are coded as {unsupported}, which is not read here; convert it "
            "to BT.709 with the program that made it",
        )
    if hdr.is_hdr(frame.color_trc):
        name = "PQ" if frame.color_trc == hdr.PQ else "HLG"
        notes.append(f"HDR ({name}) tone-mapped to SDR")
    elif frame.color_primaries in hdr.WIDE:
        notes.append("wide colours converted to BT.709")
    if has_alpha(frame):
        notes.append("transparency flattened on black")
    aspect = sample_aspect_ratio or Fraction(1)
    if not 1 / Fraction(MAX_PIXEL_ASPECT) <= aspect <= MAX_PIXEL_ASPECT:
        notes.append(f"a pixel shape of {aspect.numerator}:{aspect.denominator} taken as square")
        aspect = Fraction(1)
    size = (frame.height, max(1, round(frame.width * aspect)))
    return PictureFormat(_orientation(frame), size, tuple(notes))


def has_alpha(frame: VideoFrame) -> bool:
    """Whether the frame's pixel format has an alpha channel."""
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
