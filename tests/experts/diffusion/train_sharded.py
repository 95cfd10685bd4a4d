"""Run by two processes: a part of a training, sharded. Prints its losses as JSON.

torchrun --nproc-per-node 2 -m tests.experts.diffusion.train_sharded EXAMPLES OUT STEPS
"""

import json
import sys
from dataclasses import replace
from typing import Any

from accelerate.state import PartialState
from accelerate.utils import DistributedType

from experts.diffusion.model.build import build
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.specs import EXPERTS
from experts.diffusion.training.data.examples import Examples
from experts.diffusion.training.loop import StepMetrics, train
from experts.diffusion.training.recipe import TrainingRecipe
from tests.experts.diffusion.conftest import tiny_base

RECIPE: dict[str, Any] = {
    "expert": "inpainter",
    "stages": [
        {
            "height": 16,
            "width": 32,
            "frames": 5,
            "steps": 4,
            "batch_size": 4,
            "per_device_batch_size": 1,
            "learning_rate": 1e-3,
            "lr_warmup_steps": 0,
        }
    ],
    "examples": {"per_clip": 2, "stride": 1},
    "precision": "fp32",
    "dataloader_workers": 0,
}


def expert() -> VideoEditor:
    return build(replace(EXPERTS["inpainter"], control_layers=2), tiny_base("5B-I2V", num_layers=2))


def main(examples: str, out: str, stop_after: str) -> None:
    # accelerate shards over GPUs alone; its code runs over processors all the same.
    PartialState(cpu=True)
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    recipe = TrainingRecipe.model_validate(RECIPE | {"fsdp": {}})
    losses: list[float] = []

    def note(step: StepMetrics) -> None:
        losses.append(step.loss)

    editor = expert()
    data = Examples(examples, recipe.expert)
    train(recipe, editor, scheduler(recipe.spec.base), data, out, note, stop_after=int(stop_after))
    kinds = {type(parameter).__name__ for parameter in editor.parameters()}
    if PartialState().is_main_process:
        print(json.dumps({"losses": losses, "parameters": sorted(kinds)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
