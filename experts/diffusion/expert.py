"""The CogVideoX make of an expert: a trained version behind the contract of `experts.base.Expert`.

Frames are scaled to the nearest size the version was trained at, edited in windows of its length,
and scaled back; what lies outside the mask of a local edit is the request's, bit for bit. An expert
that is led by an edited first frame gets it from the task's embedded expert, and each further
window from the window before.
"""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from torch import Tensor

from catalog.errors import BadInput, EditmillError
from catalog.geometry import crop_resize
from catalog.keys import digest
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.diffusion.conditioning.conditions import Conditions, latent_mask
from experts.diffusion.conditioning.controls import Controls
from experts.diffusion.conditioning.text import TextEncoder
from experts.diffusion.conditioning.vae import decode, encode, open_vae
from experts.diffusion.conditioning.window import there_and_back
from experts.diffusion.model.checkpoint import open_expert
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.model.fingerprint import ENCODERS, fingerprint
from experts.diffusion.sampling.caching import WITHIN_BLOCKS, Cache, cache_named, check
from experts.diffusion.sampling.sampler import Prompts, sample
from experts.diffusion.sampling.schedule import Scheduler, scheduler
from experts.diffusion.serving import Serving, Size, bucket, starts
from experts.diffusion.specs import expert_named
from experts.edit.tasks import expert_for

ALGORITHM = 1
"""Counts up whenever the same weights may give another output."""

GROW = 0.008
"""Share of the longer side by which a mask of what is removed is grown, as the embedded remover's:
soft edges, motion blur and ringing lie outside what a segmenter draws."""

FEATHER = 2.0
"""px inside the mask over which the edit fades in."""

GUIDED = {"global_stylizer": "global_style_transfer", "inpainter": "object_swap"}
"""Experts led by a first frame, and the task whose embedded expert makes it."""


@dataclass(slots=True)
class _Loaded:
    editor: VideoEditor
    schedule: Scheduler
    vae: AutoencoderKLCogVideoX
    text: TextEncoder
    serving: Serving
    cache: Cache
    compiled: bool
    device: torch.device


