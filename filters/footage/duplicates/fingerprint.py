"""A video in a few kilobytes: what its frames show and how they change, twice a second."""

from __future__ import annotations

import hashlib
import heapq
import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from catalog.errors import EditmillError
from filters.footage.duplicates.borders import Borders
from filters.footage.duplicates.descriptors import (
    MOTION_SIDE,
    Integers,
    appearance,
    cell_means,
    changes,
    luma,
)

VERSION = "1"
"""Of the bits: fingerprints of different versions cannot be compared."""


UNKNOWN = (1 << 64) - 1
"""Both masks of a video's first frame, which nothing is known to have come before."""


class FrameHash(NamedTuple):
    """A frame: its time, its DCT hash, and which cells changed since the frame before it.

    `appearance`, `brighter` and `darker` are 64-bit numbers; both masks are 0 where nothing moved.
    """

    time_ms: int
    appearance: int
    brighter: int
    darker: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Samples in order of time; those of even frames (black, a plain colour) are left out.

    `digest` names the frames seen, exactly: by it, videos without any sample are told apart.
    """

    digest: str
    samples: tuple[FrameHash, ...]

    def document(self) -> str:
        """As JSON, about 70 bytes a sample."""
        samples = [[time, *(f"{bits:016x}" for bits in rest)] for time, *rest in self.samples]
        return json.dumps({"version": VERSION, "digest": self.digest, "samples": samples})

    @classmethod
    def load(cls, document: str) -> Fingerprint:
        """What `document` wrote. Raises EditmillError if another version did."""
        found = json.loads(document)
        if found["version"] != VERSION:
            raise EditmillError(
                f"a fingerprint of version {found['version']} cannot be compared with those of "
                f"version {VERSION}; look at the video again"
            )
        samples = (
            FrameHash(time, *(int(bits, 16) for bits in rest)) for time, *rest in found["samples"]
        )
        return cls(found["digest"], tuple(samples))


class Fingerprinter:
    """Makes the fingerprint of one video from its frames.

    `most_samples` bounds memory. Of a longer video (128 s, by default) those samples are kept that
    differ most from the one before them, which are at the same places in a copy.
    `least_waves` is the number of the hash's 64 coefficients that must be more than noise, or else
    the frame is even and left out.
    Defaults: infra/bench/results/duplicates.md.
    """

    def __init__(self, *, most_samples: int = 256, least_waves: int = 12) -> None:
        self._most = most_samples
        self._least_waves = least_waves
        self._digest = hashlib.blake2b(digest_size=8)
        self._horizontal, self._vertical = Borders(), Borders()
        self._cells: Integers | None = None
        self._hash: int | None = None
        self._kept: list[tuple[int, int, FrameHash]] = []
        """A heap of (bits that differ from the sample before, minus the time, sample)."""

    def add(self, time_s: float, frame: NDArray[np.uint8]) -> None:
        """Take in a frame, uint8 RGB [H, W, 3], 160 to 320 px on its longer side, about half a
        second after the one before. Raises ValueError for an array of another kind.
        """
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"a frame is uint8 [H, W, 3], not {frame.dtype} {list(frame.shape)}")
        time_ms = round(time_s * 1000)
        self._digest.update(f"{time_ms} {frame.shape}".encode())
        self._digest.update(frame.tobytes())
        grey = luma(frame)
        rows, columns = self._horizontal.see(grey), self._vertical.see(grey.T)
        grey = grey[rows : len(grey) - rows, columns : grey.shape[1] - columns]
        code, waves = appearance(grey)
        cells = cell_means(grey, MOTION_SIDE)
        if self._cells is None:
            brighter = darker = UNKNOWN
        else:
            brighter, darker = changes(cells, self._cells)
        self._cells = cells
        if waves >= self._least_waves:
            self._keep(FrameHash(time_ms, code, brighter, darker))

    def _keep(self, sample: FrameHash) -> None:
        before, self._hash = self._hash, sample.appearance
        change = 64 if before is None else (before ^ sample.appearance).bit_count()
        entry = (change, -sample.time_ms, sample)
        if len(self._kept) < self._most:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the frames added so far."""
        samples = sorted(sample for _, _, sample in self._kept)
        return Fingerprint(self._digest.hexdigest(), tuple(samples))
