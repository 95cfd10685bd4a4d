"""Blurred video: the source side of deblurring; the target is the sharp footage.

One of three kinds of blur for all frames of a clip: a soft lens, a lens out of focus, a shutter
open for too long. The latter follows the footage's own camera where that moves, so a pan smears
along the pan, and else an unsteady hand. Then a sensor's noise and an encoder (`degrade.py`,
`codec.py`). Lengths are shares of the frame's short side, so that a clip looks equally blurred at
any size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import camera_path
from experts.base import EditRequest, EditResult, Frames
from experts.edit.degrade.codec import draw_codec, recompressed
from experts.edit.degrade.optics import (
    Drawn,
    Kernel,
    blur_kernel,
    blurred,
    disc_kernel,
    draw_blur,
    draw_noise,
    levels,
    noisy,
    one_of,
    path_kernel,
)
from experts.edit.weightless import Weightless

BLURS = {"lens": 0.35, "focus": 0.25, "shutter": 0.4}
"""Shares of the three kinds of blur."""

LENS_SIGMA = (0.004, 0.010)
"""Standard deviation, share of the short side: 1.3–3.4 px at 336. Chosen by eye: plainly soft,
still readable."""

FOCUS_RADIUS = (0.005, 0.012)
"""Radius of the disc, share of the short side: 1.7–4 px at 336; a disc of radius r is as soft as a
Gaussian of r / 2."""

PATH_LENGTH = (0.02, 0.05)
"""Path of the picture during the middle frame's exposure, share of the short side: 7–17 px at
336."""

LONGEST_EXPOSURE = 2.5
"""Frame intervals. Beyond one no camera goes, but a video whose frames were averaged does; a camera
too slow to smear within it counts as static."""

HAND_WAVES = 4
HAND_PERIOD = (6.0, 30.0)
"""How many waves make up a hand's trajectory, and their periods in frames: 1–4 Hz at 25 fps."""

FASTEST = 2.0
"""Longest path in any frame's exposure, as a multiple of the middle one's: nobody makes
out a whip pan."""

EXPOSURE_STEPS = 257
"""Points of a kernel's path."""

NOISE_SIGMA = (0.5, 4.0)
SHOT_SCALE = (0.05, 0.35)
"""Levels; at the middle grey the shot noise is 0.6–4 levels. Real-ESRGAN goes to 30, at which
nothing sharp could be found again."""

CRF = (16, 28)
"""x264's, of what is blurred: from barely seen to that of a shared clip."""

Trajectory = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Times [n] in frames to where the picture is, [n, 2] (x, y) px."""


class Blurring(Weightless):
    """Blurs, adds noise and compresses; `info` holds all that was drawn from the seed.

    `way` is `lens` (with `blur`, `sigma`, `angle`, `beta`, see degrade.draw_blur), `focus`
    (`radius`) or `shutter` (`along` the `camera` or a `hand`, `exposure` in frame intervals,
    `length` in px of the middle frame's path, and the hand's `waves`).
    """

    name = "blurring"
    version = "2"

    def edit(self, request: EditRequest) -> EditResult:
        frames = request.frames
        rng = np.random.default_rng(request.seed)
        blur, kernels = draw_kernels(rng, frames)
        noise = draw_noise(rng, NOISE_SIGMA, SHOT_SCALE)
        codec = draw_codec(rng, CRF)
        made = np.empty_like(frames)
        for frame, kernel, out in zip(frames, kernels, made, strict=True):
            soft = blurred(frame.astype(np.float32), kernel)
            out[:] = levels(noisy(soft, noise, rng))
        return EditResult(recompressed(made, codec), info=blur | noise | codec)


def draw_kernels(rng: np.random.Generator, frames: Frames) -> tuple[Drawn, list[Kernel]]:
    """What blurs the clip, and each frame's kernel."""
    count, side = len(frames), min(frames.shape[1:3])
    way = one_of(rng, BLURS)
    if way == "lens":
        lens = draw_blur(rng, (LENS_SIGMA[0] * side, LENS_SIGMA[1] * side))
        return {"way": way} | lens, [blur_kernel(lens)] * count
    if way == "focus":
        radius = round(float(rng.uniform(*FOCUS_RADIUS)) * side, 3)
        return {"way": way, "radius": radius}, [disc_kernel(radius)] * count
    length = float(rng.uniform(*PATH_LENGTH)) * side
    shutter: Drawn = {"way": way}
    waves = _draw_waves(rng)
    path = _along_camera(frames)
    exposure = _exposure(path, count, length)
    if exposure <= LONGEST_EXPOSURE:
        shutter["along"] = "camera"
    else:
        exposure = float(rng.uniform(0.5, 1.0))
        waves = _scaled(waves, length / _path_length(_along_waves(waves), count, exposure))
        path = _along_waves(waves)
        shutter |= {"along": "hand", "waves": waves}
    shutter |= {"exposure": round(exposure, 4), "length": round(length, 3)}
    stretches = [_stretch(path, t, shutter["exposure"]) for t in range(count)]
    return shutter, [path_kernel(_shortened(each, FASTEST * length)) for each in stretches]


