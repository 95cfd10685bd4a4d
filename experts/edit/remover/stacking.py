"""How much of each candidate goes into the fill of a place, and how far off the fill will be.

Stacked regression (Wolpert, "Stacked generalization", Neural Networks 1992; Breiman, "Stacked
regressions", Machine Learning 1996): of the candidates' errors where the truth is known, the matrix
of mean products is taken, and the weights are those, not negative and of sum 1, whose mixture has
the least mean squared error by it. Two candidates that err alike share a weight, two that err apart
correct each other, and one that is wrong gets none.

The errors are kept on a coarse grid over the picture and time and averaged over a cell's
neighbours, so weights change smoothly from place to place and no seam or flicker comes of them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOISE = 1.0
"""Gray values; deviation of the noise that every candidate is granted, so that weights of
candidates which are all as good as right are even."""

UNKNOWN = 32.0
"""Gray values that every candidate is taken to be off by, each in its own way, where nothing could
be hidden on purpose: about what a smooth fill is off by on textured footage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSettings:
    """The grid's. Defaults are measured by `infra/bench/removal/run.py` on the clips to tune on."""

    cell_px: int = 24
    """Side of a cell."""

    cell_frames: int = 4
    """Frames of a cell."""

    reach: float = 1.0
    """Deviation of the Gaussian that averages over a cell's neighbours, cells."""

    evidence: float = 1000.0
    """Pixels' worth that the whole clip's mean counts beside a cell's own."""


