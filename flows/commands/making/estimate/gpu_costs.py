"""Seconds of a GPU that the hub's models take, as measured with random weights of their sizes.

One NVIDIA H200, 27 November 2026 (infra/bench/results/gpu.md); diffusion scaled to the steps of the
model cards, which counts what does not depend on steps too often, so these are upper bounds.
"""

from __future__ import annotations

CLIP = {
    "grounding_dino": 0.3,
    "sam2_video": 7.0,
    "sam3": 48.0,  # with as many objects as it may follow
    "blip2": 0.4,
    "vlm": 10.6,  # an answer of 512 tokens
    "depth_anything": 0.9,
}
"""Of a clip of 64 frames at 540×960."""

EDIT = {
    "wan_vace": 25.0,
    "wan_vace_14b": 109.0,
    "flux2_klein": 0.2,
    "qwen_image_edit": 22.0,
    "flux_fill": 3.9,
    "controlnet_hed": 1.1,
}
"""Of an edit, or of its first frame, of 33 frames at 336×592."""

PAIR = {"open_clip": 0.12, "reward_model": 0.08}
"""Of a pair that is judged."""
