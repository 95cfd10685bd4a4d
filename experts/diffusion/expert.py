"""A trained CogVideoX version as an `experts.base.Expert`.

Frames are resized to the nearest size the version was trained at, edited in windows of its length,
and resized back; outside the mask of a local edit the result is the request's, bit for bit. An
expert conditioned on an edited first frame gets it from an image editor, or from the task's
embedded expert, and in each further window from the window before.
"""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from torch import Tensor

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from catalog.media.geometry import crop_resize
from experts.annotate.maps.depth import DepthAnything
from experts.base import EditRequest, EditResult, Expert, Frames, Masks
from experts.diffusion.conditioning.conditions import Conditions, latent_mask
from experts.diffusion.conditioning.controls import Controls
from experts.diffusion.conditioning.text import TextEncoder
from experts.diffusion.conditioning.vae import decode, encode, open_vae
from experts.diffusion.conditioning.window import ping_pong
from experts.diffusion.latents import Size, latent_size
from experts.diffusion.model.bases import base_folder
from experts.diffusion.model.checkpoint import open_expert
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.model.fingerprint import ENCODERS, fingerprint
from experts.diffusion.sampling.caching import WITHIN_BLOCKS
from experts.diffusion.sampling.options import Cache, cache_named, check
from experts.diffusion.sampling.sampler import Prompts, sample
from experts.diffusion.sampling.schedule import Scheduler, scheduler
from experts.diffusion.serving import Serving, bucket, starts
from experts.diffusion.specs import BASE_GIB, BASE_LICENCES, expert_named
from experts.edit.first_frame.editor import ImageEditor
from experts.edit.tasks import expert_for
from experts.edit.video.painting import GROW, painted_frame, painting, replacement_of
from experts.licences import EDITMILL, OutputLicence, combined
from experts.masks.feather import dilated, pasted
from experts.memory import GIB
from experts.threads import one_for_torch

ALGORITHM = 1
"""Increased whenever the same weights may give another output."""

