"""Caches: what one denoising step has computed, taken over by the next ones.

They are diffusers' own hooks, put on an editor for one sampling and taken off after it. So no edit
sees the state of another, and without a cache the editor runs no line more than ever. Every cache
changes the result; how much is measured by `infra/bench/gpu.py`.

- first_block: where the first block changes its tokens about as at the step computed last, all
  other blocks, the control branch's among them, are skipped and what they added then is added
  again. Decided for the whole batch at once, so a row may depend on the rows beside it.
- taylorseer: every fifth step is computed, after three at the start; between them each block's
  attention and feed-forward are extrapolated, the control branch's too. Keeps two of each: 7 GB for
  a 2B expert at 33×336×592, 18 GB for a 5B one.
- taylorseer_lite: the same steps; only the output layer's result is extrapolated, and all blocks
  rest. Faster, next to no memory, and further from the exact result. For DDIM alone: DPM++ draws
  noise at every step, which this one would not see.
- faster: in the later steps every second attention of the main blocks is extrapolated, and four of
  five unguided predictions are estimated from the guided one.
- pyramid: in the middle steps every second attention, the control branch's too, is the one before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

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

from catalog.errors import EditmillError
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.schedule import Solver

Cache = Literal["none", "first_block", "taylorseer", "taylorseer_lite", "faster", "pyramid"]
CACHES: tuple[Cache, ...] = get_args(Cache)

WITHIN_BLOCKS: frozenset[Cache] = frozenset({"taylorseer", "faster", "pyramid"})
"""Caches whose hooks sit inside the blocks: compiled, a block would be compiled again each time
they count, so their editors are not compiled."""

THRESHOLD = 0.1
"""Relative change of what the first block adds, below which first_block skips the others: up to 0.2
"works well", and 0.1 is three times faster on HunyuanVideo (diffusers, pull request 11180)."""

BLOCK = r"(transformer_blocks|control\.blocks)\.\d+"
"""A block's name in the editor."""

SPLIT = ("hidden_states", "encoder_hidden_states", "timestep", "control", "negative_hidden_states")
"""The editor's inputs that hold the unguided and the guided rows."""

# It calls itself experimental each time it is put on, which is at every window of every edit.
logging.getLogger("diffusers.hooks.faster_cache").setLevel(logging.ERROR)


class Clock:
    """Tells the hooks the timestep, 999 … 0, that is being computed."""

    timestep: int = 999


def cache_named(name: str) -> Cache:
    """The name, if it is a cache's; else EditmillError naming the known ones."""
    for known in CACHES:
        if name == known:
            return known
    raise EditmillError(f"cache {name!r} is not known; use one of: {', '.join(CACHES)}")


def check(cache: Cache, solver: Solver) -> None:
    """Raises EditmillError for a cache that would spoil what the solver makes."""
    if cache == "taylorseer_lite" and solver != "ddim":
        raise EditmillError(
            f"cache taylorseer_lite goes with solver ddim, not with {solver}, which draws noise at "
            "every step; use taylorseer"
        )


@contextmanager
def caching(editor: VideoEditor, cache: Cache, guided: bool) -> Iterator[Clock]:
    """Within it the editor computes the steps of one sampling with `cache`.

    `guided`: whether a batch holds the unguided rows, then the guided ones. The clock must be set
    before each step.
    """
    clock = Clock()
    config = _config(cache, guided, clock, editor.dtype)
    if config is None:
        yield clock
        return
    editor.enable_cache(config)
    try:
        if cache == "first_block":
            _rest_with_the_main_blocks(editor)
        yield clock
    finally:
        editor.disable_cache()


def _config(cache: Cache, guided: bool, clock: Clock, dtype: torch.dtype) -> Any:
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
            current_timestep_callback=lambda: clock.timestep,
            _unconditional_conditional_input_kwargs_identifiers=list(SPLIT),
        )
    if cache == "pyramid":  # the same guide's
        return PyramidAttentionBroadcastConfig(
            spatial_attention_block_skip_range=2,
            spatial_attention_timestep_skip_range=(100, 800),
            current_timestep_callback=lambda: clock.timestep,
        )
    return None


def _rest_with_the_main_blocks(editor: VideoEditor) -> None:
    """Skip the control branch's blocks when the main blocks are skipped.

    diffusers finds only the main ones. The branch's first block serves the first main block, which
    is always computed; the others run after it and are asked for by skipped blocks alone.
    """
    if editor.control is None:
        return
    leader = HookRegistry.check_if_exists_or_initialize(editor.transformer_blocks[0])
    state = leader.get_hook(_FBC_LEADER_BLOCK_HOOK).state_manager
    for block in editor.control.blocks[1:]:
        registry = HookRegistry.check_if_exists_or_initialize(block)
        registry.register_hook(FBCBlockHook(state), _FBC_BLOCK_HOOK)
