"""The quality bench's style pairs, kept in a folder so that they can be judged again and again.

Of each source up to three windows: a style of all and one of an object each. On real footage an
object is composited as in infra/bench/quality/cases.py; a rendered scene has its own, under its
true mask, and one window. Each is kept right and broken (infra/bench/quality/styles.py), as videos
that a build would store, except that they hold at once what filters look at: every second frame, at
LONG_SIDE. That takes a third of the time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog.keys import file_digest
from catalog.media import crop_resize, fit_size, read_masks, sample_frames, write_masks, write_video
from experts.base import Frames, Masks
from experts.weights import fetch
from filters.base import FRAMES, PairFrames
from filters.samples import LONG_SIDE, pair_sample
from infra.bench.quality.cases import SHAPES, Case, composite, visible, windows
from infra.bench.quality.styles import (
    GLOBAL,
    LOST_PARTS,
    POSTERISED,
    STYLES_BROKEN,
    bands_show,
    style_cases,
)
from infra.bench.quality.unseen import DONORS, RIGHT
from infra.bench.rendered.load import scene

WINDOWS = 3
FPS = 24
_DONE, _REAL = "case.json", "real.mp4"


@dataclass(frozen=True, slots=True)
class StylePair:
    """A pair of the bench, right or broken as `kind` says, of the source `name`, case `number`."""

    name: str
    number: int
    kind: str
    sample: PairFrames


def real_source(name: str, path: Path, number: int, folder: Path) -> Iterator[StylePair]:
    """Pairs of the footage's window of that number, made first where `folder` lacks them."""
    own, seed = folder / f"{name}-{number}", _seed(name)
    if not (own / _DONE).is_file():
        other = next(donor for donor in DONORS if donor != name)
        found, donor = list(windows(path, WINDOWS)), next(windows(fetch(other), 1))
        shape, rng = SHAPES[(number + seed) % len(SHAPES)], np.random.default_rng((seed, number))
        case = composite(name, found[number % len(found)], donor, shape, rng)
        _make(_looked_at(case), seed + number, own)
    yield from _read(name, number, file_digest(path), own)


def rendered_source(name: str, number: int, folder: Path) -> Iterator[StylePair]:
    """The same of a rendered scene, which has one window: another number asks for other styles."""
    own = folder / f"{name}-{number}"
    if not (own / _DONE).is_file():
        found = scene(name)
        case = Case(name, "rendered", found.with_object, found.with_object, found.coverage > 127)
        _make(_looked_at(case), _seed(name) + number, own)
    yield from _read(name, number, name, own)


def _seed(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:6], 16)


def _looked_at(case: Case) -> Case:
    """FRAMES frames at LONG_SIDE."""
    height, width = case.masks.shape[1:]
    size = fit_size(width, height, LONG_SIDE * height // max(height, width), LONG_SIDE)
    picked = np.linspace(0, len(case.masks) - 1, FRAMES).round().astype(int)
    truth, frames, masks = (
        crop_resize(each[picked], size) for each in (case.truth, case.frames, case.masks)
    )
    return dataclasses.replace(case, truth=truth, frames=frames, masks=masks)


def _make(case: Case, seed: int, folder: Path) -> None:
    """Writes all versions of the case's two styles."""
    prompts: dict[str, str] = {}
    for task, styled, made in style_cases(case, seed):
        prompts[task] = styled.prompt
        own = folder / task
        own.mkdir(parents=True, exist_ok=True)
        write_video(own / _REAL, styled.frames, FPS)
        for kind, frames, masks in _versions(task, styled, made, seed):
            write_video(own / f"{kind}.mp4", frames, FPS)
            if task != GLOBAL:
                write_masks(own / f"{kind}.mkv", masks, FPS)
    (folder / _DONE).write_text(json.dumps(prompts))


def _versions(
    task: str, case: Case, made: Frames, seed: int
) -> Iterator[tuple[str, Frames, Masks]]:
    """The right made side and all broken ones that show, each with the mask that it has."""
    yield RIGHT, made, case.masks
    rng = np.random.default_rng(seed)
    for kind, broken in STYLES_BROKEN.items():
        frames = broken(case.frames, made, case.masks, rng)
        if kind == POSTERISED and not bands_show(made, frames, case.masks):
            continue
        if visible(made, frames, case.masks):
            yield kind, frames, case.masks
    if task == GLOBAL:
        return
    for kind, lost_part in LOST_PARTS.items():
        lost = lost_part(case.masks, rng)
        frames = np.where(lost[..., None], case.frames, made).astype(np.uint8)
        if visible(made, frames, lost):
            yield kind, frames, case.masks & ~lost


def _read(name: str, number: int, source_id: str, folder: Path) -> Iterator[StylePair]:
    prompts: Mapping[str, str] = json.loads((folder / _DONE).read_text())
    for task, prompt in prompts.items():
        real = sample_frames(folder / task / _REAL, FRAMES, LONG_SIDE)
        for path in sorted((folder / task).glob("*.mp4")):
            if path.name == _REAL:
                continue
            masks = None if task == GLOBAL else read_masks(path.with_suffix(".mkv"))
            sample = pair_sample(
                task=task, source=real, target=sample_frames(path, FRAMES, LONG_SIDE), masks=masks,
                prompt=prompt, label="", instruction="", source_id=source_id,
                sizes=(real.shape[1:3],) * 2,
            )  # fmt: skip
            yield StylePair(name, number, path.stem, sample)
