"""Which vision-language model an ability asks: one on a server, or one in this process."""

from __future__ import annotations

from catalog.errors import EditmillError
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO
from experts.write.chat.vision.question import VisionChat


def vision_model(
    slot: str,
    provider_name: str,
    *,
    server: str,
    model: str,
    api_key_variable: str,
    checkpoint: str,
    device: str = AUTO,
    dtype: Dtype = AUTO,
    batch: int,
    max_frames: int,
    max_pixels: int,
) -> VisionChat:
    """`model` of the OpenAI-compatible `server`, or else a checkpoint opened in this process (the
    registry's for the provider where `checkpoint` is empty); not loaded yet.

    Raises EditmillError where both are named.
    """
    if server and checkpoint:
        raise EditmillError(
            f"models.{slot}: {provider_name} has both `server` and `checkpoint`; give the one that "
            "answers"
        )
    if server:
        from experts.write.chat.vision.openai_vision import OpenAIVisionChat

        return OpenAIVisionChat(
            base_url=server,
            model=model,
            api_key_variable=api_key_variable,
            max_frames=max_frames,
            max_pixels=max_pixels,
        )
    from experts.write.chat.vision.transformers_vision import TransformersVisionChat

    return TransformersVisionChat(
        slot=slot,
        provider_name=provider_name,
        checkpoint=checkpoint,
        device=device,
        dtype=dtype,
        batch=batch,
    )