class CogVideoXExpert:
    """A version of the expert `name` in `folder`, with the encoders of the checkpoint `base`.

    `cache` goes before the version's own; raises EditmillError for one that is not known.
    `info`: `model_size` (frames, height, width), `windows`, `steps`, `guidance`, `cache`,
    `compiled`.
    """

    def __init__(
        self, expert: str, version: str, folder: Path, base: Path, cache: str = ""
    ) -> None:
        self.spec = expert_named(expert)
        self._cache = cache_named(cache) if cache else None
        self.name = f"cogvideox-{expert}"
        self._model_version, self._folder, self._base = version, folder, base
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._controls = Controls(self.spec.control, self._device.type)
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """The trained version, after `/` a cache that is not its own, and after `+` what else the
        output depends on."""
        asked = f"/{self._cache}" if self._cache else ""
        guide = expert_for(GUIDED[self.spec.name]).version if self.spec.name in GUIDED else ""
        rest = digest(ALGORITHM, self._controls.version, guide)[:8]
        return f"{self._model_version}{asked}+{rest}"

    @property
    def slots(self) -> tuple[str, ...]:
        """Of the manifest, what its controls and its guide open."""
        guide = expert_for(GUIDED[self.spec.name]) if self.spec.name in GUIDED else None
        return (*self._controls.slots, *getattr(guide, "slots", ()))

    def load(self) -> None:
        """Opens weights and encoders; raises EditmillError where they are not the ones it was
        trained with, or where the cache does not suit the solver."""
        with self._lock:
            if self._loaded is not None:
                return
            serving = Serving.read(self._folder)
            if fingerprint(self._base, ENCODERS) != serving.encoders:
                raise EditmillError(
                    f"{self._base}: not the checkpoint {self.spec.name} {self._model_version} was "
                    "trained with: its autoencoder or text encoder differs; name that one"
                )
            cache = self._cache or serving.cache
            check(cache, serving.solver)
            dtype = torch.bfloat16 if serving.precision == "bf16" else torch.float32
            editor = open_expert(self._folder, dtype, self._base).to(self._device)
            compiled = (
                serving.compile and self._device.type == "cuda" and cache not in WITHIN_BLOCKS
            )
            if compiled:
                editor.compile_blocks()
            if self.spec.name in GUIDED:
                expert_for(GUIDED[self.spec.name]).load()
            self._controls.load()
            self._loaded = _Loaded(
                editor=editor,
                schedule=scheduler(self.spec.base, serving.solver, self._folder),
                vae=open_vae(self._base, dtype, serving.tiling).to(self._device),
                text=TextEncoder(self._base, dtype, editor.config.max_text_seq_length).to(
                    self._device
                ),
                serving=serving,
                cache=cache,
                compiled=compiled,
                device=self._device,
            )

    def close(self) -> None:
        """Frees the weights."""
        with self._lock:
            self._loaded = None
            self._controls.close()

    def edit(self, request: EditRequest) -> EditResult:
        """The request's frames, edited. Raises BadInput (`no_mask`) where a local edit has none."""
        self.load()
        guide = self._guide(request)
        masks = self._masks(request, guide)
        with self._lock:  # the schedule counts steps, and memory is for one edit
            made, info = self._edited(request, masks, guide)
        if masks is None:
            return EditResult(made, None, info)
        share = np.stack([_fade(mask) for mask in masks])[..., None]
        mixed = np.rint(request.frames + share * (made.astype(np.float32) - request.frames))
        return EditResult(mixed.astype(np.uint8), masks, info)

    def _guide(self, request: EditRequest) -> EditResult | None:
        """What the embedded expert makes; its first frame leads."""
        if not self.spec.first_frame:
            return None
        if request.masks is None:  # the whole picture: two frames are enough to style the first
            request = dataclasses.replace(request, frames=request.frames[:2])
        return expert_for(request.task).edit(request)

    def _masks(self, request: EditRequest, guide: EditResult | None) -> Masks | None:
        if not self.spec.mask:
            return None
        masks = request.masks if guide is None else guide.masks
        if masks is None or not masks.any():
            raise BadInput("no_mask", f"{request.task} needs a mask that is not empty")
        if self.spec.name != "remover":
            return masks.copy()
        radius = max(1, round(GROW * max(masks.shape[1:])))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
        grown = [cv2.dilate(mask.astype(np.uint8), disc) for mask in masks]
        return np.stack(grown).astype(bool)

    def _edited(
        self, request: EditRequest, masks: Masks | None, guide: EditResult | None
    ) -> tuple[Frames, dict[str, object]]:
        assert self._loaded is not None
        serving = self._loaded.serving
        count, height, width = request.frames.shape[:3]
        size = self._size(count, height, width)
        frames = crop_resize(request.frames, size[1:])
        holes: Masks | None = None if masks is None else crop_resize(masks, size[1:])
        first = None if guide is None else crop_resize(guide.frames[:1], size[1:])
        prompts = self._prompts(request)
        made = np.empty_like(frames)
        begins, done = starts(count, size[0]), 0
        for number, start in enumerate(begins):
            window = slice(start, start + size[0])
            out = self._window(
                there_and_back(frames[window], size[0]),
                None if holes is None else there_and_back(holes[window], size[0]),
                made[start : start + 1] if number and self._chained else first,
                prompts,
                int(digest(request.seed, number)[:15], 16) if number else request.seed,
                size,
            )
            stop = min(start + size[0], count)
            made[done:stop] = out[done - start : stop - start]
            done = stop
        info: dict[str, object] = {
            "model_size": list(size),
            "windows": len(begins),
            "steps": serving.steps,
            "guidance": self.spec.guidance,
            "cache": self._loaded.cache,
            "compiled": self._loaded.compiled,
        }
        return crop_resize(made, (height, width)), info

    @property
    def _chained(self) -> bool:
        """Whether the last frame of a window leads the next."""
        return self.spec.first_frame or self.spec.keyframe

    def _size(self, count: int, height: int, width: int) -> Size:
        """Of a window of `count` frames of height × width."""
        assert self._loaded is not None
        return bucket(self._loaded.serving.sizes, height, width)

    def _prompts(self, request: EditRequest) -> Prompts:
        assert self._loaded is not None
        text = self._loaded.text
        label = request.label
        if self.spec.name == "local_stylizer":
            label = request.prompt or label
        elif self.spec.name == "inpainter":
            label = str(request.params.get("donor", {}).get("label", request.prompt))
        positive, negative = self.spec.prompts(label=label, caption=request.prompt)
        if self.spec.negative_channels:
            beside = text.encode([request.negative_prompt or request.label])
            return Prompts(text.encode([positive]), text.encode([negative]), beside)
        return Prompts(text.encode([positive]), text.encode([negative]))

    def _window(
        self,
        frames: Frames,
        holes: Masks | None,
        first: Frames | None,
        prompts: Prompts,
        seed: int,
        size: Size,
    ) -> Frames:
        loaded = self._loaded
        assert loaded is not None

        def latents(video: Frames, as_image: bool = False) -> Tensor:
            return encode(loaded.vae, torch.from_numpy(video)[None], as_image)

        control = {}
        computed = self._controls.of(frames)
        for name in self.spec.control:
            if name == "mask":
                assert holes is not None
                shown = np.repeat(holes[..., None] * np.uint8(255), 3, axis=-1)
            else:
                shown = computed[name]
            control[name] = latents(shown)
        masked, mask = None, None
        if holes is not None:
            masked = latents(np.where(holes[..., None], np.uint8(0), frames))
            mask = latent_mask(torch.from_numpy(holes)[None]).to(loaded.device)
        made = sample(
            loaded.editor,
            self.spec,
            loaded.schedule,
            Conditions(
                None if first is None else latents(first, True),
                masked,
                mask,
                control,
                latents(frames) if self.spec.source else None,
            ),
            prompts,
            size=((size[0] - 1) // 4 + 1, size[1] // 8, size[2] // 8),
            seeds=[seed],
            steps=loaded.serving.steps,
            cache=loaded.cache,
        )
        shown = decode(loaded.vae, made)[0].cpu().numpy()
        return np.asarray(shown, np.uint8)


def _fade(mask: np.ndarray) -> np.ndarray:
    """0 outside, rising to 1 within FEATHER px of the mask's edge; [H, W], float32."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.clip(inside / FEATHER, 0, 1), np.float32)
