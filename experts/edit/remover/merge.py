"""Merges the samples of each pixel into one colour: a robust, weighted mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experts.edit.remover.fills.gather import OUTLIER, PixelSamples

# Set by hand and measured by infra/bench/removal/run.py.
NOISE = 2.0  # gray values; deviation of the codec's and the sensor's noise in every sample
ROUNDS = 2  # of reweighting
NEAREST = 7  # samples whose median the mean starts from


def merge(
    samples: PixelSamples,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    """The colour [N, 3] of each pixel, whether any frame saw it [N], and the samples' variance [N].

    The variance is their mean squared (capped) difference from the colour, gray².

    A sample counts by the error its frame showed on the ring; one that disagrees with the others
    loses its weight (iteratively reweighted least squares with Cauchy's loss, from the median on).
    """
    seen: NDArray[np.bool_] = np.asarray(samples.seen.any(axis=0))
    if not len(samples.seen):
        return np.zeros((seen.size, 3), np.float32), seen, np.zeros(seen.size, np.float32)
    trust = 1.0 / (samples.error + NOISE**2)
    weight = np.where(samples.seen, trust[:, None], np.float32(0)).astype(np.float32)
    total = np.maximum(weight.sum(axis=0), 1e-9)
    colour, variance = _median(samples), np.zeros(seen.size, np.float32)
    for _ in range(ROUNDS):
        gap = samples.colour - colour
        residual = np.einsum("knc,knc->kn", gap, gap) / 3
        variance = np.einsum("kn,kn->n", weight, np.minimum(residual, OUTLIER**2)) / total
        loss = residual / np.maximum(0.5 * variance, NOISE**2)
        robust = weight / np.square(1.0 + loss)
        robust /= np.maximum(robust.sum(axis=0), 1e-9)
        colour = np.einsum("kn,knc->nc", robust, samples.colour)
    return colour, seen, variance


def _median(samples: PixelSamples) -> NDArray[np.float32]:
    """Per channel the median of the nearest seen samples, [N, 3]; 0 where there is none."""
    rank = np.cumsum(samples.seen, axis=0, dtype=np.int16)
    nearest, n = min(NEAREST, len(rank)), rank.shape[1]
    values = np.full((nearest, n, 3), np.inf, np.float32)
    sample, pixel = np.nonzero(samples.seen & (rank <= nearest))
    values[rank[sample, pixel] - 1, pixel] = samples.colour[sample, pixel]
    values.sort(axis=0)
    count = np.minimum(rank[-1], nearest)
    pixel = np.arange(n)
    low, high = values[np.maximum(count - 1, 0) // 2, pixel], values[count // 2 % nearest, pixel]
    return np.where(count[:, None] > 0, (low + high) / 2, 0).astype(np.float32)
