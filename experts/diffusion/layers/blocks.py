"""CogVideoX's transformer block, twice: one that takes control in, and one that gives it out."""

from __future__ import annotations

from typing import Any

from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from torch import Tensor, nn

from experts.diffusion.layers.positions import Rotary


class ControlledBlock(CogVideoXBlock):
    """A main block; control is added to its video tokens.

    It is added in here rather than between blocks, so that diffusers' cache hooks, which replace a
    block's forward, keep or skip both together.
    """

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        temb: Tensor,
        image_rotary_emb: Rotary | None = None,
        attention_kwargs: dict[str, Any] | None = None,
        control: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Video tokens [B, N, D] and text tokens [B, L, D], each after the block.

        `temb` [B, time width]; `control` [B, N, D] or None.
        """
        video, text = super().forward(
            hidden_states, encoder_hidden_states, temb, image_rotary_emb, attention_kwargs
        )
        return (video if control is None else video + control), text


class ControlBlock(CogVideoXBlock):
    """A block of the control branch: ends in a linear layer that starts at zero."""

    def __init__(self, dim: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(dim, *args, **kwargs)
        self.out = nn.Linear(dim, dim)
        self.silence()

    def silence(self) -> None:
        """Make the block's output zero, as it is before training."""
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        temb: Tensor,
        image_rotary_emb: Rotary | None = None,
        attention_kwargs: dict[str, Any] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As CogVideoXBlock's; the video tokens [B, N, D] went through the last linear layer."""
        video, text = super().forward(
            hidden_states, encoder_hidden_states, temb, image_rotary_emb, attention_kwargs
        )
        return self.out(video), text


# diffusers' caches ask for each block class which of its outputs is which.
for _block in (ControlledBlock, ControlBlock):
    TransformerBlockRegistry.register(
        model_class=_block,
        metadata=TransformerBlockMetadata(
            return_hidden_states_index=0, return_encoder_hidden_states_index=1
        ),
    )
