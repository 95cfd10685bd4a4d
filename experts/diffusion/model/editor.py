"""The editing model: CogVideoX with more input channels, a control branch, a negative prompt.

Every addition is a layer of its own, zero-initialized, whose output is *added* to the base's
activations. Widening the base's layers instead would change the order of summation in a matrix
product, and with it the last bit of the untrained editor's output.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from accelerate import init_empty_weights
from diffusers import CogVideoXTransformer3DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from torch import Tensor, nn

from experts.diffusion.layers.blocks import ControlledBlock
from experts.diffusion.layers.control import ControlBranch
from experts.diffusion.layers.lora import add_lora
from experts.diffusion.layers.positions import PatchEmbed, Rotary, patches, rotary


class VideoEditor(CogVideoXTransformer3DModel):
    """CogVideoXTransformer3DModel, whose parameters keep their names, with inputs for editing.

    extra_channels: of the main input, beyond the base's own; 0 for none.
    control_channels, control_layers: of the control branch; 0 channels for no branch.
    negative_prompt: whether the text tokens get a negative prompt's embedding through a
        zero-initialized layer (Señorita-2M's inpainter).
    lora_rank: of LoRA layers on the base's attention; 0 for none.
    The rest are the base's arguments.
    """

    _no_split_modules: ClassVar[list[str]] = ["ControlledBlock", "ControlBlock", "PatchEmbed"]
    _repeated_blocks: ClassVar[list[str]] = ["ControlledBlock", "ControlBlock"]
    ignore_for_config: ClassVar[list[str]] = [
        "base"
    ]  # its keys are in the configuration one by one

    @register_to_config
    def __init__(
        self,
        extra_channels: int = 0,
        control_channels: int = 0,
        control_layers: int = 0,
        negative_prompt: bool = False,
        lora_rank: int = 0,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        config = self.config
        width = config.num_attention_heads * config.attention_head_dim
        block: dict[str, Any] = {
            "dim": width,
            "num_attention_heads": config.num_attention_heads,
            "attention_head_dim": config.attention_head_dim,
            "time_embed_dim": config.time_embed_dim,
            "dropout": config.dropout,
            "activation_fn": config.activation_fn,
            "attention_bias": config.attention_bias,
            "norm_elementwise_affine": config.norm_elementwise_affine,
            "norm_eps": config.norm_eps,
        }
        # The same layers, in classes with a control residual and positions at every size.
        for one in self.transformer_blocks:
            one.__class__ = ControlledBlock
        self.patch_embed.__class__ = PatchEmbed
        self.extra_proj: nn.Conv2d | None = None
        self.control: ControlBranch | None = None
        self.negative_proj: nn.Linear | None = None
        patch = config.patch_size
        if extra_channels:
            self.extra_proj = nn.Conv2d(extra_channels, width, patch, patch, bias=False)
        if control_channels:
            main = config.in_channels + extra_channels
            bias = config.patch_bias
            self.control = ControlBranch(main, control_channels, control_layers, patch, bias, block)
        if negative_prompt:
            self.negative_proj = nn.Linear(config.text_embed_dim, width, bias=False)
        self._zero_init()
        if lora_rank:
            add_lora(self, lora_rank)

    @staticmethod
    def _get_init_keys(input_class: type) -> set[str]:
        # diffusers reads the configuration's keys off the signature, where the base's are `**base`.
        own = set(inspect.signature(input_class.__init__).parameters) - {"base"}  # type: ignore[misc]
        return own | set(inspect.signature(CogVideoXTransformer3DModel.__init__).parameters)

    @classmethod
    def from_base(
        cls,
        base: CogVideoXTransformer3DModel,
        *,
        extra_channels: int = 0,
        control_channels: int = 0,
        control_layers: int = 0,
        negative_prompt: bool = False,
        lora_rank: int = 0,
    ) -> VideoEditor:
        """An untrained editor on `base`, whose output is the base's, bit for bit.

        It shares the base's parameters; its control branch is initialized as a copy of the first
        blocks.
        """
        with init_empty_weights(include_buffers=False):
            editor = cls(
                extra_channels=extra_channels,
                control_channels=control_channels,
                control_layers=control_layers,
                negative_prompt=negative_prompt,
                **{k: v for k, v in base.config.items() if not k.startswith("_")},
            )
        editor.load_state_dict(base.state_dict(), strict=False, assign=True)
        for module in editor.added_modules().values():
            module.to_empty(device=base.device).to(base.dtype)
        editor._zero_init()
        if editor.control is not None:
            editor.control.init_from_base(editor.patch_embed.proj, editor.transformer_blocks)
        if lora_rank:  # after loading the base's weights: it renames the layers it wraps
            add_lora(editor, lora_rank)
            editor.register_to_config(lora_rank=lora_rank)
        return editor.to(base.device).train(base.training)  # positional tables are made on the CPU

    def added_modules(self) -> dict[str, nn.Module]:
        """The modules the base does not have, by attribute name."""
        parts = {
            "extra_proj": self.extra_proj,
            "control": self.control,
            "negative_proj": self.negative_proj,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def compile_blocks(self, **how: Any) -> None:
        """Compile the blocks; `how` goes to torch.compile.

        Only their forward is compiled, beneath the hooks of a cache. diffusers'
        `compile_repeated_blocks` compiles the hooks, too, and again whenever they are added.
        """
        for block in self.modules():
            if type(block).__name__ in self._repeated_blocks:
                block.forward = torch.compile(block.forward, **how)

    def adapter_parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters of an editor with LoRA layers, by name: those, and the patch
        embedding, which has more channels than the base's. Empty for an editor without LoRA."""
        if not self.config.lora_rank:
            return {}
        patch = ("patch_embed.proj.", "extra_proj.")
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if ".lora_" in name or name.startswith(patch)
        }

    def _zero_init(self) -> None:
        for layer in (self.extra_proj, self.negative_proj):
            if layer is not None:
                nn.init.zeros_(layer.weight)
        if self.control is not None:
            self.control.zero_init()

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        timestep: Tensor,
        control: Tensor | None = None,
        negative_hidden_states: Tensor | None = None,
        timestep_cond: Tensor | None = None,
        ofs: Tensor | None = None,
        image_rotary_emb: Rotary | None = None,
        attention_kwargs: dict[str, Any] | None = None,
        return_dict: bool = True,
    ) -> tuple[Tensor] | Transformer2DModelOutput:
        """The prediction (v) for noisy latents: [B, T, out channels, H, W].

        hidden_states: [B, T, base + extra channels, H, W], the base's channels first; without
            the extra ones only the base is computed.
        encoder_hidden_states: the prompt's embedding [B, L, text width].
        timestep: [B], 0 … 999.
        control: the branch's condition [B, T, control channels, H, W]; None for none.
        negative_hidden_states: the negative prompt's embedding [B, L, text width] or None.
        image_rotary_emb: computed if the model needs it and it is None.
        `timestep_cond`, `ofs` and `attention_kwargs` are the base's; no expert uses them.
        """
        batch, frames, _, height, width = hidden_states.shape
        main = hidden_states[:, :, : self.config.in_channels]
        temb = self.time_embedding(self.time_proj(timestep).to(main.dtype), timestep_cond)
        grid = self.patch_embed.grid(main)
        if image_rotary_emb is None and self.config.use_rotary_positional_embeddings:
            trained = self.patch_embed.trained[1:]
            image_rotary_emb = rotary(
                grid, trained, self.config.attention_head_dim, hidden_states.device
            )

        tokens = self.embedding_dropout(self.patch_embed(encoder_hidden_states, main))
        length = encoder_hidden_states.shape[1]
        text, video = tokens[:, :length], tokens[:, length:]
        if self.extra_proj is not None and hidden_states.shape[2] > main.shape[2]:
            extra = hidden_states[:, :, self.config.in_channels :]
            video = video + patches(self.extra_proj, extra)
        if self.negative_proj is not None and negative_hidden_states is not None:
            text = text + self.negative_proj(negative_hidden_states)

        residuals: Iterator[Tensor] = iter(())
        control_blocks = 0
        if self.control is not None and control is not None:
            table = self.patch_embed.table(grid, hidden_states.device)
            positions = None if table is None else table[:, length:]
            control_blocks = len(self.control.blocks)
            residuals = self.control(
                hidden_states, control, text, positions, temb, image_rotary_emb, self._run
            )
        computed = 0
        residual: list[Tensor] = []
        for k, block in enumerate(self.transformer_blocks):
            # A control block runs just before the first main block that gets its residual: a
            # cache that decides in between can skip both.
            while control_blocks and computed <= k * control_blocks // len(self.transformer_blocks):
                residual, computed = [next(residuals)], computed + 1
            video, text = self._run(
                block, video, text, temb, image_rotary_emb, attention_kwargs, *residual
            )

        video = self.proj_out(self.norm_out(self.norm_final(video), temb=temb))
        patch = self.config.patch_size
        output = video.reshape(batch, frames, height // patch, width // patch, -1, patch, patch)
        output = output.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)
        return Transformer2DModelOutput(sample=output) if return_dict else (output,)

    def _run(self, block: nn.Module, *args: Any) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled() and self.gradient_checkpointing:
            outputs: tuple[Tensor, Tensor] = self._gradient_checkpointing_func(block, *args)
            return outputs
        names = ("hidden_states", "encoder_hidden_states", "temb", "image_rotary_emb",
                 "attention_kwargs", "control")  # fmt: skip
        # As keywords: the caches' hooks look for the first two.
        outputs = block(**dict(zip(names, args, strict=False)))
        return outputs
