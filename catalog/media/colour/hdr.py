"""Tone mapping: HDR and wide-gamut pictures as SDR in BT.709, as a player shows them.

PQ (SMPTE ST 2084) and HLG (ARIB STD-B67, ITU-R BT.2100) are converted to linear light and scaled so
that diffuse white, 203 cd/m² in both (ITU-R BT.2408), is SDR's white. Highlights above :data:`KNEE`
are compressed up to :data:`PEAK`. BT.2020 or P3 primaries are converted to BT.709's, and the result
is encoded with a gamma of 2.4 (ITU-R BT.1886). Wide-gamut SDR is converted likewise, without the
compression.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18
"""AVCOL_TRC_SMPTE2084 and AVCOL_TRC_ARIB_STD_B67."""

WHITE = 203.0
"""cd/m² of diffuse white (ITU-R BT.2408, table 1)."""

HLG_DISPLAY = 1000.0
"""cd/m², the nominal peak of the display that HLG is made for, with a system gamma of 1.2."""

PEAK = 1000.0 / WHITE
"""Times diffuse white: all that is brighter becomes SDR's white. Consumer HDR is graded for
1000 cd/m²."""

KNEE = 0.75
"""Times diffuse white: light below is not changed."""

GAMMA = 2.4  # ITU-R BT.1886

# Linear RGB to BT.709's, by primaries (AVCOL_PRI_…): from their chromaticities, white D65.
_TO_709 = {
    9: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    12: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
_TO_709[11] = _TO_709[12]  # DCI's P3, as QuickTime has it: with white D65
WIDE = frozenset(_TO_709)
"""AVCOL_PRI_BT2020, AVCOL_PRI_SMPTE432 (Display P3) and AVCOL_PRI_SMPTE431 (P3)."""

_UNTAGGED = 2  # AVCOL_PRI_UNSPECIFIED; untagged HDR is BT.2020
_LUMA_2020 = (0.2627, 0.6780, 0.0593)
_CODES = 65536


def is_hdr(transfer: int) -> bool:
    """Whether the transfer characteristic (an AVCOL_TRC_…) is PQ or HLG."""
    return transfer in (PQ, HLG)


def to_sdr(rgb: NDArray[np.uint16], transfer: int, primaries: int) -> NDArray[np.uint8]:
    """Full-range 16-bit RGB `[H, W, 3]` as 8-bit SDR in BT.709.

    `transfer` (AVCOL_TRC_…) and `primaries` (AVCOL_PRI_…) are those of `rgb`.
    """
    light = _linear_light(transfer)[rgb]
    if transfer == HLG:  # its display transform: a system gamma of 1.2 on luminance
        luminance = cv2.transform(light, np.array([_LUMA_2020], np.float32))
        light *= (HLG_DISPLAY / WHITE) * cv2.pow(luminance, 0.2).reshape(*light.shape[:2], 1)
    if is_hdr(transfer) and primaries == _UNTAGGED:
        primaries = 9
    if primaries in _TO_709:
        light = cv2.transform(light, np.array(_TO_709[primaries], np.float32))
    peak = PEAK if is_hdr(transfer) else 1.0
    roots = cv2.sqrt(np.clip(light / np.float32(peak), 0, 1))  # finer steps in the dark
    return _sdr_codes(is_hdr(transfer))[(roots * (_CODES - 1)).astype(np.uint16)]


@functools.cache
def _linear_light(transfer: int) -> NDArray[np.float32]:
    """Linear light of each 16-bit code: times diffuse white for PQ and SDR, of the scene (0–1) for
    HLG."""
    code = np.arange(_CODES) / (_CODES - 1)
    if transfer == PQ:
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        root = code ** (1 / m2)
        light = 10000 / WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    elif transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    else:
        light = code**GAMMA
    return light.astype(np.float32)


@functools.cache
def _sdr_codes(compress: bool) -> NDArray[np.uint8]:
    """The 8-bit code by the square root, in 16-bit steps, of light over its peak."""
    light = (np.arange(_CODES) / (_CODES - 1)) ** 2
    if compress:
        light = light * PEAK
        over = np.maximum(light - KNEE, 0) / (1 - KNEE)
        most = (PEAK - KNEE) / (1 - KNEE)
        # Reinhard's curve with a white point: slope 1 at the knee, 1 at the peak
        rolled = KNEE + (1 - KNEE) * over * (1 + over / most**2) / (1 + over)
        light = np.where(light > KNEE, rolled, light)
    return np.rint(255 * np.clip(light, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
