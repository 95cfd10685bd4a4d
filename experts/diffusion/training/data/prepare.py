"""From clips to cached examples: everything a training step needs, encoded once.

Masks are sampled here and not in the loop, since the masked video has to go through the video
encoder. A clip gives `examples.per_clip` examples for each stage, each a safetensors file of
float16 latents, and each prompt one of bfloat16 embeddings. A file is named by a hash of its
inputs, so that a second run encodes only what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from catalog.storage.files import replacing
from catalog.wording import counted
from experts.base import Frames
from experts.diffusion.conditioning.conditions import latent_mask
from experts.diffusion.conditioning.window import resize_and_crop, window_indices
from experts.diffusion.latents import Size, latent_size
from experts.diffusion.specs import ExpertSpec
from experts.diffusion.training.data.clip import ClipSource, TrainingClip
from experts.diffusion.training.data.masking import MaskAndPrompts, recorded, sampled
from experts.diffusion.training.recipe import TrainingRecipe

INDEX = "examples.json"


class Encoders(Protocol):
    """What encodes frames and prompts: a checkpoint's autoencoder and text encoder."""

    @property
    def key(self) -> str:
        """Changes whenever the same frames or prompt would be encoded to other numbers."""
        ...

    def video(self, frames: Tensor, as_image: bool = False) -> Tensor:
        """As `vae.encode`."""
        ...

    def text(self, prompts: list[str]) -> Tensor:
        """As `TextEncoder.encode`."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A row of the index.

    latents: their size (T, H, W).
    kind: `MaskAndPrompts.kind`.
    prompt, negative_prompt: keys of embeddings; the second is empty for an expert that is not
        conditioned on one.
    """

    key: str
    stage: int
    latents: tuple[int, int, int]
    kind: str
    prompt: str
    negative_prompt: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A clip, or an example of it, that could not be used, with BadInput's reason."""

    clip: str
    reason: str
    message: str


def prepare(
    recipe: TrainingRecipe,
    sources: Sequence[ClipSource],
    encoders: Encoders,
    folder: str | Path,
    report: Callable[[int, int], None] = lambda done, of: None,
    mask_sources: Sequence[ClipSource] = (),
) -> tuple[list[TrainingExample], list[Skipped]]:
    """Write the examples of `sources` into `folder`; returns them and what was skipped.

    `report` gets the number of sources done and their total. `mask_sources` are further clips of
    which only the masks are used. Raises EditmillError where no example could be made.
    """
    spec, out = recipe.spec, Path(folder)
    (out / "latents").mkdir(parents=True, exist_ok=True)
    (out / "prompts").mkdir(exist_ok=True)
    with_objects = [source for source in (*sources, *mask_sources) if source.labels]
    examples: list[TrainingExample] = []
    skipped: list[Skipped] = []
    for done, source in enumerate(sources):
        others = [other for other in with_objects if other.key != source.key]
        try:
            clip = source.clip()
        except BadInput as error:
            skipped.append(Skipped(source.key, error.reason, str(error)))
            continue
        for stage, k in np.ndindex(len(recipe.stages), recipe.examples.per_clip):
            try:
                examples.append(_example(recipe, stage, k, source, clip, others, encoders, out))
            except BadInput as error:
                skipped.append(Skipped(source.key, error.reason, str(error)))
        report(done + 1, len(sources))
    if not examples:
        why = f"; {skipped[0].reason}: {skipped[0].message}" if skipped else ""
        raise EditmillError(f"{spec.name}: no example from {counted(len(sources), 'clip')}{why}")
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
    clip: TrainingClip,
    others: Sequence[ClipSource],
    encoders: Encoders,
    out: Path,
) -> TrainingExample:
    spec, settings = recipe.spec, recipe.stages[stage]
    clip_key = digest(source.key, recipe.seed, k)
    rng = np.random.default_rng(int(clip_key, 16))
    size = settings.size_for(*clip.frames.shape[1:3])
    if spec.learns_from == "local_edits" and len(clip.frames) == 1:
        size = (1, *size[1:])  # an image
    indices = window_indices(len(clip.frames), size[0], recipe.examples.stride, rng)
    captions = (clip.caption, *clip.rephrasings)
    caption = captions[int(rng.integers(len(captions)))] if clip.rephrasings else clip.caption
    if spec.learns_from == "local_edits":
        chosen = recorded(spec, source, clip.task, caption, indices, size, recipe.examples, rng)
    else:
        chosen = sampled(spec, source, others, caption, indices, size, recipe.examples, rng)
    mask = None if chosen.masks is None else digest(np.packbits(chosen.masks).tobytes().hex())
    key = digest(clip_key, encoders.key, spec.name, size, [int(t) for t in indices], mask)
    target = out / "latents" / f"{key}.safetensors"
    if not target.is_file():
        tensors = _encode(spec, clip, indices, size, chosen, encoders)
        with replacing(target) as part:
            save_file({name: t.half().contiguous() for name, t in tensors.items()}, part)
    return TrainingExample(
        key=key,
        stage=stage,
        latents=latent_size(size),
        kind=chosen.kind,
        prompt=_prompt(chosen.prompt, encoders, out),
        negative_prompt=_prompt(chosen.negative_prompt, encoders, out)
        if spec.negative_channels
        else "",
    )


def _encode(
    spec: ExpertSpec,
    clip: TrainingClip,
    indices: NDArray[np.int64],
    size: Size,
    chosen: MaskAndPrompts,
    encoders: Encoders,
) -> dict[str, Tensor]:
    def latents(frames: Frames, as_image: bool = False) -> Tensor:
        return encoders.video(torch.from_numpy(frames)[None], as_image)[0].cpu()

    frames = resize_and_crop(clip.frames[indices], size)
    tensors = {"target": latents(frames)}
    if spec.first_frame:
        tensors["first_frame"] = latents(frames[:1], as_image=True)
    if chosen.masks is not None:
        masks = torch.from_numpy(chosen.masks)
        tensors["mask"] = latent_mask(masks[None])[0]
        tensors["masked"] = latents(np.where(chosen.masks[..., None], np.uint8(0), frames))

    def control(name: str) -> Tensor:
        if name not in clip.controls:
            raise BadInput(f"no_{name}", f"the clip has no {name} video; compute it first")
        return latents(resize_and_crop(clip.controls[name][indices], size))

    if spec.source:
        tensors["source"] = control("source")
    for name in spec.control:
        if name == "mask":
            assert chosen.masks is not None
            shown = np.repeat(chosen.masks[..., None] * np.uint8(255), 3, axis=-1)
            tensors["control.mask"] = latents(shown)
        else:
            tensors[f"control.{name}"] = control(name)
    return tensors


def _prompt(prompt: str, encoders: Encoders, out: Path) -> str:
    key = digest(prompt, encoders.key)
    target = out / "prompts" / f"{key}.safetensors"
    if not target.is_file():
        embedding = encoders.text([prompt])[0].cpu().to(torch.bfloat16)
        with replacing(target) as part:
            save_file({"embedding": embedding.contiguous()}, part, metadata={"prompt": prompt})
    return key
