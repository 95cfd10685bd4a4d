"""The control branch: a few blocks that add residuals to the main blocks' video tokens.

Señorita-2M's released editor: six blocks take the main branch's input, plus the condition's latents
through a zero-initialized patch embedding. Each ends in a zero-initialized linear layer, whose
output is added to the video tokens of its share of the main blocks and is the next one's input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from torch import Tensor, nn

from experts.diffusion.layers.blocks import ControlBlock
from experts.diffusion.layers.positions import Rotary, patches

RunBlock = Callable[..., tuple[Tensor, Tensor]]
"""Calls a block, perhaps under gradient checkpointing."""


class ControlBranch(nn.Module):
    """`layers` blocks over the main branch's latents and the condition's.

    `main_channels` and `control_channels` are latent channels; `block` holds the arguments of
    CogVideoXBlock, which the branch shares with the main blocks.
    """

    def __init__(
        self,
        main_channels: int,
        control_channels: int,
        layers: int,
        patch_size: int,
        patch_bias: bool,
        block: dict[str, Any],
    ) -> None:
        super().__init__()
        size: dict[str, Any] = {"kernel_size": patch_size, "stride": patch_size}
        self.main_proj = nn.Conv2d(main_channels, block["dim"], bias=patch_bias, **size)
        self.control_proj = nn.Conv2d(control_channels, block["dim"], **size)
        self.blocks = nn.ModuleList(ControlBlock(**block) for _ in range(layers))
        self.zero_init()

    def zero_init(self) -> None:
        """Make the branch's output and the condition's embedding zero, as before training."""
        nn.init.zeros_(self.control_proj.weight)
        if self.control_proj.bias is not None:
            nn.init.zeros_(self.control_proj.bias)
        for block in self.blocks:
            cast(ControlBlock, block).zero_init()

    def init_from_base(self, proj: nn.Conv2d, blocks: nn.ModuleList) -> None:
        """Copy the main branch's patch embedding and first blocks; the output stays zero."""
        own = self.main_proj.weight
        nn.init.zeros_(own)  # channels that the base does not have
        own.data[:, : proj.weight.shape[1]].copy_(proj.weight)
        if self.main_proj.bias is not None and proj.bias is not None:
            self.main_proj.bias.data.copy_(proj.bias)
        for block, main in zip(self.blocks, blocks, strict=False):
            block.load_state_dict(main.state_dict(), strict=False)
        self.zero_init()

    def forward(
        self,
        latents: Tensor,
        control: Tensor,
        text: Tensor,
        positions: Tensor | None,
        temb: Tensor,
        image_rotary_emb: Rotary | None,
        run: RunBlock,
    ) -> Iterator[Tensor]:
        """The residual [B, N, D] of each block of the branch, computed on demand.

        `latents` [B, T, main channels, H, W], `control` [B, T, control channels, H, W], `text`
        tokens [B, L, D], `positions` the positional table of the video tokens [1, N, D] or None.
        """
        video = patches(self.main_proj, latents) + patches(self.control_proj, control)
        if positions is not None:
            video = video + positions.to(video.dtype)
        for block in self.blocks:
            video, text = run(block, video, text, temb, image_rotary_emb, None)
            yield video
