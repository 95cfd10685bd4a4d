"""The second pass: candidates for every hidden pixel, mixed as known pixels nearby ask for.

Places beside the hole are hidden on purpose (`held_out`), all candidates fill them from what they
would have for the hole, and their errors are kept on a grid (`stacking`). The hole is then filled
by the mixture that would have been best there.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.media.image import Transparent
from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow, MeasuredFlow
from experts.edit.remover.fills.candidates import (
    ALONG_FLOWS,
    CANDIDATES,
    SPATIAL,
    StaticBackground,
    candidates,
)
from experts.edit.remover.fills.gather import RING_GAP_PX, RING_PX, PixelSet, disc, hole_and_ring
from experts.edit.remover.held_out import held_out
from experts.edit.remover.settings import RemoverSettings
from experts.edit.remover.stacking import ErrorGrid
from experts.progress import over

LEAST_ERROR = 1.0
"""gray²; nothing is expected to be closer, as frames are rounded and coded."""


def decibels(squared_error: float) -> float:
    """10·log10(mean squared error / 255²): the negative of the PSNR."""
    return 10 * math.log10(max(squared_error, LEAST_ERROR) / 255**2)


EXACT = decibels(0.0)
"""dB; of a fill that is not off at all, as where nothing is to be filled."""


class StackedFill:
    """Fills places of `frames` [T, H, W, 3], whose background `hidden` [T, H, W] covers; `measured`
    is its flow, complete but for what is `unseen` [T, H, W]."""

    def __init__(
        self,
        frames: Frames,
        hidden: Masks,
        unseen: Masks,
        measured: MeasuredFlow,
        threads: int,
        settings: RemoverSettings,
        background: Transparent | None = None,
    ) -> None:
        """`background` [H, W, 4]: what is known of it from elsewhere, if the camera stands."""
        self._background = background
        self._frames, self._hidden, self._unseen = frames, hidden, unseen
        self._measured, self._threads, self._settings = measured, threads, settings
        self._errors = ErrorGrid(
            frames.shape[:3], CANDIDATES + (background is not None), settings.grid
        )

    @cached_property
    def flows(self) -> tuple[BackgroundFlow, BackgroundFlow]:
        """The completed flow and the camera's. Made when the hole is filled: to learn, others are
        completed, and two of them take a third more memory."""
        return self._measured.completed(self._unseen), self._measured.camera

    def learn(self, holes: Masks) -> None:
        """How well each candidate predicts known pixels beside the `holes` [T, H, W]."""
        for hidden_too in held_out(holes, self._hidden, self._settings.held_out):
            self._learn(hidden_too)

    def _learn(self, held: Masks) -> None:
        hidden = self._hidden | held
        flows = self._measured.completed(self._unseen | held), self._measured.camera
        static = StaticBackground(self._frames, hidden, _reach(held))
        every, lattice = self._settings.held_out_every

        def errors(t: int) -> tuple[PixelSet, NDArray[np.float32], NDArray[np.bool_]]:
            pixels = hole_and_ring(held[t], self._hidden[t], lattice)
            said = candidates(
                t,
                pixels,
                self._frames,
                hidden,
                flows,
                static,
                self._background,
                self._settings.offsets,
            )
            truth = self._frames[t][pixels.y.astype(int), pixels.x.astype(int)]
            return pixels, said.colour - truth, said.found

        alive = np.flatnonzero(held[:, ::lattice, ::lattice].any(axis=(1, 2)))[::every]
        with ThreadPoolExecutor(self._threads) as pool:
            learned = over(pool.map(errors, alive), "learning beside the object", len(alive))
            for t, (pixels, error, found) in zip(alive, learned, strict=True):
                n = pixels.hidden
                self._errors.learn(int(t), pixels.x[:n], pixels.y[:n], error[:, :n], found[:, :n])

    def fill(self, holes: Masks) -> tuple[Frames, Masks, NDArray[np.float32], NDArray[np.float32]]:
        """The frames with the `holes` [T, H, W] filled; which pixels another frame shows; the share
        of each pixel's colour that comes from where the background is static, 0 to 1; and its
        expected squared error, gray². All but the first are [T, H, W] and 0 outside the holes.

        A pixel that no frame shows holds the spatial candidate's colour and error.

        Expected errors are corrected by what can be seen in the hole itself: if the candidates are
        further apart there than they were beside it, so are they from the truth (the spread and the
        skill of an ensemble go together: Whitaker & Loughe, Mon. Weather Rev. 1998).
        """
        frames, shape = self._frames, holes.shape
        filled, visible = frames.copy(), np.zeros(shape, bool)
        shares, expected = np.zeros((2, *shape), np.float32)
        standing = np.stack([flow.static(shape) for flow in self.flows])
        static = StaticBackground(frames, self._hidden, _reach(holes))
        mixture = self._errors.mixture()
        spreads = np.zeros((len(frames), 2))

        def fill(t: int) -> None:
            pixels = hole_and_ring(holes[t])
            said = candidates(
                t,
                pixels,
                frames,
                self._hidden,
                self.flows,
                static,
                self._background,
                self._settings.offsets,
            )
            n, found = pixels.hidden, said.found[:, : pixels.hidden]
            x, y = pixels.x[:n], pixels.y[:n]
            weights, error, apart = mixture.at(t, x, y, found)
            colours = said.colour[:, :n]
            colour = np.einsum("nc,cnk->nk", weights, colours)
            spread = np.einsum("nc,cnk->n", weights, np.square(colours - colour)) / 3
            spreads[t] = spread.sum(), apart.sum()
            place = y.astype(int), x.astype(int)
            filled[t][place] = np.clip(np.rint(colour), 0, 255)
            expected[t][place] = error
            visible[t][place] = found[:SPATIAL].any(axis=0)
            at = np.ones((n, len(found) - 1), np.float32)
            for columns, along in zip(ALONG_FLOWS, standing, strict=True):
                at[:, columns] = along[t][place][:, None]
            temporal = weights[:, :SPATIAL]
            shares[t][place] = (temporal * at).sum(axis=1) / np.maximum(temporal.sum(axis=1), 1e-6)

        with ThreadPoolExecutor(self._threads) as pool:
            with_holes = np.flatnonzero(holes.any(axis=(1, 2)))
            list(over(pool.map(fill, with_holes), "filling", len(with_holes)))
        seen, foreseen = spreads.sum(axis=0) + LEAST_ERROR * max(1, holes.sum())
        expected[visible] *= seen / foreseen
        return filled, visible, shares, expected


def _reach(holes: Masks) -> NDArray[np.bool_]:
    """Where pixels of any hole or of its ring lie, [H, W]."""
    reach = cv2.dilate(holes.any(axis=0).astype(np.uint8), disc(RING_GAP_PX + RING_PX))
    return np.asarray(reach > 0)
