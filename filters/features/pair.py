"""All features of a pair, computed once and shared by all filters."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.base import PairSample
from filters.encoder.base import Encoder, Encoding
from filters.features.agreement import KnownCameras, agreement
from filters.features.artefacts import artefact_measures
from filters.features.pixels import KnownPlanes, measure_planes, planes_of


@dataclass(frozen=True, slots=True)
class PairFeatures:
    """Per frame, T of them: the encoder's view of both sides, and pixel measures.

    `pixels` [T, 2, len(PIXEL_MEASURES)]: inside the mask, then around it; without one, twice all.
    `artefacts`: measures of the artefacts that failed edits show, over all frames (see
    filters.features.artefacts). `agreement`: how the made side agrees with the footage's other
    frames and with its motion (filters.features.agreement).
    """

    source: Encoding
    target: Encoding
    pixels: NDArray[np.float32]
    artefacts: NDArray[np.float32]
    agreement: NDArray[np.float32]


def describe(
    samples: Sequence[PairSample], encoder: Encoder, workers: int = 1
) -> list[PairFeatures]:
    """Features of each pair. A side shared by several samples (the same array) is encoded once.

    `workers` threads take the pixel measures.
    """
    encoder.load()
    sides = {
        (id(frames), id(s.mask)): (frames, s.mask)
        for s in samples
        for frames in (s.source, s.target)
    }
    encoded = dict(zip(sides, encoder.encode(list(sides.values())), strict=True))
    with ThreadPoolExecutor(workers) as pool:
        known: KnownPlanes = {}
        cameras: KnownCameras = {}
        measures = pool.map(lambda sample: _measures(sample, known, cameras), samples)
        return [
            PairFeatures(encoded[id(s.source), id(s.mask)], encoded[id(s.target), id(s.mask)], *m)
            for s, m in zip(samples, measures, strict=True)
        ]


def _measures(
    sample: PairSample, known: KnownPlanes, cameras: KnownCameras
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    before, after, inside = planes_of(sample.source, sample.target, sample.mask, known)
    real, made = (after, before) if sample.made == "source" else (before, after)
    found = np.array(artefact_measures(real.rgb, made.rgb, inside), np.float32)
    agreed = np.array(agreement(sample, real.rgb, made.rgb, inside, cameras), np.float32)
    return measure_planes(before, after, inside), found, agreed