GUIDED = {"global_stylizer": "global_style_transfer", "inpainter": "object_swap"}
"""Experts conditioned on a first frame, and the task whose embedded expert makes it where no image
editor does."""


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
    """A version of the expert `name` in `folder`, with the encoders of `base` (`bases.base_named`).

    `cache` overrides the version's own; raises EditmillError for one that is not known.
    `first_frame` makes the first frame of an expert that is conditioned on one (`GUIDED`), `depth`
    the depth maps of one that is controlled by them; None takes the model EDITMILL_DEPTH names.
    `info`: `model_size` (frames, height, width), `windows`, `steps`, `guidance`, `cache`,
    `compiled`, and `first_frame`, the image editor, where one was used.
    """

    def __init__(
        self,
        expert: str,
        version: str,
        folder: Path,
        base: str,
        cache: str = "",
        first_frame: ImageEditor | None = None,
        depth: DepthAnything | None = None,
    ) -> None:
        self.spec = expert_named(expert)
        self._cache = cache_named(cache) if cache else None
        self._first_frame = first_frame if expert in GUIDED else None
        self.name = f"cogvideox-{expert}"
        self._model_version, self._folder, self._base = version, folder, base
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._controls = Controls(self.spec.control, self._device.type, depth)
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """The trained version, `/` and a cache that overrides its own, `+` and a hash of everything
        else that the output depends on."""
        cache = f"/{self._cache}" if self._cache else ""
        guide = self._guiding
        rest = digest(ALGORITHM, self._controls.version, guide.version if guide else "")[:8]
        return f"{self._model_version}{cache}+{rest}"

    @property
    def slots(self) -> tuple[str, ...]:
        """Slots of the manifest that its control videos and what makes its first frame open."""
        return (*self._controls.slots, *getattr(self._guiding, "slots", ()))

    @property
    def device(self) -> str:
        """torch's name of the device that it runs on."""
        return self._device.type

    @property
    def device_bytes(self) -> int:
        """Of the GPU's memory that it takes, a window's activations included; 0 on a processor."""
        return 0 if self.device == "cpu" else round(BASE_GIB[self.spec.base] * GIB)

    @property
    def parts(self) -> tuple[ImageEditor, ...]:
        """Models that it is put together from, beside its own."""
        return () if self._first_frame is None else (self._first_frame,)

    @property
    def _guiding(self) -> Expert | ImageEditor | None:
        """What makes its first frame; None where it takes none."""
        if self.spec.name not in GUIDED:
            return None
        return self._first_frame or expert_for(GUIDED[self.spec.name])

    @property
    def output_licence(self) -> OutputLicence | None:
        """Its base's, and that of what makes its first frame."""
        guide = self._guiding
        code = guide.output_licence if guide is not None else EDITMILL
        return combined([code, BASE_LICENCES[self.spec.base]])

    def load(self) -> None:
        """Opens weights and encoders; raises EditmillError where the encoders are not those it was
        trained with, or where cache and solver exclude each other."""
        with self._lock:
            if self._loaded is not None:
                return
            serving = Serving.read(self._folder)
            base = base_folder(self.spec.base, self._base)
            if fingerprint(base, ENCODERS) != serving.encoders:
                raise EditmillError(
                    f"{base}: not the checkpoint {self.spec.name} {self._model_version} was "
                    "trained with: its autoencoder or text encoder differs; name that one"
                )
            cache = self._cache or serving.cache
            check(cache, serving.solver)
            dtype = torch.bfloat16 if serving.precision == "bf16" else torch.float32
            one_for_torch()
            editor = open_expert(self._folder, dtype, base).to(self._device)
            compiled = (
                serving.compile and self._device.type == "cuda" and cache not in WITHIN_BLOCKS
            )
            if compiled:
                editor.compile_blocks()
            if self._guiding is not None:
                self._guiding.load()
            self._controls.load()
            self._loaded = _Loaded(
                editor=editor,
                schedule=scheduler(self.spec.base, serving.solver, self._folder),
                vae=open_vae(base, dtype, serving.tiling).to(self._device),
                text=TextEncoder(base, dtype, editor.config.max_text_seq_length).to(self._device),
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
        return EditResult(pasted(request.frames, made, masks), masks, info)

    def _guide(self, request: EditRequest) -> EditResult | None:
        """The edit whose first frame the model is conditioned on: the image editor's, of one frame,
        or the embedded expert's."""
        if not self.spec.first_frame:
            return None
        if self._first_frame is not None:
            asked = painting(request)
            frame = painted_frame(self._first_frame, request, asked)
            return EditResult(frame[None], asked.masks)
        if request.masks is None:  # a global edit: two frames are enough to style the first
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
        return dilated(masks, GROW)

    def _edited(
        self, request: EditRequest, masks: Masks | None, guide: EditResult | None
    ) -> tuple[Frames, dict[str, object]]:
        assert self._loaded is not None
        serving = self._loaded.serving
        count, height, width = request.frames.shape[:3]
        size = self._size(count, height, width)
        frames = crop_resize(request.frames, size[1:])
        small: Masks | None = None if masks is None else crop_resize(masks, size[1:])
        first = None if guide is None else crop_resize(guide.frames[:1], size[1:])
        prompts = self._prompts(request)
        made = np.empty_like(frames)
        begins, done = starts(count, size[0]), 0
        for number, start in enumerate(begins):
            window = slice(start, start + size[0])
            out = self._window(
                ping_pong(frames[window], size[0]),
                None if small is None else ping_pong(small[window], size[0]),
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
            "guidance": self.spec.guidance_scale,
            "cache": self._loaded.cache,
            "compiled": self._loaded.compiled,
        }
        if self._first_frame is not None:
            info["first_frame"] = self._first_frame.name
        return crop_resize(made, (height, width)), info

    @property
    def _chained(self) -> bool:
        """Whether a window is conditioned on the last frame of the one before."""
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
            label = replacement_of(request)
        positive, negative = self.spec.prompts(label=label, caption=request.prompt)
        if self.spec.negative_channels:
            absent = text.encode([request.negative_prompt or request.label])
            return Prompts(text.encode([positive]), text.encode([negative]), absent)
        return Prompts(text.encode([positive]), text.encode([negative]))

    def _window(
        self,
        frames: Frames,
        masks: Masks | None,
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
                assert masks is not None
                shown = np.repeat(masks[..., None] * np.uint8(255), 3, axis=-1)
            else:
                shown = computed[name]
            control[name] = latents(shown)
        masked, mask = None, None
        if masks is not None:
            masked = latents(np.where(masks[..., None], np.uint8(0), frames))
            mask = latent_mask(torch.from_numpy(masks)[None]).to(loaded.device)
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
            size=latent_size(size),
            seeds=[seed],
            steps=loaded.serving.steps,
            cache=loaded.cache,
        )
        shown = decode(loaded.vae, made)[0].cpu().numpy()
        return np.asarray(shown, np.uint8)
