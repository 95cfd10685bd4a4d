"""What a video inpainter is asked for, by task: where to paint, what, and along which structure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from catalog.errors import BadInput
from experts.base import EditRequest, Masks
from experts.edit.first_frame.editor import Image, ImageEditor, ImageEditRequest
from experts.masks.feather import dilated
from experts.write.language.nouns import indefinite

QUALITY = "blurred, low quality, compression artifacts, deformed, subtitles, watermark"
"""Negative prompt of every task: what nobody wants to see."""

GROW = 0.008
"""Share of the picture's longer side by which a removal's masks are dilated, as the embedded
remover's are."""

GROW_SWAP = 0.03
"""The same of a swap's: what comes has another outline than what goes. Set by hand."""


@dataclass(frozen=True, slots=True)
class Painting:
    """One edit. `prompt` describes the result, as text-to-video models were trained. `masks`
    [T, H, W] are where it is painted, None for everywhere. With `structure` the footage's outlines
    are kept there. `frame_prompt` is what an image editor is told to paint into the first frame;
    empty where the task has no such frame."""

    prompt: str
    negative_prompt: str
    masks: Masks | None = None
    structure: bool = False
    frame_prompt: str = ""


def painting(request: EditRequest, grow: float = GROW, grow_swap: float = GROW_SWAP) -> Painting:
    """What the request asks for; `grow` and `grow_swap` as their defaults.

    `request.params["replacement"]` names what a swap puts there, and `params["caption"]`, if it is
    given, the scene. Raises BadInput: `no_mask`, `no_replacement`, `unknown_task`.
    """
    if request.task not in _PAINTINGS:
        known = ", ".join(_PAINTINGS)
        raise BadInput("unknown_task", f"{request.task}: nothing is generated for it; for: {known}")
    return _PAINTINGS[request.task](request, grow, grow_swap)


def painted_frame(
    editor: ImageEditor, request: EditRequest, asked: Painting, number: int = 0
) -> Image:
    """Frame `number` as the image editor makes it; the footage's own where its mask is empty."""
    mask = None if asked.masks is None else asked.masks[number]
    if mask is not None and not mask.any():
        return request.frames[number]
    return editor.edit_image(
        ImageEditRequest(
            request.frames[number], mask, asked.frame_prompt, asked.negative_prompt, request.seed
        )
    )


def replacement_of(request: EditRequest) -> str:
    """The name of what a swap puts in the object's place: "dog", "a red bus". Raises BadInput
    (`no_replacement`)."""
    name = request.params.get("replacement") or request.params.get("donor", {}).get("label", "")
    if not name:
        raise BadInput(
            "no_replacement", "a generated swap must be told what to paint: params: replacement"
        )
    return str(name)


def _removal(request: EditRequest, grow: float, grow_swap: float) -> Painting:
    gone = request.label or "object"
    return Painting(
        prompt=f"An empty place, only the background, without any {gone}.",
        negative_prompt=f"{gone}, {QUALITY}",
        masks=dilated(_masks(request), grow),
    )


def _swap(request: EditRequest, grow: float, grow_swap: float) -> Painting:
    named = replacement_of(request)
    shown = named if named.split()[0] in ("a", "an") else indefinite(named)
    return Painting(
        prompt=_in_scene(f"{shown[0].upper()}{shown[1:]}.", request),
        negative_prompt=f"{request.label}, {QUALITY}" if request.label else QUALITY,
        masks=dilated(_masks(request), grow_swap),
        frame_prompt=shown,
    )


def _local_style(request: EditRequest, grow: float, grow_swap: float) -> Painting:
    shown = request.prompt or request.label
    return Painting(
        prompt=_in_scene(f"{shown[:1].upper()}{shown[1:]}.", request),
        negative_prompt=QUALITY,
        masks=_masks(request).copy(),
        structure=True,
    )


def _global_style(request: EditRequest, grow: float, grow_swap: float) -> Painting:
    prompt = _in_scene(f"{request.prompt[:1].upper()}{request.prompt[1:]}.", request)
    return Painting(prompt=prompt, negative_prompt=QUALITY, structure=True, frame_prompt=prompt)


_PAINTINGS: dict[str, Callable[[EditRequest, float, float], Painting]] = {
    "object_removal": _removal,
    "object_addition": _removal,  # read backwards
    "object_swap": _swap,
    "local_style_transfer": _local_style,
    "global_style_transfer": _global_style,
}

GENERATED = tuple(_PAINTINGS)
"""Tasks that a video inpainter can serve. Inpainting and outpainting are not among them: there the
made side is footage with a hole, which no model has to paint."""


def _masks(request: EditRequest) -> Masks:
    if request.masks is None or not request.masks.any():
        raise BadInput("no_mask", f"{request.task} needs a mask that is not empty")
    return request.masks


def _in_scene(sentence: str, request: EditRequest) -> str:
    return f"{sentence} {request.params.get('caption', '')}".strip()
