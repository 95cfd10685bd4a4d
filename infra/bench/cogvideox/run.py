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

    python infra/bench/cogvideox/run.py --model 2b --json           # one GPU
    python infra/bench/cogvideox/run.py --model 5b --parts sample
    python infra/bench/cogvideox/run.py --model tiny --steps 2      # anywhere: does it run
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from infra.bench.cogvideox.clock import matmul_rate
from infra.bench.cogvideox.models import DEVICE, MODELS
from infra.bench.cogvideox.sampling import measure_sampling
from infra.bench.cogvideox.training import measure_training


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
