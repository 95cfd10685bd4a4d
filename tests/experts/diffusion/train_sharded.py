"""A training sharded over two processes, in parts: each goes on where the one before it ended.

python -m tests.experts.diffusion.train_sharded EXAMPLES OUT STEPS…

trains up to each of STEPS, by two new processes each time, and prints their losses as JSON. They
are forked from this one, which trains nothing: to import what they need takes longer than to train.
"""

import json
import multiprocessing
import os
import socket
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

PROCESSES = 2

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


def part(rank: int, port: int, examples: str, out: str, stop_after: int) -> None:
    """One of the two processes that train up to a step."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": PROCESSES, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    # accelerate shards over GPUs alone; its code runs over processors all the same.
    PartialState(cpu=True)
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    recipe = TrainingRecipe.model_validate(RECIPE | {"fsdp": {}})
    losses: list[float] = []

    def note(step: StepMetrics) -> None:
        losses.append(step.loss)

    editor = expert()
    data = Examples(examples, recipe.expert)
    train(recipe, editor, scheduler(recipe.spec.base), data, out, note, stop_after=stop_after)
    kinds = {type(parameter).__name__ for parameter in editor.parameters()}
    if PartialState().is_main_process:
        print(json.dumps({"losses": losses, "parameters": sorted(kinds)}), flush=True)


def main(examples: str, out: str, *parts: str) -> None:
    forked = multiprocessing.get_context("fork")
    for steps in parts:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        asked = (port, examples, out, int(steps))
        ranks = [forked.Process(target=part, args=(rank, *asked)) for rank in range(PROCESSES)]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join()
        if any(rank.exitcode for rank in ranks):
            sys.exit(f"up to step {steps}: {[rank.exitcode for rank in ranks]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
