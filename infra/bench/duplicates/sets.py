"""Sets of near-duplicates with a known truth: takes, and copies of each in twenty ways."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog.media import iter_frames
from catalog.media.demux.index import index_of
from experts import weights

Frame = NDArray[np.uint8]

CLIPS = ("squirrel", "bigbuckbunny", "motorway", "pedestrians", "city", "bikes")
SCENES = 4
"""Rendered scenes of each of the two kinds."""

LONG_SIDE = 320
"""Of the takes, px."""

MOST_SECONDS = 90
MOST_TAKES = 4
H264 = "libx264"


@dataclass(frozen=True)
class Clip:
    """Frames, their rate, and how they are written."""

    frames: list[Frame]
    fps: float
    codec: str = H264
    crf: int = 26


def sources(videos: list[Path]) -> Iterator[tuple[str, Clip]]:
    for path in [*(weights.fetch(f"clip_{name}") for name in CLIPS), *videos]:
        info = index_of(path).info
        scale = min(1.0, LONG_SIDE / max(info.height, info.width))
        size = (round(info.height * scale / 2) * 2, round(info.width * scale / 2) * 2)
        stride = 2 if info.fps > 20 else 1
        count = int(MOST_SECONDS * info.fps / stride)
        frames = list(iter_frames(path, stride=stride, count=count, size=size))
        yield path.stem, Clip(frames, info.fps / stride)
    for number in range(1, SCENES + 1):
        yield f"shapes {number}", Clip(list(shapes(number)), 15)
        yield f"camera {number}", Clip(list(camera(number)), 15)


def shapes(seed: int, count: int = 180) -> Iterator[Frame]:
    """Discs that drift before a still ground, with sensor noise, [270, 480]."""
    rng = np.random.default_rng(seed)
    height, width = 270, 480
    coarse = rng.integers(0, 255, (9, 16, 3), np.uint8)
    ground = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    place, step = rng.uniform(0, 1, (6, 2)) * (width, height), rng.normal(0, 4, (6, 2))
    radius, colour = rng.integers(12, 40, 6), rng.integers(0, 255, (6, 3))
    for k in range(count):
        frame = ground.copy()
        at = np.abs((place + step * k) % (2 * width, 2 * height) - (width, height)).astype(int)
        for centre, size, shade in zip(at.tolist(), radius.tolist(), colour.tolist(), strict=True):
            cv2.circle(frame, centre, size, shade, -1)
        yield np.clip(frame + rng.normal(0, 3, frame.shape), 0, 255).astype(np.uint8)


def camera(seed: int, count: int = 180) -> Iterator[Frame]:
    """A camera that wanders over a photograph and zooms, [270, 480]."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    photographs = [
        *load_sample_images().images,
        *(data.coffee(), data.chelsea(), data.rocket(), data.astronaut()),
    ]
    picture = photographs[seed % len(photographs)]
    picture = cv2.resize(picture, (1200, 800), interpolation=cv2.INTER_AREA)
    phase = np.random.default_rng(seed).uniform(0, 6.28, 3)
    for k in range(count):
        zoom = 0.45 + 0.15 * np.sin(k / 70 + phase[2])
        height, width = int(675 * zoom), int(1200 * zoom)
        y = int((800 - height) * (0.5 + 0.5 * np.sin(k / 45 + phase[0])))
        x = int((1200 - width) * (0.5 + 0.5 * np.sin(k / 60 + phase[1])))
        yield cv2.resize(picture[y : y + height, x : x + width], (480, 270))


def takes(clip: Clip) -> list[Clip]:
    """Stretches of 2 to 6 s, half a second or more apart."""
    seconds = len(clip.frames) / clip.fps
    length = 6.0 if seconds > 16 else 4.0 if seconds > 9 else 2.2 if seconds > 4.9 else seconds
    step = max(length + 0.5, seconds / MOST_TAKES)
    starts = np.arange(0, seconds - length + 1e-6, step)[:MOST_TAKES]
    count = round(length * clip.fps)
    firsts = [round(start * clip.fps) for start in starts]
    return [Clip(clip.frames[first : first + count], clip.fps, crf=20) for first in firsts]


