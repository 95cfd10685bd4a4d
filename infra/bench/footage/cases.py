"""The footage bench's videos: normal footage in many lights, and every fault with known truth.

Each is made from frames of real clips or drawn, at FPS, SECONDS long, so that the bench can encode
it as the web would. A case knows the source it was made of: thresholds are chosen on some sources
and reported on others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from overlays import FPS, Frame, Overlay, clipped, with_text
from screens import title_card

from catalog.media import iter_frames, probe

SECONDS = 10
LONG_SIDE = 480

NORMAL = "normal"

FIXED = "watermark, clip as it is"
"""Most sample clips are of a fixed camera: nothing moves around the overlay. Reported apart."""


ZOOMED = "slide show, zoomed"
"""Not found, and not claimed: shown so that nobody expects it."""


@dataclass(frozen=True)
class Case:
    """`reason` is what the footage should be refused for, NORMAL where it should pass."""

    reason: str
    name: str
    source: str
    frames: Callable[[], Sequence[Frame]]


def clip(path: Path) -> list[Frame]:
    """SECONDS of a clip at FPS, there and back again where it is shorter."""
    info = probe(path)
    scale = min(1.0, LONG_SIDE / max(info.width, info.height))
    size = (int(info.height * scale) // 2 * 2, int(info.width * scale) // 2 * 2)
    stride = max(1, round(info.fps / FPS))
    frames = list(iter_frames(path, stride=stride, size=size, count=FPS * SECONDS))
    swing = frames + frames[-2:0:-1]
    return list(itertools.islice(itertools.cycle(swing), FPS * SECONDS))


# Normal footage


def night(frames: Sequence[Frame]) -> list[Frame]:
    """Dark, with a sensor's grain."""
    rng = np.random.default_rng(1)
    return [clipped(f * 0.22 + rng.normal(4, 5, f.shape)) for f in frames]


def fog(frames: Sequence[Frame]) -> list[Frame]:
    return [clipped(f * 0.25 + 150) for f in frames]


def overexposed(frames: Sequence[Frame]) -> list[Frame]:
    return [clipped(f * 1.9 + 40.0) for f in frames]


def letterbox(frames: Sequence[Frame]) -> list[Frame]:
    """Bars above and below; they are no overlay."""
    height = frames[0].shape[0]
    bar = height // 7
    made = [f.copy() for f in frames]
    for f in made:
        f[:bar] = f[-bar:] = 0
    return made


def pillarbox(frames: Sequence[Frame]) -> list[Frame]:
    made = [f.copy() for f in frames]
    bar = made[0].shape[1] // 4
    for f in made:
        f[:, :bar] = f[:, -bar:] = 0
    return made


