"""A trained expert as a folder that `checkpoint.open_expert` opens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import nn

from experts.diffusion.model.checkpoint import save_adapter
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.schedule import Scheduler
from experts.diffusion.training.recipe import TrainingRecipe


def export(
    accelerator: Accelerator,
    model: nn.Module,
    ema: EMAModel,
    trained: list[nn.Parameter],
    schedule: Scheduler,
    recipe: TrainingRecipe,
    folder: Path,
    steps: int,
) -> Path:
    """Write the EMA weights in the recipe's precision, with the noise schedule and `training.json`
    (the recipe and the number of steps). The model in memory keeps its own weights.
    """
    ema.store(trained)
    ema.copy_to(trained)
    weights = accelerator.get_state_dict(model)  # the parameters themselves, where none is sharded
    if accelerator.is_main_process:
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        dtype = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
        editor = accelerator.unwrap_model(model)
        if recipe.spec.lora_rank:
            save_adapter(editor, weights, part, dtype)
        else:
            expert = VideoEditor.from_config(editor.config)
            expert.load_state_dict(weights)
            if dtype != torch.float32:
                expert.to(dtype)
            expert.save_pretrained(part)
        schedule.save_pretrained(part / "scheduler")
        note = {"recipe": recipe.model_dump(mode="json"), "steps": steps}
        (part / "training.json").write_text(json.dumps(note, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    ema.restore(trained)
    accelerator.wait_for_everyone()
    return folder
