"""An Accelerator for a recipe; sharding over GPUs is its FSDP plugin's."""

from __future__ import annotations

from typing import Any

from accelerate import Accelerator, FullyShardedDataParallelPlugin
from accelerate.state import AcceleratorState
from accelerate.utils import GradientAccumulationPlugin

from experts.diffusion.layers.blocks import ControlBlock
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.training.recipe import TrainingRecipe


class StepAtOnce(GradientAccumulationPlugin):
    """No accumulation by accelerate: the loop adds up a step's gradients itself.

    To find what differs from its defaults, accelerate's own plugin empties the environment of the
    process for a moment. A library's thread that reads a variable then, as those of Ray and of
    object stores do, crashes the process or finds nothing.
    """

    def __init__(self) -> None:
        super().__init__(num_steps=1)

    def to_kwargs(self) -> dict[str, Any]:
        return {"num_steps": self.num_steps}


def accelerator_for(recipe: TrainingRecipe) -> Accelerator:
    """The process's accelerator: its device, precision, and sharding if the recipe asks for it.

    Several GPUs are several processes, started by `accelerate launch` or `torchrun`.
    """
    plugin = None
    if recipe.fsdp is not None:
        # The plugin refuses a class that the model has not.
        absent = set() if recipe.spec.control else {ControlBlock.__name__}
        plugin = FullyShardedDataParallelPlugin(
            fsdp_version=2,
            reshard_after_forward=recipe.fsdp.strategy == "FULL_SHARD",
            auto_wrap_policy="transformer_based_wrap",
            transformer_cls_names_to_wrap=[
                name for name in VideoEditor._no_split_modules if name not in absent
            ],
            state_dict_type="SHARDED_STATE_DICT",
            cpu_offload=recipe.fsdp.cpu_offload,
        )
    # accelerate keeps one state per process, and would refuse a second training of another
    # precision or sharding; the process group itself stays.
    AcceleratorState._reset_state()
    return Accelerator(
        mixed_precision="bf16" if recipe.precision == "bf16" else "no",
        fsdp_plugin=plugin,
        gradient_accumulation_plugin=StepAtOnce(),
    )
