"""Figures the papers print, to stand beside one's own. What compares: docs/evaluate.md."""

from __future__ import annotations

SENORITA = "Señorita-2M's expert"
PROPAINTER = "ProPainter (Señorita-2M's table)"
VIVID = "VIVID"

PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    # An edit of whatever kind: Señorita-2M's trained editor, on DAVIS with made-up prompts.
    "": {
        "ewarp": {"Señorita-2M's editor": 9.42},
        "clip_score": {"Señorita-2M's editor": 0.2895},
        "temporal_consistency": {"Señorita-2M's editor": 0.9775},
    },
    "global_style_transfer": {
        "ewarp": {SENORITA: 9.02},
        "clip_score": {SENORITA: 0.3145},
        "temporal_consistency": {SENORITA: 0.9781},
    },
    "local_style_transfer": {
        "ewarp": {SENORITA: 6.50},
        "clip_score": {SENORITA: 0.2944},
        "temporal_consistency": {SENORITA: 0.9828},
        "psnr": {SENORITA: 28.29},
        "ssim": {SENORITA: 0.9843},
        "lpips": {SENORITA: 0.0346},
        "mse": {SENORITA: 108.25},
    },
    "object_swap": {
        "ewarp": {SENORITA: 12.06},
        "clip_score": {SENORITA: 0.3186},
        "temporal_consistency": {SENORITA: 0.9782},
        "psnr": {SENORITA: 25.59},
        "ssim": {SENORITA: 0.9620},
        "lpips": {SENORITA: 0.04},
        "mse": {SENORITA: 265.15},
        "bp": {VIVID: 14.84},
        "ta": {VIVID: 23.56},
        "tc": {VIVID: 96.14},
    },
    "object_addition": {
        "bp": {VIVID: 18.17},
        "ta": {VIVID: 21.45},
        "tc": {VIVID: 96.34},
    },
    "object_removal": {
        "ewarp": {SENORITA: 4.21, PROPAINTER: 4.93},
        "temporal_consistency": {SENORITA: 0.9864, PROPAINTER: 0.9862},
        "psnr": {SENORITA: 29.16, PROPAINTER: 36.87},
        "ssim": {SENORITA: 0.9863, PROPAINTER: 0.9978},
        "lpips": {SENORITA: 0.031, PROPAINTER: 0.0081},
        "mse": {SENORITA: 89.62, PROPAINTER: 16.37},
        "bp": {VIVID: 18.41, "ProPainter (VIVID's table)": 13.86},
        "tc": {VIVID: 98.78, "ProPainter (VIVID's table)": 98.97},
    },
}
"""Per task and metric, whose figure it is and what: Señorita-2M, Tab. 5–8 and its main comparison;
VIVID-10M, Tab. 3 (its "modify" beside object swap)."""

TARGET_METRICS = ("clip_score", "ta")
"""Measured on the target: where that is real footage, they say nothing of an expert."""


def beside(task: str, metric: str, *, by_clip: bool, made: str) -> dict[str, float]:
    """The published figures that may stand beside one's own; none where they would mislead.

    `by_clip`: whether a figure that needs an encoder came from a real CLIP (True for the others).
    """
    if not by_clip or (metric in TARGET_METRICS and made == "source"):
        return {}
    return PUBLISHED.get(task, {}).get(metric, {})
