"""Caches: denoising steps that reuse what earlier steps computed.

They are diffusers' hooks, added to a model for one sampling and removed after it, so that no edit
depends on another and a model without a cache runs unchanged. Every cache changes the result;
`infra/bench/cogvideox/run.py` measures by how much.

- first_block: where the first block's residual is close to that of the last computed step, all
  other blocks, those of the control branch included, are skipped and their residual of that step is
  added again. Decided for the whole batch at once, so a row may depend on the others.
- taylorseer: the first three steps and every fifth one are computed; in between, the attention and
  feed-forward outputs of each block, the control branch's too, are extrapolated. Keeps two of each:
  7 GB for a 2B expert at 33×336×592, 18 GB for a 5B one.
- taylorseer_lite: the same steps, but only the output layer's result is extrapolated and all blocks
  are skipped. Faster, with next to no memory, and further from the exact result. For DDIM alone:
  DPM++ draws noise at every step, which the extrapolation does not see.
- faster: in the later steps every second attention of the main blocks is extrapolated, and four of
  five unguided predictions are estimated from the guided one.
- pyramid: in the middle steps every second attention, the control branch's too, repeats the last
  one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.hooks import (
    FasterCacheConfig,
    FirstBlockCacheConfig,
    HookRegistry,
    PyramidAttentionBroadcastConfig,
    TaylorSeerCacheConfig,
)
from diffusers.hooks.first_block_cache import (
    _FBC_BLOCK_HOOK,
    _FBC_LEADER_BLOCK_HOOK,
    FBCBlockHook,
)

from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.options import Cache

WITHIN_BLOCKS: frozenset[Cache] = frozenset({"taylorseer", "faster", "pyramid"})
"""Caches whose hooks are inside the blocks. Their counters would make torch.compile recompile a
block at each step, so with these the blocks are not compiled."""

THRESHOLD = 0.1
"""Relative change of the first block's residual below which the other blocks are skipped: up to 0.2
"works well", and 0.1 is three times faster on HunyuanVideo (diffusers, pull request 11180)."""

BLOCK = r"(transformer_blocks|control\.blocks)\.\d+"
"""A block's name in the editor."""

SPLIT = ("hidden_states", "encoder_hidden_states", "timestep", "control", "negative_hidden_states")
"""The editor's inputs that hold the unguided and the guided rows."""

# It warns that it is experimental each time it is enabled: for every window of every edit.
logging.getLogger("diffusers.hooks.faster_cache").setLevel(logging.ERROR)


class CurrentTimestep:
    """The timestep being computed, 999 … 0, for the hooks that depend on it."""

    timestep: int = 999


@contextmanager
def caching(editor: VideoEditor, cache: Cache, guided: bool) -> Iterator[CurrentTimestep]:
    """Within it the model computes the steps of one sampling with `cache`.

    `guided`: whether a batch holds the unguided rows, then the guided ones. The timestep must be
    set before each step.
    """
    current = CurrentTimestep()
    config = _config(cache, guided, current, editor.dtype)
    if config is None:
        yield current
        return
    editor.enable_cache(config)
    try:
        if cache == "first_block":
            _skip_control_blocks(editor)
        yield current
    finally:
        # What the hooks kept is let go of here: they refer to each other, and until Python looks
        # for such circles GPU memory would stay taken, 18 GB of it for a 5B expert.
        HookRegistry.check_if_exists_or_initialize(editor).reset_stateful_hooks()
        editor.disable_cache()


def _config(cache: Cache, guided: bool, current: CurrentTimestep, dtype: torch.dtype) -> Any:
    if cache == "first_block":
        return FirstBlockCacheConfig(threshold=THRESHOLD)
    if cache in ("taylorseer", "taylorseer_lite"):
        # diffusers' intervals and order. Its own patterns match no layer of CogVideoX (attention)
        # or leave the control branch out (lite).
        lite = cache == "taylorseer_lite"
        return TaylorSeerCacheConfig(
            cache_interval=5,
            disable_cache_before_step=3,
            max_order=1,
            taylor_factors_dtype=torch.float32 if lite else dtype,
            cache_identifiers=["proj_out"] if lite else [rf"{BLOCK}\.(attn1|ff)"],
            skip_predict_identifiers=[BLOCK] if lite else None,
        )
    if cache == "faster":  # diffusers' figures for CogVideoX-5b, in its guide to caching
        return FasterCacheConfig(
            spatial_attention_block_skip_range=2,
            spatial_attention_timestep_skip_range=(-1, 681),
            unconditional_batch_skip_range=5,
            unconditional_batch_timestep_skip_range=(-1, 781),
            attention_weight_callback=lambda _: 0.3,
            tensor_format="BFCHW",
            is_guidance_distilled=not guided,
            current_timestep_callback=lambda: current.timestep,
            _unconditional_conditional_input_kwargs_identifiers=list(SPLIT),
        )
    if cache == "pyramid":  # the same guide's
        return PyramidAttentionBroadcastConfig(
            spatial_attention_block_skip_range=2,
            spatial_attention_timestep_skip_range=(100, 800),
            current_timestep_callback=lambda: current.timestep,
        )
    return None


def _skip_control_blocks(editor: VideoEditor) -> None:
    """Skip the control branch's blocks when the main blocks are skipped.

    diffusers finds only the main ones. The branch's first block controls the first main block,
    which is always computed; the others run after it, for main blocks that may be skipped.
    """
    if editor.control is None:
        return
    leader = HookRegistry.check_if_exists_or_initialize(editor.transformer_blocks[0])
    state = leader.get_hook(_FBC_LEADER_BLOCK_HOOK).state_manager
    for block in editor.control.blocks[1:]:
        registry = HookRegistry.check_if_exists_or_initialize(block)
        registry.register_hook(FBCBlockHook(state), _FBC_BLOCK_HOOK)
