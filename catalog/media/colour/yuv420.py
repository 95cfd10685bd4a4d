"""8-bit 4:2:0 video to RGB: the pixels of FFmpeg's exact conversion, in a quarter of its time.

FFmpeg's scaler takes such a frame through code for any size and format. Here the same integers are
computed row by row, in loops that numba compiles for the processor at hand: chroma is interpolated
in a row and 3:1 between two rows, in units that make every step exact, and rounded once, after the
matrix. Importing this module takes .6 core-seconds, and 1.6 when it compiles: once, since numba
keeps the result in `__pycache__` or in the user's cache folder.

numba computes with 64 bits unless told otherwise, hence the many int32: they halve the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher
from numpy import int16, int32, uint8
from numpy.typing import NDArray

KR_KB = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Shares of red and blue in luma by AVColorSpace: BT.709, FCC, BT.601 (twice), SMPTE 240M, BT.2020
(ITU-T H.273, table 4)."""

Plane = NDArray[np.uint8]

LEFT, CENTRE = (0, 2), (1, 1)
"""Where a row's chroma samples lie: on each second pixel, or between two pixels. Numbers: quarters
that an even pixel has of the sample at its left, an odd one of the sample at its right, the rest
being of the nearest."""


def coefficients(colorspace: int, full_range: bool) -> NDArray[np.int32]:
    """What :func:`convert` multiplies with, in 2⁻¹³ and rounded as in FFmpeg's scaler.

    Luma, its black level (in 2⁻¹⁷, with .5 for rounding), red of Cr, green of Cr, green of Cb, blue
    of Cb. Raises KeyError for an AVColorSpace that is not in :data:`KR_KB`.
    """
    kr, kb = KR_KB[colorspace]
    kg = 1 - kr - kb
    red, blue = 2 * (1 - kr), 2 * (1 - kb)
    of_limited = 65536 * 255 / 224 * np.array([red, red * kr / kg, blue * kb / kg, blue])
    chroma = np.rint(of_limited).astype(np.int32)
    luma, black = round(8192 * 255 / 219), 16
    if full_range:
        chroma, luma, black = chroma * 224 // 255, 8192, 0
    chroma = chroma * np.array([1, -1, -1, 1]) + 4 >> 3
    return np.array([luma, 65536 - 16 * black * luma, *chroma], np.int32)


@njit(error_model="numpy")
def _times(a, b):  # type: ignore[no-untyped-def]
    return int32(int32(a) * int32(b))


@njit(error_model="numpy")
def _rounded(value):  # type: ignore[no-untyped-def]
    # FFmpeg's sum has five bits more below, so it overflows at 512. No real colour is so bright,
    # but a file's pixels must not depend on which of the two converts it.
    wrapped = int32(int32(value) << int32(5))
    return uint8(min(max(int32(wrapped >> int32(22)), int32(0)), int32(255)))


@njit(error_model="numpy")
def _chroma_row(far, near, siting, row, out):  # type: ignore[no-untyped-def]
    """Cb or Cr of a row of pixels, less its zero, in sixteenths."""
    left, right = siting
    width = far.size
    for i in range(width):
        row[i + 1] = int16(far[i] + int16(3) * near[i] - 512)
    row[0], row[width + 1] = row[1], row[width]
    for i in range(width):
        out[2 * i] = int16(left * row[i] + (4 - left) * row[i + 1])
        out[2 * i + 1] = int16((4 - right) * row[i + 1] + right * row[i + 2])


@njit(error_model="numpy")
def _matrix_row(y, cb, cr, factors, red, green, blue):  # type: ignore[no-untyped-def]
    luma, black = int32(16 * factors[0]), factors[1]
    red_cr, green_cr, green_cb, blue_cb = factors[2], factors[3], factors[4], factors[5]
    for i in range(red.size):
        level = int32(_times(y[i], luma) + black)
        red[i] = _rounded(level + _times(cr[i], red_cr))
        green[i] = _rounded(level + _times(cr[i], green_cr) + _times(cb[i], green_cb))
        blue[i] = _rounded(level + _times(cb[i], blue_cb))


@njit(error_model="numpy")
def _interleave_row(red, green, blue, out):  # type: ignore[no-untyped-def]
    for i in range(red.size):
        out[3 * i] = red[i]
        out[3 * i + 1] = green[i]
        out[3 * i + 2] = blue[i]


def _convert(y, cb, cr, factors, siting, out):  # type: ignore[no-untyped-def]
    height, width = out.shape[0], out.shape[1] // 3
    half = width // 2
    row = np.empty(half + 2, int16)
    cb_row, cr_row = np.empty(width, int16), np.empty(width, int16)
    red, green, blue = np.empty(width, uint8), np.empty(width, uint8), np.empty(width, uint8)
    for k in range(height):
        near = k // 2
        far = min(near + 1, height // 2 - 1) if k % 2 else max(near - 1, 0)
        _chroma_row(cb[far, :half], cb[near, :half], siting, row, cb_row)
        _chroma_row(cr[far, :half], cr[near, :half], siting, row, cr_row)
        _matrix_row(y[k, :width], cb_row, cr_row, factors, red, green, blue)
        _interleave_row(red, green, blue, out[k])


def _compiled() -> Dispatcher:
    plane = "uint8[:, ::1]"
    signature = f"void({plane}, {plane}, {plane}, int32[::1], UniTuple(int16, 2), {plane})"
    try:
        return njit(signature, nogil=True, error_model="numpy", cache=True)(_convert)
    except RuntimeError:  # no folder that the compiled code could be kept in can be written
        return njit(signature, nogil=True, error_model="numpy")(_convert)


_compiled_convert = _compiled()


def convert(
    planes: Sequence[Plane], factors: NDArray[np.int32], siting: tuple[int, int], out: Plane
) -> None:
    """Write a frame as RGB into `out`, `[H, W, 3]` uint8, contiguous; H and W are even.

    `planes`: Y, Cb and Cr as they lie in memory, `[H, ≥ W]` and twice `[H/2, ≥ W/2]` uint8.
    `factors`: of :func:`coefficients`. `siting`: :data:`LEFT` or :data:`CENTRE`.
    """
    y, cb, cr = planes
    _compiled_convert(y, cb, cr, factors, siting, out.reshape(len(out), -1))