def copies(take: Clip) -> Iterator[tuple[str, Clip]]:
    frames, fps = take.frames, take.fps
    third = len(frames) // 3

    def each(change: Callable[[Frame], Frame]) -> Clip:
        return Clip([change(frame) for frame in frames], fps)

    yield "crf 35", Clip(frames, fps, crf=35)
    yield "mpeg4", Clip(frames, fps, "mpeg4")
    yield "vp9", Clip(frames, fps, "libvpx-vp9", 45)
    yield "half size", each(lambda f: scaled(f, 1 / 2))
    yield "quarter size", each(lambda f: scaled(f, 1 / 4))
    yield "cropped by 5 %", each(lambda f: cropped(f, 0.025, 0.025))
    yield "5 % off at one corner", each(lambda f: cropped(f, 0.05, 0))
    yield "5 % off at each side", each(lambda f: cropped(f, 0.05, 0.05))
    yield "0.8 as fast", Clip(frames, fps * 0.8)
    yield "1.25 as fast", Clip(frames, fps * 1.25)
    yield "other frame rate", resampled(take, fps * 0.62)
    yield "letterboxed", each(lambda f: barred(f, len(f) // 6, 0))
    yield "pillarboxed", each(lambda f: barred(f, 0, f.shape[1] // 6))
    yield "brighter", each(lambda f: np.clip(f * 1.15 + 14, 0, 255).astype(np.uint8))
    yield "darker, other gamma", each(lambda f: ((f / 255) ** 1.3 * 210 + 10).astype(np.uint8))
    yield "logo", each(with_logo)
    yield "without first third", Clip(frames[third:], fps)
    yield "without last third", Clip(frames[: len(frames) - third], fps)
    yield "mirrored", each(lambda f: f[:, ::-1])
    whole = resampled(Clip(frames[len(frames) // 4 :], fps), fps * 0.8)
    mixed = [scaled(cropped(frame, 0.02, 0.03), 0.6) for frame in whole.frames]
    yield "all at once", Clip(mixed, fps * 0.8 * 1.1, crf=32)


def scaled(frame: Frame, by: float) -> Frame:
    return cv2.resize(frame, None, fx=by, fy=by, interpolation=cv2.INTER_AREA)


def cropped(frame: Frame, first: float, last: float) -> Frame:
    height, width = frame.shape[:2]
    rows = slice(round(height * first), height - round(height * last))
    return frame[rows, round(width * first) : width - round(width * last)]


def barred(frame: Frame, rows: int, columns: int) -> Frame:
    return cv2.copyMakeBorder(frame, rows, rows, columns, columns, cv2.BORDER_CONSTANT)


def with_logo(frame: Frame) -> Frame:
    """A white plate with text, 12 % of the width and 10 % of the height."""
    frame = frame.copy()
    height, width = frame.shape[:2]
    top, left, right = height // 24, width - width // 7, width - width // 40
    cv2.rectangle(frame, (left, top), (right, top + height // 10), (240, 240, 240), -1)
    cv2.putText(frame, "LOGO", (left + 3, top + height // 12), 0, width / 800, (200, 30, 30), 2)
    return frame


def resampled(clip: Clip, fps: float) -> Clip:
    count = int(len(clip.frames) / clip.fps * fps)
    return Clip([clip.frames[int(k / fps * clip.fps)] for k in range(count)], fps)


def write(path: Path, clip: Clip) -> None:
    height, width = (side - side % 2 for side in clip.frames[0].shape[:2])
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream(clip.codec, rate=Fraction(clip.fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if clip.codec == "mpeg4":
            stream.bit_rate = int(width * height * clip.fps * 0.06)
        elif clip.codec == H264:
            stream.options = {"preset": "veryfast", "crf": str(clip.crf)}
        else:
            fast = {"deadline": "realtime", "cpu-used": "8"}
            stream.options = {"crf": str(clip.crf), "b": "0", **fast}
        for frame in clip.frames:
            picture = np.ascontiguousarray(frame[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
