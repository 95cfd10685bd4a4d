"""The quality bench's styles: what the stylizers make of footage, and the same broken.

Nobody has the truth of a style, so what the experts make counts as right; it was looked at.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np

from catalog.errors import BadInput
from experts.base import EditRequest, Frames, Masks
from experts.edit.style.materials import MATERIALS
from experts.edit.style.styles import STYLES
from experts.edit.tasks import expert_for
from infra.bench.quality.cases import BROKEN, VISIBLE, Broken, Case, visible

GLOBAL, LOCAL = "global_style_transfer", "local_style_transfer"
POSTERISED = "posterised"


def _grey(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    luma = made @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
    return np.where(masks[..., None], np.rint(luma)[..., None], made).astype(np.uint8)


def _garish(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    """Contrast far beyond what the channels hold."""
    burnt = np.clip((made.astype(np.float32) - 128) * 4 + 128, 0, 255).astype(np.uint8)
    return np.where(masks[..., None], burnt, made).astype(np.uint8)


def _posterised(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    """Three or four tones of each channel are left."""
    step = int(rng.choice([64, 86]))
    few = np.minimum(made // step * step + step // 2, 255).astype(np.uint8)
    return np.where(masks[..., None], few, made).astype(np.uint8)


def bands_show(made: Frames, broken: Frames, masks: Masks, smooth: float = 6.0) -> bool:
    """Whether posterised frames differ where strokes and codec are averaged out, over `smooth` px:
    between the strokes of a painting they need not. There half of VISIBLE can be told apart."""
    sides = [np.stack([cv2.GaussianBlur(f, (0, 0), smooth) for f in s]) for s in (made, broken)]
    return visible(*sides, masks, VISIBLE / 2)


def _third(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    """A third of the region is left as it was: what lies farthest in one direction."""
    undone = _farthest(masks, 1 / 3, rng.uniform(0, 2 * np.pi))
    return np.where(undone[..., None], real, made).astype(np.uint8)


_OF_FILLS = (
    "frozen", "frozen late", "untouched", "half of the time", "half of the region", "black",
    "smeared", "smeared along", "flicker", "colours",
)  # fmt: skip

STYLES_BROKEN: Mapping[str, Broken] = {kind: BROKEN[kind] for kind in _OF_FILLS} | {
    "third of the region": _third,
    POSTERISED: _posterised,
    "grey": _grey,
    "garish": _garish,
}

LostPart = Callable[[Masks, np.random.Generator], Masks]
"""(masks, rng) → what a mask loses of its object, bool [T, h, w]."""


def _farthest(masks: Masks, share: float, angle: float) -> Masks:
    """Of each frame's mask the `share` of pixels that lies farthest in the direction of `angle`."""
    ys, xs = np.mgrid[: masks.shape[1], : masks.shape[2]]
    along = xs * np.cos(angle) + ys * np.sin(angle)
    out = np.zeros_like(masks)
    for lost, mask in zip(out, masks, strict=True):
        if mask.any():
            lost[:] = mask & (along >= np.quantile(along[mask], 1 - share))
    return out


def _limb(masks: Masks, rng: np.random.Generator) -> Masks:
    return _farthest(masks, 0.25, rng.uniform(0, 2 * np.pi))


def _limb_late(masks: Masks, rng: np.random.Generator) -> Masks:
    lost = _limb(masks, rng)
    lost[: len(lost) // 3] = False
    return lost


def _limb_at_times(masks: Masks, rng: np.random.Generator) -> Masks:
    """It comes and goes, for four frames or more."""
    lost = _limb(masks, rng)
    lost[np.arange(len(lost)) // 5 % 2 == int(rng.integers(2))] = False
    return lost


LOST_PARTS: Mapping[str, LostPart] = {
    "limb": _limb,
    "limb late": _limb_late,
    "limb at times": _limb_at_times,
}
"""A mask that loses a part of its object, a quarter of it, which stays as it was."""


def style_cases(case: Case, seed: int) -> Iterator[tuple[str, Case, Frames]]:
    """Task, case and the made side: footage painted as a whole, and an object that was composited
    onto it, in another colour, of another material, or painted."""
    rng = np.random.default_rng((seed, 1))
    style = STYLES[int(rng.integers(len(STYLES)))]
    everywhere = np.ones_like(case.masks)
    whole = Case(case.source, style.name, case.truth, case.truth, everywhere, style.prompt)
    yield GLOBAL, whole, _made(GLOBAL, whole, seed, style=style.name)
    colour, material = str(rng.choice(["red", "blue", "yellow"])), str(rng.choice(list(MATERIALS)))
    style = STYLES[int(rng.integers(len(STYLES)))]
    looks: list[tuple[str, dict[str, Any]]] = [
        (f"a {colour} object", {"kind": "color", "color": colour}),
        (f"a {material} statue", {"kind": "material", "material": material}),
        (f"an object drawn like {style.prompt}", {"kind": "style", "style": style.name}),
    ]
    for prompt, params in looks[seed % 3 :] + looks[: seed % 3]:
        with contextlib.suppress(BadInput):  # it has that colour already
            local = dataclasses.replace(case, prompt=prompt)
            yield LOCAL, local, _made(LOCAL, local, seed, **params)
            return


def _made(task: str, case: Case, seed: int, **params: Any) -> Frames:
    expert = expert_for(task)
    expert.load()
    masks = None if task == GLOBAL else case.masks
    request = EditRequest(task, case.frames, masks, label="object", seed=seed, params=params)
    return expert.edit(request).frames
