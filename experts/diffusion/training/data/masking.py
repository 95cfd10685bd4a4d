"""Which part of a clip is masked in an example, and what is said about it.

The remover must not learn that a mask's shape is the shape of what belongs there. Nine of ten
masks come from unrelated clips, so the truth inside them is whatever the clip shows, and the
prompt says "Remove" and the stranger's name; one of ten covers an object of the clip exactly and
says "Generate" and its name. At inference guidance leads from the second to the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import Masks
from experts.diffusion.conditioning.window import Size, fit_masks, there_and_back
from experts.diffusion.specs import ExpertSpec
from experts.diffusion.training.data.clip import ClipSource
from experts.diffusion.training.recipe import Draws
from experts.masks.kinds import augment

TRIES = 8
"""Masks drawn before a window without any is given up."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What an example is about.

    masks: [T, H, W], None for an expert without. `kind` says where they come from. `beside` is the
    negative prompt of an expert that takes it beside the prompt.
    """

    masks: Masks | None
    kind: str
    prompt: str
    beside: str = ""


def draw(
    spec: ExpertSpec,
    source: ClipSource,
    strangers: Sequence[ClipSource],
    caption: str,
    at: NDArray[np.int64],
    size: Size,
    settings: Draws,
    rng: np.random.Generator,
) -> Draw:
    """The mask and prompts of one example over the frames `at` of `source`, at `size`.

    `strangers` are other clips with objects. Raises BadInput (`no_object`) where the clip, or any
    stranger that is needed, has no object in sight.
    """
    if not spec.mask:
        return Draw(None, "none", spec.prompts(caption=caption)[0])
    kind = _kind(spec, source, settings, rng)
    for _ in range(TRIES):
        if kind in ("unrelated", "random"):
            label, masks = _unrelated(strangers, size, rng)
        else:
            index = int(rng.integers(len(source.labels)))
            label, masks = source.labels[index], fit_masks(source.masks(index)[at], size)
        if masks.any():
            break
    else:
        raise BadInput("no_object", f"no mask in sight in {TRIES} tries; use clips with objects")

    if spec.negative_channels:
        shape = {"exact": "exact", "expand": "expand", "box": "box", "random": "expand"}[kind]
        masks = augment(masks, shape, _grow(masks, settings, rng))
        absent = _stranger(strangers, rng)
        beside = absent.labels[int(rng.integers(len(absent.labels)))]
        about = caption if kind == "random" else label
        return Draw(masks, kind, spec.prompts(label=about)[0], beside)
    prompt, negative = spec.prompts(label=label, caption=caption)
    # "Generate", where the mask and its name belong to the clip.
    return Draw(masks, kind, negative if kind == "exact" and negative else prompt)


def recorded(
    spec: ExpertSpec,
    source: ClipSource,
    task: str,
    caption: str,
    at: NDArray[np.int64],
    size: Size,
    settings: Draws,
    rng: np.random.Generator,
) -> Draw:
    """A local-editing record as it stands; of some videos the first frame is shown (KIVE): its mask
    becomes empty, so the masked video has the real frame there.

    Raises BadInput (`no_object`) where the window has nothing masked.
    """
    masks = fit_masks(source.masks(0)[at], size)
    kind = task
    if spec.keyframe and size[0] > 1 and rng.random() < settings.keyframe:
        masks[0] = False
        kind = f"{task} from a keyframe"
    if not masks.any():
        raise BadInput("no_object", "nothing is masked in the window; use longer records")
    return Draw(masks, kind, spec.prompts(caption=caption)[0])


def _kind(spec: ExpertSpec, source: ClipSource, settings: Draws, rng: np.random.Generator) -> str:
    if spec.negative_channels:
        kinds, weights = zip(*settings.masks.items(), strict=True)
        kind = str(rng.choice(kinds, p=np.array(weights) / sum(weights)))
        return kind if source.labels else "random"
    unrelated = bool(spec.negative) and rng.random() < settings.unrelated
    if not source.labels and not spec.negative:
        raise BadInput("no_object", "the clip has no object; use clips with objects")
    return "unrelated" if unrelated or not source.labels else "exact"


def _stranger(strangers: Sequence[ClipSource], rng: np.random.Generator) -> ClipSource:
    if not strangers:
        raise BadInput("no_object", "no other clip has an object; use more clips")
    return strangers[int(rng.integers(len(strangers)))]


def _unrelated(
    strangers: Sequence[ClipSource], size: Size, rng: np.random.Generator
) -> tuple[str, Masks]:
    stranger = _stranger(strangers, rng)
    index = int(rng.integers(len(stranger.labels)))
    masks = stranger.masks(index)
    masks = there_and_back(masks, size[0])
    return stranger.labels[index], fit_masks(masks, size)


def _grow(masks: Masks, settings: Draws, rng: np.random.Generator) -> int:
    seen = masks[masks.any(axis=(1, 2))]
    side = float(np.sqrt(seen.mean(axis=0).sum())) if len(seen) else 0.0
    return round(side * rng.uniform(*settings.grow))
