"""CogVideoX's noise schedule: scaled-linear betas, shifted and zero-terminal SNR.

Constants of the published checkpoints' own scheduler_config.json: betas 0.00085 … 0.012 scaled
linear over 1000 steps, v-prediction, zero terminal SNR, trailing steps; the SNR is divided by 3
for 2B (tuned for its small latents) and by 1 for the 5B models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler
from torch import Tensor

from experts.diffusion.sampling.options import Solver
from experts.diffusion.specs import Base

Scheduler: TypeAlias = CogVideoXDDIMScheduler | CogVideoXDPMScheduler

TIMESTEPS = 1000
"""Of the noise schedule: 0 is the cleanest, 999 is noise alone."""

SNR_SHIFT: dict[Base, float] = {
    "CogVideoX-2b": 3.0,
    "CogVideoX-5b": 1.0,
    "CogVideoX-5b-I2V": 1.0,
}

_SOLVERS: dict[Solver, type[Scheduler]] = {
    "ddim": CogVideoXDDIMScheduler,
    "dpm++": CogVideoXDPMScheduler,
}


def scheduler(base: Base, solver: Solver = "ddim", folder: str | Path | None = None) -> Scheduler:
    """The noise schedule of `base`, or the one its checkpoint's `folder` holds, with `solver`."""
    config: dict[str, Any] = {
        "num_train_timesteps": TIMESTEPS,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "set_alpha_to_one": True,
        "snr_shift_scale": SNR_SHIFT[base],
        "timestep_spacing": "trailing",
    }
    if folder is not None and (Path(folder) / "scheduler" / "scheduler_config.json").is_file():
        config = dict(_SOLVERS[solver].load_config(Path(folder) / "scheduler"))
    schedule: Scheduler = _SOLVERS[solver].from_config(config)
    return schedule


def velocity(schedule: Scheduler, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """The model's target: v = √ᾱ · noise − √(1 − ᾱ) · clean (Salimans and Ho 2022, App. D).

    Squared error in v is squared error in the clean latents over 1 − ᾱ, CogVideoX's loss.
    """
    target: Tensor = schedule.get_velocity(clean, noise, timesteps)
    return target
