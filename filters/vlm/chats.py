"""Vision-language models that serve the judge's slot."""

from __future__ import annotations

from pydantic import NonNegativeFloat, PositiveInt

from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO
from experts.write.chat.vision.transformers_vision import TransformersVisionChat


class TransformersJudgeChat(TransformersVisionChat):
    """The checkpoint of `models.judge` in this process: see `TransformersVisionChat`.

    Four questions of two videos at a time would take several times the memory of one; `batch` is
    1 by default.
    """

    def __init__(
        self,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        temperature: NonNegativeFloat = 0.0,
        batch: PositiveInt = 1,
    ) -> None:
        super().__init__(
            slot="judge",
            provider_name="transformers",
            checkpoint=checkpoint,
            device=device,
            dtype=dtype,
            temperature=temperature,
            batch=batch,
        )
