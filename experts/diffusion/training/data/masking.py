"""Which region of a clip is masked in a training example, and with which prompts.

The remover must not learn that a mask has the shape of what it hides. Nine of ten masks come from
unrelated clips: inside them the target is the clip's own footage, and the prompt is "Remove" and
the label of the other clip's object. One of ten is an object's exact mask, with the prompt
"Generate" and its label. At inference, guidance leads away from the second prompt, towards the
first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import Masks
from experts.diffusion.conditioning.window import ping_pong, resize_and_crop_masks
from experts.diffusion.latents import Size
from experts.diffusion.specs import ExpertSpec
from experts.diffusion.training.data.clip import ClipSource
from experts.diffusion.training.recipe import ExampleSampling
from experts.masks.kinds import augment

TRIES = 8
"""Masks drawn before a window without a visible object is skipped."""


@dataclass(frozen=True, slots=True)
class MaskAndPrompts:
    """What an example is conditioned on besides frames.

    masks: [T, H, W], bool; None for an expert without masks.
    kind: of the mask, or a local edit's task: a key that evaluation and `mix` group by.
    negative_prompt: of an expert that is conditioned on it (`ExpertSpec.negative_channels`).
    """

    masks: Masks | None
    kind: str
    prompt: str
    negative_prompt: str = ""


def sampled(
    spec: ExpertSpec,
    source: ClipSource,
    others: Sequence[ClipSource],
    caption: str,
    indices: NDArray[np.int64],
    size: Size,
    settings: ExampleSampling,
    rng: np.random.Generator,
) -> MaskAndPrompts:
    """A random mask and its prompts for the frames `indices` of `source`, at `size`.

    `others` are other clips with objects. Raises BadInput (`no_object`) where the clip, or another
    one that is needed, has no visible object.
    """
    if not spec.mask:
        return MaskAndPrompts(None, "none", spec.prompts(caption=caption)[0])
    kind = _kind(spec, source, settings, rng)
    for _ in range(TRIES):
        if kind in ("unrelated", "random"):
            label, masks = _unrelated(others, size, rng)
        else:
            index = int(rng.integers(len(source.labels)))
            label = source.labels[index]
            masks = resize_and_crop_masks(source.masks(index)[indices], size)
        if masks.any():
            break
    else:
        raise BadInput("no_object", f"no object visible in {TRIES} tries; use clips with objects")

    if spec.negative_channels:
        shape = {"exact": "exact", "expand": "expand", "box": "box", "random": "expand"}[kind]
        masks = augment(masks, shape, _growth(masks, settings, rng))
        absent = _other(others, rng)
        negative = absent.labels[int(rng.integers(len(absent.labels)))]
        shown = caption if kind == "random" else label
        return MaskAndPrompts(masks, kind, spec.prompts(label=shown)[0], negative)
    prompt, negative = spec.prompts(label=label, caption=caption)
    # "Generate" where the mask and the label are the clip's own.
    return MaskAndPrompts(masks, kind, negative if kind == "exact" and negative else prompt)


def recorded(
    spec: ExpertSpec,
    source: ClipSource,
    task: str,
    caption: str,
    indices: NDArray[np.int64],
    size: Size,
    settings: ExampleSampling,
    rng: np.random.Generator,
) -> MaskAndPrompts:
    """The mask and caption of a local-editing record.

    In some videos the first frame's mask is made empty (KIVE), so that the masked video shows the
    target there. Raises BadInput (`no_object`) where nothing in the window is masked.
    """
    masks = resize_and_crop_masks(source.masks(0)[indices], size)
    kind = task
    if spec.keyframe and size[0] > 1 and rng.random() < settings.keyframe:
        masks[0] = False
        kind = f"{task} from a keyframe"
    if not masks.any():
        raise BadInput("no_object", "nothing is masked in the window; use longer records")
    return MaskAndPrompts(masks, kind, spec.prompts(caption=caption)[0])


def _kind(
    spec: ExpertSpec, source: ClipSource, settings: ExampleSampling, rng: np.random.Generator
) -> str:
    if spec.negative_channels:
        kinds, weights = zip(*settings.mask_kinds.items(), strict=True)
        kind = str(rng.choice(kinds, p=np.array(weights) / sum(weights)))
        return kind if source.labels else "random"
    unrelated = bool(spec.negative) and rng.random() < settings.unrelated_masks
    if not source.labels and not spec.negative:
        raise BadInput("no_object", "the clip has no object; use clips with objects")
    return "unrelated" if unrelated or not source.labels else "exact"


def _other(others: Sequence[ClipSource], rng: np.random.Generator) -> ClipSource:
    if not others:
        raise BadInput("no_object", "no other clip has an object; use more clips")
    return others[int(rng.integers(len(others)))]


def _unrelated(
    others: Sequence[ClipSource], size: Size, rng: np.random.Generator
) -> tuple[str, Masks]:
    other = _other(others, rng)
    index = int(rng.integers(len(other.labels)))
    masks = ping_pong(other.masks(index), size[0])
    return other.labels[index], resize_and_crop_masks(masks, size)


def _growth(masks: Masks, settings: ExampleSampling, rng: np.random.Generator) -> int:
    """px by which a mask is grown."""
    visible = masks[masks.any(axis=(1, 2))]
    side = float(np.sqrt(visible.mean(axis=0).sum())) if len(visible) else 0.0
    return round(side * rng.uniform(*settings.mask_growth))
