"""Random weights that make a tiny model answer differently to different inputs."""

from typing import Any


def spread(model: Any, gain: float = 1.0) -> Any:
    """The model with weights of the variance that keeps a signal's size from layer to layer: fresh
    ones are so small that all answers are alike."""
    import torch

    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim > 1 and "norm" not in name:
                fan_in = weights[0].numel()
                weights.normal_(0, gain * fan_in**-0.5)
    return model
