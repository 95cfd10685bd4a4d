"""The CogVideoX experts at full size with random weights: speed and memory, no checkpoint needed.

Speed does not depend on what the weights are, so none are fetched but LPIPS's: the models are built
from the published checkpoints' own configurations. Where LPIPS can't be had its figures are null.

- matmul: the card's rate for an 8192³ bfloat16 product, which the rest is measured against.
- train: steps of the real loop (data loading, optimizer, averaging) on made-up examples at
  336×592×33. FLOPs are counted over a forward and a backward pass as the expert is frozen, without
  what gradient checkpointing computes twice, so the utilisation is of useful work alone.
- sample: one guided edit, latents to latents, against diffusers' own pipeline around a base of the
  same make at the same steps; then the autoencoder, which both share. Compiled blocks and
  `alternatives` do the same sums by other kernels and differ by rounding, which `relative_error` of
  the latents states. `caches` leave work out: `work` is the share of the FLOPs that is left; LPIPS
  and PSNR of the decoded video tell how far they are from the exact result.

What a cache loses depends on the weights, and these are random: its distances here show that the
measuring works and nothing about quality. How much `first_block` leaves out depends on them too, so
its seconds belong to its `work`; the other caches go by the clock.

    python infra/bench/gpu.py --model 2b --json           # one GPU
    python infra/bench/gpu.py --model 5b --parts sample
    python infra/bench/gpu.py --model tiny --steps 2      # anywhere: does it run
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import log10
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from catalog.errors import EditmillError
from experts.base import Masks
from experts.diffusion.conditioning.conditions import Conditions
from experts.diffusion.conditioning.vae import decode, encode
from experts.diffusion.model.build import build
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.caching import WITHIN_BLOCKS
from experts.diffusion.sampling.options import CACHES, Cache
from experts.diffusion.sampling.sampler import Prompts, sample
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.specs import EXPERTS, ExpertSpec
from experts.diffusion.training.data.clip import TrainingClip
from experts.diffusion.training.data.examples import Examples
from experts.diffusion.training.data.prepare import prepare
from experts.diffusion.training.data.randomness import StepRandomness
from experts.diffusion.training.loop import StepMetrics, train
from experts.diffusion.training.loss import loss_of
from experts.diffusion.training.recipe import TrainingRecipe
from filters.metrics.lpips import Lpips

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

WARM_UP = 2
"""Training steps before those that are timed: the allocator and the compiler settle."""

Config = dict[str, Any]

SMALL: Config = {  # CogVideoX-2b, transformer/config.json
    "num_attention_heads": 30,
    "num_layers": 30,
    "sample_height": 60,
    "sample_width": 90,
    "sample_frames": 49,
    "text_embed_dim": 4096,
    "max_text_seq_length": 226,
}
LARGE: Config = SMALL | {  # CogVideoX-5b-I2V
    "num_attention_heads": 48,
    "num_layers": 42,
    "in_channels": 32,
    "use_rotary_positional_embeddings": True,
    "use_learned_positional_embeddings": True,
}
TINY: Config = SMALL | {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_layers": 2,
    "text_embed_dim": 16,
    "max_text_seq_length": 8,
    "time_embed_dim": 16,
}
TINY_AUTOENCODER: Config = {
    "block_out_channels": (4, 4, 4, 4),
    "layers_per_block": 1,
    "norm_num_groups": 2,
}


@dataclass(frozen=True)
class Model:
    """What is measured: an expert, its base's configuration, and a size in frames and px."""

    expert: str
    config: Config
    frames: int = 33
    height: int = 336
    width: int = 592
    autoencoder: Config = field(default_factory=dict)

    @property
    def spec(self) -> ExpertSpec:
        layers = min(EXPERTS[self.expert].control_layers, self.config["num_layers"])
        return replace(EXPERTS[self.expert], control_layers=layers)

    @property
    def latents(self) -> tuple[int, int, int]:
        return (self.frames - 1) // 4 + 1, self.height // 8, self.width // 8

    def text(self, batch: int) -> Tensor:
        shape = batch, self.config["max_text_seq_length"], self.config["text_embed_dim"]
        return torch.randn(shape, device=DEVICE)

    def base(self, dtype: torch.dtype, **changes: Any) -> CogVideoXTransformer3DModel:
        torch.manual_seed(0)
        with DEVICE:
            return CogVideoXTransformer3DModel(**self.config | changes).to(dtype).eval()


MODELS = {
    "2b": Model("remover", SMALL),
    "5b": Model("inpainter", LARGE),
    "tiny": Model("remover", TINY, 5, 48, 64, TINY_AUTOENCODER),
    "tiny-i2v": Model(
        "inpainter",
        LARGE | TINY | {"in_channels": 32, "attention_head_dim": 16},
        5,
        48,
        64,
        TINY_AUTOENCODER,
    ),
}


def synchronize() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def seconds(work: Callable[[], Any], runs: int, warm: bool = False) -> float:
    """The median time of `work`, after one run that warms up, if it is not `warm`."""
    taken = []
    for _ in range(runs if warm else runs + 1):
        synchronize()
        begin = time.perf_counter()
        work()
        synchronize()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[-runs:])


def peak_gib() -> float | None:
    """The most memory held since the last call, GiB; None without a GPU. What nothing refers to any
    more is let go of, so that the next peak does not count it."""
    if DEVICE.type != "cuda":
        return None
    peak = torch.cuda.max_memory_allocated() / 2**30
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return round(peak, 2)


