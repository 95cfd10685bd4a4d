"""An untrained expert around its base."""

from __future__ import annotations

from diffusers import CogVideoXTransformer3DModel

from catalog.errors import EditmillError
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.model.freezing import freeze
from experts.diffusion.specs import BASE_CHANNELS, ExpertSpec


def build(spec: ExpertSpec, base: CogVideoXTransformer3DModel) -> VideoEditor:
    """The expert before training, frozen as its spec says; it shares the base's parameters.

    Raises EditmillError if the base is another checkpoint than the spec's.
    """
    channels, wanted = base.config.in_channels, BASE_CHANNELS[spec.base]
    if channels != wanted:
        raise EditmillError(
            f"{spec.name} is built on {spec.base} with {wanted} input channels, this base has "
            f"{channels}; name a checkpoint of {spec.base}"
        )
    if spec.control and spec.control_layers > base.config.num_layers:
        raise EditmillError(
            f"{spec.name} has {spec.control_layers} control blocks for the base's "
            f"{base.config.num_layers} blocks; lower control_layers"
        )
    editor = VideoEditor.from_base(
        base,
        extra_channels=spec.extra_channels,
        control_channels=spec.control_channels,
        control_layers=spec.control_layers if spec.control else 0,
        negative_prompt=spec.negative_channels,
        lora_rank=spec.lora_rank,
    )
    freeze(editor, spec)
    return editor