class ErrorGrid:
    """The candidates' errors over a clip of `shape` (T, H, W), learned from known pixels."""

    def __init__(
        self, shape: tuple[int, ...], candidates: int, settings: GridSettings | None = None
    ) -> None:
        self.settings = settings or GridSettings()
        count, height, width = shape
        one = self.settings
        cells = -(-count // one.cell_frames), -(-height // one.cell_px), -(-width // one.cell_px)
        self._counts, self._products = np.zeros((2, *cells, candidates, candidates), np.float32)

    def learn(
        self,
        t: int,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        errors: NDArray[np.float32],
        found: NDArray[np.bool_],
    ) -> None:
        """The `errors` [C, N, 3], gray values, of what the candidates say about the points (x, y)
        [N] of frame `t`, where they have `found` something to say [C, N]."""
        cells = self._products.shape
        row, column = (v.astype(int) // self.settings.cell_px for v in (y, x))
        place = row * cells[2] + column
        order = np.argsort(place, kind="stable")
        at, start = np.unique(place[order], return_index=True)
        slot = t // self.settings.cell_frames
        products, counts = (
            table[slot].reshape(-1, *cells[3:]) for table in (self._products, self._counts)
        )
        for cell, part in zip(at, np.split(order, start[1:]), strict=True):
            known = found[:, part].astype(np.float32)
            e = (errors[:, part] * known[..., None]).reshape(len(errors), -1)
            products[cell] += e @ e.T / 3
            counts[cell] += known @ known.T

    def mixture(self) -> Mixture:
        """What was learned, averaged over each cell's neighbours."""
        one = self.settings
        counts, total = (a.sum(axis=(0, 1, 2)) for a in (self._counts, self._products))
        usual = np.where(counts > 0, total / np.maximum(counts, 1), 0)
        unknown = np.flatnonzero(np.diag(counts) == 0)
        usual[unknown, unknown] = UNKNOWN**2
        products = _averaged(self._products, one.reach) + one.evidence * usual
        return Mixture(products / (_averaged(self._counts, one.reach) + one.evidence), one)


class Mixture:
    """The best mixture of the candidates at any point, by their mean `products` of errors in the
    cells [T', H', W', C, C], gray²."""

    def __init__(self, products: NDArray[np.float32], settings: GridSettings) -> None:
        self.settings = settings
        self._products = products
        self._tables: dict[int, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def at(
        self,
        t: int,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        found: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """At the points (x, y) [N] of frame `t`: the weights [N, C] of sum 1 of those candidates
        that have `found` something to say [C, N], at least one; the expected squared error of
        their mixture [N], gray²; and their expected spread about it [N], gray². Between the cells'
        centres all are interpolated."""
        count = len(found)
        codes = (1 << np.arange(count)) @ found.astype(np.int64)
        out = np.zeros((len(x), count + 2), np.float32)
        for code in np.unique(codes):
            here = codes == code
            out[here] = self._interpolated(self._table(int(code)), t, x[here], y[here])
        return out[:, :-2], out[:, -2], out[:, -1]

    def _table(self, code: int) -> NDArray[np.float32]:
        """Weights, expected error and spread of every cell, [T', H', W', C + 2], where the
        candidates whose bits are set in `code` say something."""
        with self._lock:
            if code not in self._tables:
                cells, count = self._products.shape[:3], self._products.shape[-1]
                used = np.flatnonzero([code >> i & 1 for i in range(count)])
                mean = self._products.reshape(-1, count, count)[:, used][:, :, used]
                mean = mean.astype(np.float64)
                weights = _least_error(mean + NOISE**2 * np.eye(len(used)))
                table = np.zeros((len(mean), count + 2), np.float32)
                table[:, used] = weights
                error = np.einsum("ma,mab,mb->m", weights, mean, weights)
                alone = np.einsum("ma,maa->m", weights, mean)
                table[:, -2:] = np.maximum(np.stack([error, alone - error], axis=1), 0.0)
                self._tables[code] = table.reshape(*cells, count + 2)
            return self._tables[code]

    def _interpolated(
        self, table: NDArray[np.float32], t: int, x: NDArray[np.float32], y: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        one, size = self.settings, table.shape
        time, late = _between(np.array([float(t)]), one.cell_frames, size[0])
        rows = table[time[0]] * (1 - late) + table[time[0] + (late[0] > 0)] * late
        (row, down), (column, right) = (
            _between(v, one.cell_px, n) for v, n in ((y, size[1]), (x, size[2]))
        )
        below, beside = row + (down > 0), column + (right > 0)
        down, right = down[:, None], right[:, None]
        found = (1 - down) * ((1 - right) * rows[row, column] + right * rows[row, beside])
        found += down * ((1 - right) * rows[below, column] + right * rows[below, beside])
        return np.asarray(found, np.float32)


def _between(
    values: NDArray[np.floating], cell: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The cell whose centre lies before each value, and how far it is to the next one's, 0 to 1."""
    place = np.clip((values + 0.5) / cell - 0.5, 0, count - 1)
    low = place.astype(np.int64)
    return low, (place - low).astype(np.float32)


def _averaged(cells: NDArray[np.float32], reach: float) -> NDArray[np.float32]:
    """Sums over the first three axes, weighted by a Gaussian of peak 1 and deviation `reach`."""
    radius = int(3 * reach)
    kernel = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) / reach)).astype(np.float32)
    out = cells
    for axis in range(3):
        padding = [(radius, radius) if a == axis else (0, 0) for a in range(cells.ndim)]
        padded = np.pad(out, padding)
        out = np.zeros_like(cells)
        for k, weight in enumerate(kernel):
            part = [slice(None)] * cells.ndim
            part[axis] = slice(k, k + cells.shape[axis])
            out += weight * padded[tuple(part)]
    return out


def _least_error(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each matrix [M, C, C] of mean products of errors the weights [M, C], at least 0 and of sum
    1, with the least w·A·w: by leaving out, one after the other, those that would be negative."""
    count = products.shape[1]
    used = np.ones(products.shape[:2], bool)
    weights = np.full(products.shape[:2], 1 / count)
    for _ in range(count):
        both = used[:, :, None] & used[:, None, :]
        system = np.where(both, products, 0.0) + np.where(used, 0.0, 1.0)[:, :, None] * np.eye(
            count
        )
        solved = np.linalg.solve(system, used[..., None].astype(np.float64))[..., 0]
        weights = solved / solved.sum(axis=1, keepdims=True)
        least = weights.argmin(axis=1)
        worst = weights[np.arange(len(weights)), least] < 0
        if not worst.any():
            break
        used[np.flatnonzero(worst), least[worst]] = False
    return np.asarray(np.maximum(weights, 0.0))
