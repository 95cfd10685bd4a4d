"""The quality bench's styles: what the stylizers make of footage, and the same broken.

Nobody has the truth of a style, so what the experts make counts as right; it was looked at.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from catalog.errors import BadInput
from experts.base import EditRequest, Frames, Masks
from experts.edit.style.materials import MATERIALS
from experts.edit.style.styles import STYLES
from experts.edit.tasks import expert_for
from infra.bench.quality.cases import BROKEN, Broken, Case

GLOBAL, LOCAL = "global_style_transfer", "local_style_transfer"


def _grey(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    luma = made @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
    return np.where(masks[..., None], np.rint(luma)[..., None], made).astype(np.uint8)


def _garish(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    """Contrast far beyond what the channels hold."""
    burnt = np.clip((made.astype(np.float32) - 128) * 4 + 128, 0, 255).astype(np.uint8)
    return np.where(masks[..., None], burnt, made).astype(np.uint8)


_OF_FILLS = (
    "frozen", "frozen late", "untouched", "half of the time", "half of the region", "black",
    "smeared", "smeared along", "flicker", "colours",
)  # fmt: skip

STYLES_BROKEN: Mapping[str, Broken] = {kind: BROKEN[kind] for kind in _OF_FILLS} | {
    "grey": _grey,
    "garish": _garish,
}


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
