"""Checkpoints of a running training: whole or absent, the newest few kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel

from catalog.errors import EditmillError

PROGRESS = "progress.json"


def save(
    accelerator: Accelerator, ema: EMAModel, folder: Path, step: int, identity: str, keep: int
) -> Path:
    """Write the state after `step` steps to `folder/step-…` and drop all but the newest `keep`.

    Written under another name first: a checkpoint that is there is whole.
    """
    target = folder / f"step-{step:08d}"
    part = folder / f"part-{step:08d}"
    if accelerator.is_main_process:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(part), safe_serialization=True)
    # Under sharding each process averages its own part of the weights.
    torch.save(ema.state_dict(), part / f"ema-{accelerator.process_index}.pt")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        progress = {"step": step, "identity": identity, "devices": accelerator.num_processes}
        (part / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
        for old in checkpoints(folder)[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
    accelerator.wait_for_everyone()
    return target


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints there, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / PROGRESS).is_file())


def resume(accelerator: Accelerator, ema: EMAModel, folder: Path, identity: str) -> int:
    """Load the newest checkpoint and return its number of steps; 0 where there is none.

    Raises EditmillError where it belongs to another training or number of devices.
    """
    found = checkpoints(folder)
    if not found:
        return 0
    newest = found[-1]
    progress = json.loads((newest / PROGRESS).read_text(encoding="utf-8"))
    if progress["identity"] != identity:
        raise EditmillError(
            f"{newest}: belongs to a training of another recipe or other examples; "
            "choose another folder or restore them"
        )
    if progress["devices"] != accelerator.num_processes:
        raise EditmillError(
            f"{newest}: was written by {progress['devices']} devices, there are "
            f"{accelerator.num_processes}; use as many"
        )
    accelerator.load_state(str(newest))
    shadow = torch.load(newest / f"ema-{accelerator.process_index}.pt", weights_only=True)
    ema.load_state_dict(shadow)
    ema.to(accelerator.device)
    return int(progress["step"])
