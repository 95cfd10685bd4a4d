"""CogVideoX's transformer block, of the main branch and of the control branch."""

from __future__ import annotations

from typing import Any

from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from torch import Tensor, nn

from experts.diffusion.layers.positions import Rotary


class ControlledBlock(CogVideoXBlock):
    """A block of the main branch, whose video tokens get a control residual.

    It is added within the block, not between blocks, so that diffusers' cache hooks, which wrap a
    block's forward, reuse or skip both together.
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
    """A block of the control branch: ends in a zero-initialized linear layer."""

    def __init__(self, dim: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(dim, *args, **kwargs)
        self.out = nn.Linear(dim, dim)
        self.zero_init()

    def zero_init(self) -> None:
        """Make the block's output zero, as before training."""
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
        """As CogVideoXBlock's, the video tokens [B, N, D] after the zero-initialized layer."""
        video, text = super().forward(
            hidden_states, encoder_hidden_states, temb, image_rotary_emb, attention_kwargs
        )
        return self.out(video), text


# diffusers' caches look up the order of each block class's outputs.
for _block in (ControlledBlock, ControlBlock):
    TransformerBlockRegistry.register(
        model_class=_block,
        metadata=TransformerBlockMetadata(
            return_hidden_states_index=0, return_encoder_hidden_states_index=1
        ),
    )
