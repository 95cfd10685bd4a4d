"""From clips to cached examples: everything a training step needs, encoded once.

Masks are drawn here and not in the loop, since the masked video has to go through the video
encoder: a clip gives `draws.per_clip` examples for each size, each a safetensors file of float16
latents, and each prompt one of bfloat16 embeddings. A file's name is the key of all it was made
from, so that a second run makes only what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from catalog.storage.files import replacing
from experts.base import Frames
from experts.diffusion.conditioning.conditions import SPATIAL, TEMPORAL, latent_mask
from experts.diffusion.conditioning.window import Size, fit, size_for, times
from experts.diffusion.specs import ExpertSpec
from experts.diffusion.training.data.clip import Clip, ClipSource
from experts.diffusion.training.data.masking import Draw, draw, recorded
from experts.diffusion.training.recipe import TrainingRecipe

INDEX = "examples.json"


class Encoders(Protocol):
    """What encodes frames and prompts: a checkpoint's autoencoder and text encoder."""

    @property
    def key(self) -> str:
        """Changes whenever the same frames or prompt get other numbers."""
        ...

    def video(self, frames: Tensor, as_image: bool = False) -> Tensor:
        """As `vae.encode`."""
        ...

    def text(self, prompts: list[str]) -> Tensor:
        """As `TextEncoder.encode`."""
        ...


@dataclass(frozen=True, slots=True)
class Example:
    """One row of the index. `latents` is (T, H, W); `prompt` and `beside` name embeddings."""

    key: str
    stage: int
    latents: tuple[int, int, int]
    kind: str
    prompt: str
    beside: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A clip, or an example of one, that could not be used."""

    clip: str
    reason: str
    message: str


def prepare(
    recipe: TrainingRecipe,
    sources: Sequence[ClipSource],
    encoders: Encoders,
    folder: str | Path,
    report: Callable[[int, int], None] = lambda done, of: None,
    lenders: Sequence[ClipSource] = (),
) -> tuple[list[Example], list[Skipped]]:
    """Write the examples of `sources` into `folder`, and say what was left out and why.

    `lenders` are further clips whose masks, but not whose frames, may be used.
    Raises EditmillError where not one example remains.
    """
    spec, out = recipe.spec, Path(folder)
    (out / "latents").mkdir(parents=True, exist_ok=True)
    (out / "prompts").mkdir(exist_ok=True)
    owners = [source for source in (*sources, *lenders) if source.labels]
    examples: list[Example] = []
    skipped: list[Skipped] = []
    for done, source in enumerate(sources):
        strangers = [other for other in owners if other.key != source.key]
        try:
            clip = source.clip()
        except BadInput as error:
            skipped.append(Skipped(source.key, error.reason, str(error)))
            continue
        for stage, k in np.ndindex(len(recipe.stages), recipe.draws.per_clip):
            try:
                examples.append(_example(recipe, stage, k, source, clip, strangers, encoders, out))
            except BadInput as error:
                skipped.append(Skipped(source.key, error.reason, str(error)))
        report(done + 1, len(sources))
    if not examples:
        why = f"; {skipped[0].reason}: {skipped[0].message}" if skipped else ""
        raise EditmillError(f"{spec.name}: no example from {len(sources)} clips{why}")
    empty = _prompt("", encoders, out)
    with replacing(out / INDEX) as part:
        rows = {"expert": spec.name, "empty": empty, "examples": [asdict(e) for e in examples]}
        part.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return examples, skipped


def _example(
    recipe: TrainingRecipe,
    stage: int,
    k: int,
    source: ClipSource,
    clip: Clip,
    strangers: Sequence[ClipSource],
    encoders: Encoders,
    out: Path,
) -> Example:
    spec, settings = recipe.spec, recipe.stages[stage]
    named = digest(source.key, recipe.seed, k)
    rng = np.random.default_rng(int(named, 16))
    size = size_for(settings, *clip.frames.shape[1:3])
    if spec.learns_from == "local_edits" and len(clip.frames) == 1:
        size = (1, *size[1:])  # an image
    at = times(len(clip.frames), size[0], recipe.draws.stride, rng)
    said = (clip.caption, *clip.wordings)
    caption = said[int(rng.integers(len(said)))] if clip.wordings else clip.caption
    if spec.learns_from == "local_edits":
        drawn = recorded(spec, source, clip.task, caption, at, size, recipe.draws, rng)
    else:
        drawn = draw(spec, source, strangers, caption, at, size, recipe.draws, rng)
    mask = None if drawn.masks is None else digest(np.packbits(drawn.masks).tobytes().hex())
    key = digest(named, encoders.key, spec.name, size, [int(t) for t in at], mask)
    target = out / "latents" / f"{key}.safetensors"
    if not target.is_file():
        tensors = _encode(spec, clip, at, size, drawn, encoders)
        with replacing(target) as part:
            save_file({name: t.half().contiguous() for name, t in tensors.items()}, part)
    return Example(
        key=key,
        stage=stage,
        latents=((size[0] - 1) // TEMPORAL + 1, size[1] // SPATIAL, size[2] // SPATIAL),
        kind=drawn.kind,
        prompt=_prompt(drawn.prompt, encoders, out),
        beside=_prompt(drawn.beside, encoders, out) if spec.negative_channels else "",
    )


def _encode(
    spec: ExpertSpec,
    clip: Clip,
    at: np.ndarray,
    size: Size,
    drawn: Draw,
    encoders: Encoders,
) -> dict[str, Tensor]:
    def latents(frames: Frames, as_image: bool = False) -> Tensor:
        return encoders.video(torch.from_numpy(frames)[None], as_image)[0].cpu()

    frames = fit(clip.frames[at], size)
    tensors = {"target": latents(frames)}
    if spec.first_frame:
        tensors["first_frame"] = latents(frames[:1], as_image=True)
    if drawn.masks is not None:
        masks = torch.from_numpy(drawn.masks)
        tensors["mask"] = latent_mask(masks[None])[0]
        tensors["masked"] = latents(np.where(drawn.masks[..., None], np.uint8(0), frames))

    def beside(name: str) -> Tensor:
        if name not in clip.controls:
            raise BadInput(f"no_{name}", f"the clip has no {name} video; compute it first")
        return latents(fit(clip.controls[name][at], size))

    if spec.source:
        tensors["source"] = beside("source")
    for name in spec.control:
        if name == "mask":
            assert drawn.masks is not None
            shown = np.repeat(drawn.masks[..., None] * np.uint8(255), 3, axis=-1)
            tensors["control.mask"] = latents(shown)
        else:
            tensors[f"control.{name}"] = beside(name)
    return tensors


def _prompt(prompt: str, encoders: Encoders, out: Path) -> str:
    key = digest(prompt, encoders.key)
    target = out / "prompts" / f"{key}.safetensors"
    if not target.is_file():
        embedding = encoders.text([prompt])[0].cpu().to(torch.bfloat16)
        with replacing(target) as part:
            save_file({"embedding": embedding.contiguous()}, part, metadata={"prompt": prompt})
    return key
