"""The control branch: a few blocks that see the condition and steer the main blocks.

Señorita-2M's released editor: six blocks take what the main branch takes, plus the condition's
latents through a zero-initialised patch embedding; each block ends in a zero-initialised linear
layer whose output is added to the video tokens of the main blocks it serves and feeds the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from torch import Tensor, nn

from experts.diffusion.layers.blocks import ControlBlock
from experts.diffusion.layers.positions import Rotary, patches

LAYERS = 6
"""Blocks of the released branch; of 42 main blocks each serves 7 (CogVideoX-2B: 5 of 30)."""

Run = Callable[..., tuple[Tensor, Tensor]]
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
        self.silence()

    def silence(self) -> None:
        """Make the branch's output zero and the condition unseen, as before training."""
        nn.init.zeros_(self.control_proj.weight)
        if self.control_proj.bias is not None:
            nn.init.zeros_(self.control_proj.bias)
        for block in self.blocks:
            cast(ControlBlock, block).silence()

    def start_from(self, proj: nn.Conv2d, blocks: nn.ModuleList) -> None:
        """Begin as a copy of the main branch's patch embedding and first blocks, silent."""
        own = self.main_proj.weight
        nn.init.zeros_(own)  # channels the base does not have
        own.data[:, : proj.weight.shape[1]].copy_(proj.weight)
        if self.main_proj.bias is not None and proj.bias is not None:
            self.main_proj.bias.data.copy_(proj.bias)
        for mine, theirs in zip(self.blocks, blocks, strict=False):
            mine.load_state_dict(theirs.state_dict(), strict=False)
        self.silence()

    def forward(
        self,
        latents: Tensor,
        control: Tensor,
        text: Tensor,
        places: Tensor | None,
        temb: Tensor,
        image_rotary_emb: Rotary | None,
        run: Run,
    ) -> Iterator[Tensor]:
        """One [B, N, D] per block of the branch, computed when it is asked for.

        `latents` [B, T, main channels, H, W], `control` [B, T, control channels, H, W], `text`
        tokens [B, L, D], `places` the positional table of the video tokens [1, N, D] or None.
        """
        video = patches(self.main_proj, latents) + patches(self.control_proj, control)
        if places is not None:
            video = video + places.to(video.dtype)
        for block in self.blocks:
            video, text = run(block, video, text, temb, image_rotary_emb, None)
            yield video
