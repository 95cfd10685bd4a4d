"""What two frames say in 64 bits each: what is seen (a DCT hash) and what changed (two masks).

All is integer arithmetic, so that a frame has the same bits on every processor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

DCT_SIDE = 32
"""Cells per side that the DCT hash looks at (as pHash: Zauner, "Implementation and benchmarking of
perceptual image hash functions", 2010)."""

UNITS_PER_LEVEL = 16
"""Cell means are counted in sixteenths of a grey level."""

ROOT_UNIT = 16
"""What 1.0 is in the integer square roots."""

COSINE_UNIT = 1 << 10
"""What 1.0 is in the integer cosines."""

HIGHEST = 10
"""Highest sum of a coefficient's horizontal and vertical number."""

FREQUENCIES = sorted(
    ((v, u) for v in range(HIGHEST + 1) for u in range(HIGHEST + 1) if 0 < u + v <= HIGHEST),
    key=lambda vu: (sum(vu), vu),
)[:64]
"""Vertical and horizontal number of each bit's coefficient: the 64 lowest but for the mean."""

MOTION_SIDE = 8
"""Cells per side of the masks of change."""

_COSINES: Integers = np.rint(
    np.cos(np.pi * np.outer(np.arange(HIGHEST + 1), 2 * np.arange(DCT_SIDE) + 1) / (2 * DCT_SIDE))
    * COSINE_UNIT
).astype(np.int64)

_ROWS, _COLUMNS = np.array(FREQUENCIES).T

_ONE_LEVEL = UNITS_PER_LEVEL * COSINE_UNIT**2 * DCT_SIDE**2 // 4
"""A coefficient of a wave, in both directions, of one grey level's amplitude."""

_MIRRORED_SIGNS = 0
for _bit, (_, _u) in enumerate(FREQUENCIES):
    _MIRRORED_SIGNS |= (_u % 2) << (63 - _bit)


def luma(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey levels [H, W] of RGB [H, W, 3] (BT.601 weights, in 256ths)."""
    red, green, blue = (frame[..., channel].astype(np.uint32) for channel in range(3))
    return ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)


def cell_means(grey: NDArray[np.uint8], side: int) -> Integers:
    """Mean of each of side x side equal parts of `grey`, in sixteenths of a level.

    A pixel that lies across two cells counts in each by its part.
    """
    sums = grey.astype(np.int64)
    for axis in (0, 1):
        sums = np.moveaxis(_part_sums(np.moveaxis(sums, axis, 0), side), 0, axis)
    return sums * UNITS_PER_LEVEL // grey.size


def _part_sums(values: Integers, parts: int) -> Integers:
    """Sums over equal parts of the first axis, times `parts`, so that they are integers."""
    length = len(values)
    before = np.zeros((length + 1, values.shape[1]), np.int64)
    np.cumsum(values, axis=0, out=before[1:])
    whole, rest = np.divmod(np.arange(parts + 1) * length, parts)
    up_to = before[whole] * parts
    up_to[:-1] += values[whole[:-1]] * rest[:-1, None]
    return np.diff(up_to, axis=0)


def appearance(grey: NDArray[np.uint8], *, amplitude: float = 0.5) -> tuple[int, int]:
    """Signs of the 64 lowest DCT coefficients, and how many of them are more than noise.

    The signs are those of the square roots of the cells' means, in which a white logo on a dark
    picture weighs less. `amplitude` is the wave, in grey levels, from which on a coefficient is
    taken for more than noise: noise of 3 levels in every pixel of 160x90 makes waves of about .05.
    """
    means = cell_means(grey, DCT_SIDE)
    signs = _coefficients(np.sqrt(means * ROOT_UNIT**2).astype(np.int64)) > 0
    strong = np.abs(_coefficients(means)) > int(amplitude * _ONE_LEVEL)
    return _packed(signs), int(np.count_nonzero(strong))


def _coefficients(cells: Integers) -> Integers:
    return (_COSINES @ cells @ _COSINES.T)[_ROWS, _COLUMNS]


def changes(
    now: Integers, before: Integers, *, least: float = 1.0, of_largest: float = 0.25
) -> tuple[int, int]:
    """Which cells ([8, 8] means) became brighter, and which darker.

    A cell has changed if its mean moved by more than `least` grey levels, about what compression
    moves it by, and by more than `of_largest` of what moved most, so that contrast does not count.
    """
    difference = now - before
    bound = max(int(least * UNITS_PER_LEVEL), int(np.abs(difference).max() * of_largest))
    return _packed(difference.ravel() > bound), _packed(difference.ravel() < -bound)


def _packed(bits: NDArray[np.bool_]) -> int:
    """64 bits, the first as the highest."""
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def mirrored_appearance(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes of the frames seen in a mirror: odd horizontal waves change their sign."""
    return codes ^ np.uint64(_MIRRORED_SIGNS)


def mirrored_changes(masks: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Masks with the cells of each row (a byte) in reverse."""
    rows = np.unpackbits(masks.view(np.uint8).reshape(-1, 1), axis=1)
    return np.packbits(rows[:, ::-1], axis=1).reshape(-1).view(np.uint64)