def close_up(frames: Sequence[Frame]) -> list[Frame]:
    """A quarter of the picture, enlarged and soft."""
    height, width = frames[0].shape[:2]
    y, x = height * 3 // 8, width * 3 // 8
    parts = [f[y : y + height // 4, x : x + width // 4] for f in frames]
    return [cv2.resize(p, (width, height), interpolation=cv2.INTER_CUBIC) for p in parts]


def tripod(frames: Sequence[Frame]) -> list[Frame]:
    """One picture, faint noise, and something small that walks through it."""
    rng = np.random.default_rng(2)
    still = frames[len(frames) // 3].astype(np.float32)
    height, width = still.shape[:2]
    made = []
    for k in range(len(frames)):
        noisy = still + rng.normal(0, 2, still.shape)
        x = int((0.1 + 0.8 * k / len(frames)) * width)
        cv2.ellipse(noisy, (x, height * 2 // 3), (4, 9), 0, 0, 360, (40, 30, 60), -1)
        made.append(clipped(noisy))
    return made


def handheld_sign(frames: Sequence[Frame]) -> list[Frame]:
    """A shop sign that belongs to the scene, under an unsteady camera."""
    rng = np.random.default_rng(3)
    still = with_text(frames[0], "BAKERY", (0.42, 0.2), 0.11, 1.0, (250, 240, 210), (90, 20, 20))
    height, width = still.shape[:2]
    path = np.cumsum(rng.normal(0, 1.6, (len(frames), 2)), axis=0)
    made = []
    for k, (dx, dy) in enumerate(path):
        zoom = 1.15 + 0.001 * k
        warp = np.float32([[zoom, 0, dx - 0.07 * width], [0, zoom, dy - 0.07 * height]])
        made.append(cv2.warpAffine(still, warp, (width, height), borderMode=cv2.BORDER_REFLECT))
    return made


def rock_in_waves(frames: Sequence[Frame]) -> list[Frame]:
    """A fixed camera: a rock stands still, water moves all around it."""
    height, width = frames[0].shape[:2]
    rng = np.random.default_rng(4)
    octaves = [_noise(rng, height + 200, width + 400, s) for s in (4, 12, 40)]
    rock = cv2.resize(frames[0], (width // 4, height // 4))
    mask = np.zeros(rock.shape[:2], np.float32)
    centre = (mask.shape[1] // 2, mask.shape[0] // 2)
    cv2.ellipse(mask, centre, (centre[0] - 4, centre[1] - 4), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None]
    y, x = height // 2, width // 3
    made = []
    for k in range(len(frames)):
        waves = sum(
            o[3 * k % 200 :, (5 + 4 * i) * k % 400 :][:height, :width] / 3
            for i, o in enumerate(octaves)
        )
        water = clipped(np.stack([60 + 60 * waves, 90 + 70 * waves, 120 + 70 * waves], -1))
        part = water[y : y + mask.shape[0], x : x + mask.shape[1]]
        part[:] = clipped(part * (1 - mask) + rock * mask)
        made.append(water)
    return made


def dashboard(frames: Sequence[Frame]) -> list[Frame]:
    """A car's bonnet and a mirror stand still before a road that moves."""
    height, width = frames[0].shape[:2]
    made = []
    for f in frames:
        f = f.copy()
        centre = (width // 2, int(1.25 * height))
        cv2.ellipse(f, centre, (int(0.62 * width), int(0.42 * height)), 0, 0, 360, (28, 30, 38), -1)
        cv2.ellipse(f, (int(0.7 * width), 0), (60, 26), 0, 0, 360, (20, 20, 22), -1)
        made.append(cv2.GaussianBlur(f, (0, 0), 0.7))
    return made


def panned(frames: Sequence[Frame]) -> list[Frame]:
    """Under a camera that wanders and zooms: a moving part of the picture, enlarged."""
    height, width = frames[0].shape[:2]
    made = []
    for k, f in enumerate(frames):
        t = k / FPS
        scale = 0.55 + 0.08 * np.sin(0.5 * t)
        w, h = int(width * scale), int(height * scale)
        x = int((0.5 + 0.5 * np.sin(0.9 * t)) * (width - w))
        y = int((0.5 + 0.5 * np.cos(0.7 * t)) * (height - h))
        made.append(cv2.resize(f[y : y + h, x : x + w], (width, height)))
    return made


def montage(clips: Sequence[Sequence[Frame]], size: tuple[int, int] = (270, 480)) -> list[Frame]:
    """Shots of two seconds from several clips."""
    shots = [clips[n % len(clips)][k * FPS : (k + 2) * FPS] for n, k in enumerate((0, 2, 5, 1, 7))]
    return [cv2.resize(f, size[::-1]) for shot in shots for f in shot]


NORMAL_KINDS = (
    panned,
    night,
    fog,
    overexposed,
    letterbox,
    pillarbox,
    close_up,
    tripod,
    handheld_sign,
    rock_in_waves,
    dashboard,
)


# Faults made of clips


def still(frames: Sequence[Frame]) -> list[Frame]:
    return [frames[0]] * len(frames)


def black(frames: Sequence[Frame]) -> list[Frame]:
    return [np.full_like(f, 16) for f in frames]


def dim(frames: Sequence[Frame]) -> list[Frame]:
    """So dark that nobody sees more than noise."""
    rng = np.random.default_rng(5)
    return [clipped(f * 0.05 + rng.normal(2, 2, f.shape)) for f in frames]


def mostly_black(frames: Sequence[Frame]) -> list[Frame]:
    cut = len(frames) // 4
    return [*frames[:cut], *black(frames[cut:])]


def slides(pictures: Sequence[Frame], fade: int = 0, zoom: float = 0.0) -> list[Frame]:
    """Pictures one after another, `fade` frames of cross-fade, zooming by `zoom` a frame."""
    hold = FPS * SECONDS // len(pictures)
    made: list[Frame] = []
    for n, picture in enumerate(pictures):
        following = pictures[(n + 1) % len(pictures)]
        for k in range(hold):
            here = _zoomed(picture, 1 + zoom * (k + hold // 2))
            share = max(0.0, (k - hold + fade + 1) / (fade + 1)) if fade else 0.0
            if share > 0:
                there = _zoomed(following, 1 + zoom * (k - hold + hold // 2))
                here = cv2.addWeighted(here, 1 - share, there, share, 0)
            made.append(here)
    return made


def _zoomed(picture: Frame, zoom: float) -> Frame:
    if zoom == 1:
        return picture
    height, width = picture.shape[:2]
    warp = cv2.getRotationMatrix2D((width / 2, height / 2), 0, zoom)
    return cv2.warpAffine(
        picture, warp, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


def _noise(rng: np.random.Generator, height: int, width: int, scale: int) -> NDArray[np.float32]:
    coarse = rng.normal(0, 1, (height // scale + 2, width // scale + 2)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def of_clip(name: str, frames: Sequence[Frame], overlays: Sequence[Overlay]) -> Iterator[Case]:
    """Every normal kind and every fault that is made of one clip."""
    yield Case(NORMAL, "clip", name, lambda: frames)
    for make in NORMAL_KINDS:
        yield Case(NORMAL, make.__name__, name, lambda make=make: make(frames))
    yield Case("still", "still", name, lambda: still(frames))
    for make in (black, dim, mostly_black):
        yield Case("black", make.__name__, name, lambda make=make: make(frames))
    for overlay in overlays:
        yield Case("watermark", overlay.name, name, lambda o=overlay: o.over(panned(frames)))
    yield Case(FIXED, overlays[0].name, name, lambda: overlays[0].over(frames))


def of_clips(
    clips: dict[str, Sequence[Frame]], overlays: Sequence[Overlay], text: str
) -> Iterator[Case]:
    """What is made of several clips of one half: montages, slide shows, text over pictures."""
    names = list(clips)
    for n in range(3):
        shots = montage([clips[names[(i + 2 * n) % len(names)]] for i in range(4)])
        yield Case(NORMAL, "montage", f"montage {n}", lambda shots=shots: shots)
        for overlay in overlays:
            made = lambda o=overlay, s=shots: o.over(s)  # noqa: E731
            yield Case("watermark", overlay.name, f"montage {n}", made)
    pictures = [cv2.resize(clips[name][k], (480, 270)) for name in names for k in (3, 40)]
    for n in range(3):
        shown = pictures[n::3]
        for kind, count, fade, zoom in (
            ("cut", 3 + n, 0, 0.0),
            ("short fade", 3 + n, 3, 0.0),
            ("long fade", 3, 7, 0.0),
            ("zoomed", 3, 7, 0.003),
        ):
            reason = ZOOMED if zoom else "slide_show"
            made = lambda p=shown[:count], f=fade, z=zoom: slides(p, f, z)  # noqa: E731
            yield Case(reason, kind, f"pictures {n}", made)
    for name in names[:3]:
        yield Case("text_heavy", "lyrics", name, lambda c=clips[name]: title_card(c, text, 30))
