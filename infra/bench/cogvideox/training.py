"""Steps of the real training loop on made-up examples."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from typing import Any

import numpy as np
import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from experts.base import Masks
from experts.diffusion.model.build import build
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.training.data.clip import TrainingClip
from experts.diffusion.training.data.examples import Examples
from experts.diffusion.training.data.prepare import prepare
from experts.diffusion.training.data.randomness import StepRandomness
from experts.diffusion.training.loop import StepMetrics, train
from experts.diffusion.training.loss import loss_of
from experts.diffusion.training.recipe import TrainingRecipe
from infra.bench.cogvideox.clock import peak_gib, synchronize
from infra.bench.cogvideox.models import DEVICE, Model

WARM_UP = 2
"""Training steps before those that are timed: the allocator and the compiler settle."""


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
