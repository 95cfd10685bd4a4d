"""All features of a pair, computed once and shared by all filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.base import PairFrames
from filters.encoder.base import Encoder, Encoding
from filters.features.agreement import KnownFootage, agreement
from filters.features.artefacts import artefact_measures
from filters.features.coverage import coverage_figures
from filters.features.pixels import KnownPlanes, measure_planes, planes_of
from filters.features.plain import style_figures

STYLES = frozenset({"global_style_transfer", "local_style_transfer"})
"""Tasks whose made side shows the same as the real one, and moves as it does."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of a pair's pixels, over T frames; no network is asked.

    `pixels` [T, 2, len(PIXEL_MEASURES)]: inside the mask, then around it; without one, twice all.
    `artefacts`: measures of the artefacts that failed edits show, over all frames (see
    filters.features.artefacts). `agreement` [len(AGREEMENT_MEASURES)]: how the made side agrees
    with the footage's other frames and with its motion (filters.features.agreement). `plain`: by
    name, what only filters.quality.checks looks at (filters.features.plain, .coverage).
    """

    pixels: NDArray[np.float32]
    artefacts: NDArray[np.float32]
    agreement: NDArray[np.float32]
    plain: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PairFeatures:
    """The encoder's view of both sides, per frame, and the measures of their pixels."""

    source: Encoding
    target: Encoding
    measures: Measures


def describe(
    samples: Sequence[PairFrames], encoder: Encoder, workers: int = 1
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
    return [
        PairFeatures(encoded[id(s.source), id(s.mask)], encoded[id(s.target), id(s.mask)], measures)
        for s, measures in zip(samples, measures_of(samples, workers), strict=True)
    ]


def measures_of(samples: Sequence[PairFrames], workers: int = 1) -> list[Measures]:
    """Measures of each pair, by `workers` threads. A side shared by several samples (the same
    array) is prepared once."""
    known: KnownPlanes = {}
    footage: KnownFootage = {}
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda sample: _measured(sample, known, footage), samples))


def _measured(sample: PairFrames, known: KnownPlanes, footage: KnownFootage) -> Measures:
    before, after, inside = planes_of(sample.source, sample.target, sample.mask, known)
    real, made = (after, before) if sample.made == "source" else (before, after)
    agrees, plain = agreement(sample, real.rgb, made.rgb, inside, footage)
    if sample.task in STYLES:
        plain = style_figures(real.rgb, made.rgb, inside)
        plain |= coverage_figures(real.rgb, made.rgb, inside)
    return Measures(
        measure_planes(before, after, inside),
        np.array(artefact_measures(real.rgb, made.rgb, inside), np.float32),
        np.array(agrees, np.float32),
        plain,
    )