def _along_camera(frames: Frames) -> Trajectory:
    """The footage's own trajectory, carried on straight beyond its ends."""
    path = camera_path(frames).astype(np.float64)
    times = np.arange(-3, len(path) + 3)
    inside = np.clip(times, 0, len(path) - 1)
    mirrored = np.clip(2 * inside - times, 0, len(path) - 1)
    longer = np.where((times == inside)[:, None], path[inside], 2 * path[inside] - path[mirrored])
    return lambda t: np.stack([np.interp(t, times, longer[:, axis]) for axis in (0, 1)], axis=1)


def _draw_waves(rng: np.random.Generator) -> list[list[float]]:
    """Per wave its period in frames, then amplitude and phase of x and of y; slow ones are wide."""
    waves = []
    for period in rng.uniform(*HAND_PERIOD, HAND_WAVES):
        x, y = rng.standard_normal(2) * period
        waves.append([period, x, rng.uniform(0, 2 * np.pi), y, rng.uniform(0, 2 * np.pi)])
    return [[float(value) for value in wave] for wave in waves]


def _scaled(waves: list[list[float]], factor: float) -> list[list[float]]:
    return [
        [round(p, 3), round(x * factor, 3), round(a, 4), round(y * factor, 3), round(b, 4)]
        for p, x, a, y, b in waves
    ]


def _along_waves(waves: list[list[float]]) -> Trajectory:
    period, x, x_phase, y, y_phase = np.array(waves).T[:, :, None]

    def trajectory(times: NDArray[np.float64]) -> NDArray[np.float64]:
        turn = 2 * np.pi * times / period
        return np.stack(
            [(x * np.sin(turn + x_phase)).sum(0), (y * np.sin(turn + y_phase)).sum(0)], axis=1
        )

    return trajectory


def _stretch(trajectory: Trajectory, frame: int, exposure: float) -> NDArray[np.float64]:
    """Where the picture is while the shutter is open around a frame, against where it belongs."""
    times = frame + np.linspace(-exposure / 2, exposure / 2, EXPOSURE_STEPS)
    points = trajectory(times)
    return points - points.mean(axis=0)


def _shortened(points: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    length = _length(points)
    return points * (most / length) if length > most else points


def _length(points: NDArray[np.float64]) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _path_length(trajectory: Trajectory, count: int, exposure: float) -> float:
    """px that the picture moves in an exposure, in the middle one of all frames' paths."""
    return float(np.median([_length(_stretch(trajectory, t, exposure)) for t in range(count)]))


def _exposure(trajectory: Trajectory, count: int, length: float) -> float:
    """Frame intervals in which the middle frame's picture moves `length` px; infinite for a
    static camera."""
    speed = _path_length(trajectory, count, 1.0)
    return length / speed if speed > 0 else np.inf
