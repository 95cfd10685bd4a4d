"""Paints one frame in a style: the 26-style network, or a classic filter.

The filters are made of parts that are static where the footage is: edge-preserving smoothing,
a difference of Gaussians with a soft threshold (XDoG: Winnemöller, Kyprianidis, Olsen, "XDoG: an
eXtended difference-of-Gaussians compendium", Computers & Graphics 2012) and a Kuwahara filter with
smooth sectors (after Papari, Petkov, Campisi, "Artistic edge and corner enhancing smoothing",
IEEE TIP 2007).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from experts.edit.style.styles import FILTER, Style
from experts.threads import onnx_session

Frame = NDArray[np.uint8]
"""[H, W, 3], RGB."""

NETWORK = "multistyle26"
STYLE_COUNT = 26
WASH_RADIUS, WASH_LIGHT = 5, 0.62
"""Watercolor: px over which colour runs, and the lightness (0–1) of its washes on average."""

STRIDE = 4
"""px; the network halves its input twice, so sides are padded to a multiple of this."""


class Painter:
    """Paints frames. One instance may serve several threads; `threads` as for `onnx_session`."""

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads
        self._session: onnxruntime.InferenceSession | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Opens the network; :class:`catalog.errors.EditmillError` if it cannot be had."""
        with self._lock:
            if self._session is None:
                self._session = onnx_session(NETWORK, self._threads)

    def close(self) -> None:
        """Frees the network."""
        with self._lock:
            self._session = None

    def paint(self, frame: Frame, style: Style) -> Frame:
        """`frame` in `style`, same shape. Loads the network first if a neural style needs it."""
        if style.index == FILTER:
            return FILTERS[style.name](frame)
        session = self._session
        if session is None:
            self.load()
            session = self._session
        assert session is not None
        height, width = frame.shape[:2]
        padded = cv2.copyMakeBorder(
            frame, 0, -height % STRIDE, 0, -width % STRIDE, cv2.BORDER_REFLECT_101
        )
        image = np.ascontiguousarray(padded.transpose(2, 0, 1), np.float32)[None] / 255.0
        weights = np.zeros(STYLE_COUNT, np.float32)
        weights[style.index] = 1.0
        painted = session.run(None, {"image": image, "style_weights": weights})[0][0]
        painted = painted[:, :height, :width].transpose(1, 2, 0)
        return _levels(painted)


def _levels(image: NDArray[np.float32]) -> Frame:
    """0–1 → 0–255."""
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)


def _lines(grey: NDArray[np.float32], sigma: float, sharpness: float) -> NDArray[np.float32]:
    """XDoG of a 0–1 picture: 1 on flat ground, towards 0 along dark lines `sigma` px wide."""
    narrow = cv2.GaussianBlur(grey, (0, 0), sigma)
    wide = cv2.GaussianBlur(grey, (0, 0), 1.6 * sigma)  # 1.6: DoG close to a Laplacian (Marr 1980)
    drop = narrow - wide
    return np.where(drop >= -0.004, 1.0, 1.0 + np.tanh(sharpness * (drop + 0.004))).astype(
        np.float32
    )


def _grey(frame: Frame) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32) / 255.0


def _smooth(frame: Frame, passes: int, colour: float) -> Frame:
    """Bilateral smoothing; several narrow passes flatten more evenly than a wide one."""
    for _ in range(passes):
        frame = cv2.bilateralFilter(frame, 7, colour, 4.0)
    return frame


def pencil_sketch(frame: Frame) -> Frame:
    """Graphite: the picture divided by its own blur leaves the lines, a little shading stays."""
    grey = _grey(frame)
    black = 0.08  # added to both, lest the code's blocks show in the dark
    strokes = (grey + black) / (cv2.GaussianBlur(grey, (0, 0), 7.0) + black)
    shade = 0.72 + 0.28 * np.sqrt(grey)
    drawn = np.minimum(strokes, 1.0) ** 1.6 * _lines(grey, 1.0, 25.0) * shade
    return np.repeat(_levels(drawn)[..., None], 3, axis=-1)


def cartoon(frame: Frame) -> Frame:
    """Flat colours in soft steps of lightness, dark outlines."""
    lab = cv2.cvtColor(_smooth(frame, 3, 28.0).astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    step = 12.5  # of 100
    nearest = np.rint(lab[..., 0] / step)
    soft = np.tanh(3.5 * (lab[..., 0] / step - nearest)) * 0.5
    lab[..., 0] = (nearest + soft) * step
    lab[..., 1:] *= 1.35
    flat = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return _levels(flat * _lines(_grey(_smooth(frame, 1, 28.0)), 1.4, 60.0)[..., None])


def watercolor(frame: Frame) -> Frame:
    """Washes of thin colour that pool, darker, along their edges."""
    wash = _kuwahara(frame, WASH_RADIUS).astype(np.float32) / 255.0
    lab = cv2.cvtColor(wash, cv2.COLOR_RGB2LAB)
    light = lab[..., 0] / 100.0
    # Thin paint is light whatever the scene was: the mean is brought near `WASH_LIGHT`.
    thin = float(np.clip(np.log(WASH_LIGHT) / np.log(np.clip(light.mean(), 0.05, 0.95)), 0.35, 0.8))
    lab[..., 0] = 18.0 + 82.0 * light**thin
    lab[..., 1:] *= 1.6
    grey = lab[..., 0]
    edge = cv2.magnitude(cv2.Sobel(grey, -1, 1, 0) / 8, cv2.Sobel(grey, -1, 0, 1) / 8)
    lab[..., 0] -= np.minimum(cv2.GaussianBlur(edge, (0, 0), 1.0) * 2.4, 34.0)
    return _levels(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


@functools.cache
def _sectors(radius: int) -> tuple[NDArray[np.float32], ...]:
    """Eight smooth wedges of a disc, each summing to one."""
    reach = np.arange(-radius, radius + 1, dtype=np.float32)
    x, y = np.meshgrid(reach, reach)
    disc = np.exp(-(x**2 + y**2) / (2 * (0.5 * radius) ** 2)) * (x**2 + y**2 <= radius**2 + 1)
    wedges = []
    for k in range(8):
        towards = x * np.cos(k * np.pi / 4) + y * np.sin(k * np.pi / 4)
        wedge = disc * np.clip(towards / np.maximum(np.hypot(x, y), 1e-6) - 0.6, 0.0, None)
        wedge[radius, radius] = 0.1 * wedge.sum()  # all sectors share the pixel itself
        wedges.append((wedge / wedge.sum()).astype(np.float32))
    return tuple(wedges)


def _kuwahara(frame: Frame, radius: int) -> Frame:
    """Mean of the sectors around a pixel, the evenest counting most."""
    image = frame.astype(np.float32)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    square = np.square(grey)
    total = np.zeros_like(image)
    weight = np.zeros(grey.shape, np.float32)
    for wedge in _sectors(radius):
        mean = cv2.filter2D(image, -1, wedge, borderType=cv2.BORDER_REFLECT_101)
        centre = cv2.cvtColor(mean, cv2.COLOR_RGB2GRAY)
        variance = cv2.filter2D(square, -1, wedge, borderType=cv2.BORDER_REFLECT_101) - centre**2
        share = 1.0 / np.square(1.0 + np.maximum(variance, 0.0) / 16.0)
        total += share[..., None] * mean
        weight += share
    return np.rint(total / weight[..., None]).astype(np.uint8)


FILTERS: Mapping[str, Callable[[Frame], Frame]] = {
    "watercolor": watercolor,
    "pencil_sketch": pencil_sketch,
    "cartoon": cartoon,
}
