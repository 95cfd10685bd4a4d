"""A guided edit, beside diffusers' own pipeline, other kernels and caches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from math import log10
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
)
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from catalog.errors import EditmillError
from experts.diffusion.conditioning.conditions import Conditions
from experts.diffusion.conditioning.vae import decode, encode
from experts.diffusion.model.build import build
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.caching import WITHIN_BLOCKS
from experts.diffusion.sampling.options import CACHES, Cache
from experts.diffusion.sampling.sampler import Prompts, sample
from experts.diffusion.sampling.schedule import scheduler
from filters.metrics.lpips import Lpips
from infra.bench.cogvideox.clock import peak_gib, seconds
from infra.bench.cogvideox.models import DEVICE, Model


@torch.no_grad()
def measure_sampling(model: Model, steps: int, runs: int, compiled: bool) -> dict[str, Any]:
    vae = AutoencoderKLCogVideoX(**model.autoencoder).to(DEVICE, torch.bfloat16).eval()
    positive, negative = model.text(1).bfloat16(), model.text(1).bfloat16()
    peak_gib()
    theirs = seconds(diffusers_edit(model, vae, positive, negative, steps), runs)
    their_peak = peak_gib()

    editor = build(model.spec, model.base(torch.bfloat16)).eval()
    frames, height, width = model.latents

    def latents(channels: int, count: int = frames) -> Tensor:
        shape = 1, count, channels, height, width
        return torch.randn(shape, device=DEVICE, dtype=torch.bfloat16)

    control = {name: latents(16) for name in model.spec.control}
    conditions = Conditions(latents(16, 1), latents(16), latents(1).sigmoid(), control)
    prompts = Prompts(positive, negative, negative if model.spec.negative_channels else None)
    schedule = scheduler(model.spec.base)

    def edit(cache: Cache = "none") -> Tensor:
        return sample(
            editor, model.spec, schedule, conditions, prompts, model.latents, [0], steps, 6.0, cache
        )

    exact, flops = counted(edit)
    cached = {cache: counted(lambda cache=cache: edit(cache)) for cache in CACHES[1:]}
    if compiled:
        editor.compile_blocks()
    peak_gib()
    ours = seconds(edit, runs)
    our_peak = peak_gib()
    rounding = distance(edit(), exact)
    video = decode(vae, exact)[0].cpu().numpy()
    lpips = opened_lpips()
    caches = {}
    for cache, (latents_of, left) in cached.items():
        if compiled and cache in WITHIN_BLOCKS:
            continue
        peak_gib()
        taken = seconds(lambda cache=cache: edit(cache), runs, warm=True)
        other = decode(vae, latents_of)[0].cpu().numpy()
        error = float(np.square(video.astype(np.float64) - other).mean())
        caches[cache] = {
            "seconds": round(taken, 3),
            "times_exact": round(ours / taken, 3),
            "times_diffusers": round(theirs / taken, 3),
            "work": round(left / flops, 3),
            "lpips": lpips and round(float(np.mean(lpips.distance(video, other))), 4),
            "psnr": round(10 * log10(255**2 / error), 2) if error else None,
            "relative_error": distance(latents_of, exact),
            "peak_gib": peak_gib(),
        }
    alternatives = {}
    for name, way in WAYS.items():
        peak_gib()
        torch.compiler.reset()  # a kernel is chosen when a block is compiled
        with way(editor):
            try:
                taken = seconds(edit, runs)
            except RuntimeError:  # no such kernel here
                alternatives[name] = None
                continue
            alternatives[name] = {
                "seconds": round(taken, 3),
                "times_diffusers": round(theirs / taken, 3),
                "relative_error": distance(edit(), exact),
                "peak_gib": peak_gib(),
            }
    shape = 1, model.frames, model.height, model.width, 3
    blank = torch.zeros(shape, dtype=torch.uint8, device=DEVICE)
    encoding = seconds(lambda: encode(vae, blank), runs)
    decoding = seconds(lambda: decode(vae, exact), runs)
    peak = peak_gib()
    channels_last(vae)
    return {
        "steps": steps,
        "compiled": compiled,
        "edit_seconds": round(ours, 3),
        "diffusers_seconds": round(theirs, 3),
        "times_faster": round(theirs / ours, 3),
        "relative_error": rounding,  # from the blocks as they are, not compiled
        "peak_gib": our_peak,
        "diffusers_peak_gib": their_peak,
        "alternatives": alternatives,
        "caches": caches,
        "caches_note": "random weights: lpips, psnr and relative_error say nothing about quality",
        "encode_seconds": round(encoding, 3),
        "decode_seconds": round(decoding, 3),
        "autoencoder_peak_gib": peak,
        "decode_channels_last_seconds": round(seconds(lambda: decode(vae, exact), runs), 3),
    }


def counted(work: Callable[[], Tensor]) -> tuple[Tensor, int]:
    """What `work` makes, and its FLOPs."""
    with FlopCounterMode(display=False) as counter:
        made = work()
    return made, int(counter.get_total_flops())


def distance(other: Tensor, exact: Tensor) -> float:
    """‖other − exact‖ / ‖exact‖."""
    return round(float((other - exact).norm() / exact.norm()), 5)


def opened_lpips() -> Lpips | None:
    """LPIPS; None where its weights can't be had."""
    metric = Lpips()
    try:
        metric.load()
    except EditmillError:
        return None
    return metric


@contextlib.contextmanager
def fused(editor: VideoEditor) -> Iterator[None]:
    """Queries, keys and values by one product."""
    editor.fuse_qkv_projections()
    try:
        yield
    finally:
        editor.unfuse_qkv_projections()


WAYS: dict[str, Callable[[VideoEditor], contextlib.AbstractContextManager[None]]] = {
    "flash attention": lambda _: sdpa_kernel(SDPBackend.FLASH_ATTENTION),
    "cudnn attention": lambda _: sdpa_kernel(SDPBackend.CUDNN_ATTENTION),
    "fused projections": fused,
}
"""The same sums otherwise; each beside the default, which is torch's own choice of kernel."""


def channels_last(vae: AutoencoderKLCogVideoX) -> None:
    """Lay the weights of its 3D convolutions out with the channels last."""
    for weight in vae.parameters():
        if weight.dim() == 5:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)


def diffusers_edit(
    model: Model, vae: AutoencoderKLCogVideoX, positive: Tensor, negative: Tensor, steps: int
) -> Callable[[], Any]:
    """diffusers' pipeline, from noise to latents.

    Its image-to-video model refuses sizes other than its learned table's; without that table it
    does the same work at any.
    """
    takes_image = model.config.get("in_channels") == 32
    base = model.base(torch.bfloat16, use_learned_positional_embeddings=False)
    kind = CogVideoXImageToVideoPipeline if takes_image else CogVideoXPipeline
    pipeline = kind(None, None, vae, base, scheduler(model.spec.base))
    pipeline.set_progress_bar_config(disable=True)
    image = torch.rand(1, 3, model.height, model.width)

    def edit() -> None:
        pipeline(
            **({"image": image} if takes_image else {}),
            prompt_embeds=positive,
            negative_prompt_embeds=negative,
            guidance_scale=6.0,
            height=model.height,
            width=model.width,
            num_frames=model.frames,
            num_inference_steps=steps,
            output_type="latent",
            max_sequence_length=positive.shape[1],
        )

    return edit