def matmul_rate() -> float:
    """FLOP/s of a square bfloat16 product."""
    side = 8192 if DEVICE.type == "cuda" else 512
    a, b = (torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))

    def products() -> None:
        for _ in range(10):
            a @ b

    return 10 * 2 * side**3 / seconds(products, 5)


class NoiseClip:
    """A clip of noise with a square object; every expert can use it."""

    labels = ("square",)

    def __init__(self, model: Model, seed: int) -> None:
        self._model, self._seed = model, seed
        self.key = f"noise-{seed}"

    def clip(self) -> TrainingClip:
        model = self._model
        rng = np.random.default_rng(self._seed)
        shape = (model.frames, model.height, model.width, 3)
        frames = rng.integers(0, 256, shape, np.uint8)
        return TrainingClip(frames, "noise", dict.fromkeys(("hed", "canny", "depth"), frames))

    def masks(self, index: int) -> Masks:
        model = self._model
        masks = np.zeros((model.frames, model.height, model.width), bool)
        masks[:, model.height // 4 : model.height // 2, model.width // 4 : model.width // 2] = True
        return masks


class NoiseEncoders:
    """Latents and embeddings of the right shapes."""

    key = "noise"

    def __init__(self, model: Model) -> None:
        self._model = model

    def video(self, frames: Tensor, as_image: bool = False) -> Tensor:
        batch, count, height, width, _ = frames.shape
        return torch.randn(batch, (count - 1) // 4 + 1, 16, height // 8, width // 8)

    def text(self, prompts: list[str]) -> Tensor:
        return self._model.text(len(prompts)).cpu()


def useful_flops(model: Model, examples: Examples) -> int:
    """FLOPs of a forward and a backward pass over one example, counted on no device at all."""
    with torch.device("meta"):
        editor = build(model.spec, CogVideoXTransformer3DModel(**model.config)).train()
    item = {name: tensor[None].to("meta") for name, tensor in examples[0].items()}
    schedule = scheduler(model.spec.base)
    with FlopCounterMode(display=False) as counter:
        random = StepRandomness.at(0, 0, 1, 0.0)
        loss_of(editor, model.spec, schedule, item, random, item["prompt"][0]).backward()
    return int(counter.get_total_flops())


class Enough(Exception):
    """Ends a training before it writes anything: a checkpoint of 5B is 60 GB."""


def measure_training(
    model: Model, rate: float, steps: int, batch: int, compiled: bool
) -> dict[str, Any]:
    stage = {
        "height": model.height,
        "width": model.width,
        "frames": model.frames,
        "steps": steps + WARM_UP + 1,
        "batch_size": batch,
        "per_device_batch_size": batch,
    }
    recipe = TrainingRecipe.model_validate(
        {
            "expert": model.expert,
            "stages": [stage],
            "examples": {"per_clip": 2, "stride": 1},
            "checkpoint_every": 10**9,
            "compile": compiled,
            "dataloader_workers": 2 if DEVICE.type == "cuda" else 0,
        }
    )
    times: list[float] = []

    def note(step: StepMetrics) -> None:
        synchronize()
        times.append(time.perf_counter())
        if len(times) == steps + WARM_UP:
            raise Enough

    with tempfile.TemporaryDirectory() as folder:
        clips = [NoiseClip(model, k) for k in range(max(2, batch))]
        prepare(recipe, clips, NoiseEncoders(model), folder)
        examples = Examples(folder, model.expert)
        flops = useful_flops(model, examples) * batch
        editor = build(model.spec, model.base(torch.float32))
        peak_gib()
        with contextlib.suppress(Enough):
            train(recipe, editor, scheduler(model.spec.base), examples, f"{folder}/out", note)
    step = statistics.median(np.diff(times)[WARM_UP - 1 :])
    return {
        "parameters": sum(p.numel() for p in editor.parameters()),
        "trained": sum(p.numel() for p in editor.parameters() if p.requires_grad),
        "batch": batch,
        "compiled": compiled,
        "step_seconds": round(float(step), 4),
        "tflop_per_step": round(flops / 1e12, 3),
        "utilisation": round(flops / float(step) / rate, 4),
        "peak_gib": peak_gib(),
    }


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


def main() -> None:
    parts = ("train", "sample")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="2b")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--steps", type=int, default=30, help="of sampling")
    parser.add_argument("--train-steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=1, help="examples per training step")
    parser.add_argument("--runs", type=int, default=2, help="timed runs of sampling")
    parser.add_argument("--compile", action="store_true", help="torch.compile the blocks")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    model = MODELS[asked.model]
    rate = matmul_rate()
    report: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if DEVICE.type == "cuda" else "processor",
        "torch": torch.__version__,
        "model": asked.model,
        "expert": model.expert,
        "size": f"{model.frames}×{model.height}×{model.width}",
        "matmul_tflops": round(rate / 1e12, 2),
    }
    if "train" in asked.parts:
        report["train"] = measure_training(
            model, rate, asked.train_steps, asked.batch, asked.compile
        )
    if "sample" in asked.parts:
        report["sample"] = measure_sampling(model, asked.steps, asked.runs, asked.compile)
    if asked.json:
        print(json.dumps(report, ensure_ascii=False))
        return
    for part, value in report.items():
        if isinstance(value, dict):
            print(part)
            for name, figure in value.items():
                if not isinstance(figure, dict):
                    print(f"  {name:28} {figure}")
                    continue
                print(f"  {name}")
                for key, inner in figure.items():
                    print(f"    {key:26} {inner}")
        else:
            print(f"{part:24} {value}")


if __name__ == "__main__":
    main()
