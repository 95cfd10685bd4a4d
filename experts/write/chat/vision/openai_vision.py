"""A vision-language model behind any OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from experts.base import Frames
from experts.write.chat.served import KEY_VARIABLE, ServedModel, key_from

if TYPE_CHECKING:
    from experts.write.chat.client import ChatClient
    from experts.write.chat.vision.question import Question

Picture = NDArray[np.uint8]

JPEG_QUALITY = 90
"""Of 100: artefacts of the coding must not be taken for the edit's."""


class OpenAIVisionChat(ServedModel):
    """Questions about videos, answered by a server: see `ServedModel`.

    A video is sent as its frames, one picture after the other, each as a data URL within the
    request (`image_url`): every server that takes pictures takes these, while `video_url` is
    vLLM's alone. Of more than `max_frames` of a video, evenly spaced ones are sent, and one larger
    than `max_pixels` is scaled down; by default 16 frames of 640 x 360. A server counts pictures
    per request and refuses more: allow it `max_frames` for each video of a question
    (`infra/vllm/serve.sh`: IMAGES). `image_format` is `jpeg`, or `png`, which loses nothing and is
    several times as large. The key is read from the environment variable `api_key_variable`.

    Answers are drawn at temperature 0, with the seed.
    """

    def __init__(
        self,
        *,
        model: str = "",
        base_url: str = "http://127.0.0.1:8000/v1",
        api_key_variable: str = KEY_VARIABLE,
        max_frames: PositiveInt = 16,
        max_pixels: PositiveInt = 640 * 360,
        image_format: Literal["jpeg", "png"] = "jpeg",
        concurrency: PositiveInt = 8,
        timeout: PositiveFloat = 300.0,
        attempts: PositiveInt = 6,
        patience: NonNegativeFloat = 300.0,
        price_per_million_input: NonNegativeFloat | None = None,
        price_per_million_output: NonNegativeFloat = 0.0,
    ) -> None:
        super().__init__(
            base_url,
            model,
            api_key=key_from(api_key_variable),
            concurrency=concurrency,
            timeout=timeout,
            attempts=attempts,
            patience=patience,
            price_per_million_input=price_per_million_input,
            price_per_million_output=price_per_million_output,
        )
        self._max_frames = max_frames
        self._max_pixels = max_pixels
        self._format = image_format

    @property
    def version(self) -> str:
        """Also of how frames are sent."""
        return f"{super().version}+{self._format}{self._max_frames}x{self._max_pixels}"

    def ask(self, questions: Sequence[Question], *, seed: int, max_tokens: int) -> list[str]:
        """See `VisionChat`. An empty text where a question has no answer; raises NoCompletion where
        none has one."""
        settings = {
            "model": self.name,
            "temperature": 0.0,
            "max_tokens": max_tokens,
            "seed": seed & 0x7FFFFFFF,
        }
        return self._all(
            [partial(self._answer, settings=settings, question=q) for q in questions], nothing=""
        )

    async def _answer(
        self, client: ChatClient, settings: dict[str, Any], question: Question
    ) -> str:
        # Encoded only now, at its turn: the pictures of a few questions are in memory, not all.
        messages = await asyncio.to_thread(self._messages, question)
        return (await self._ask(client, {**settings, "messages": messages}, 1, question.schema))[0]

    def _messages(self, question: Question) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = []
        for number, video in enumerate(question.videos, 1):
            if len(question.videos) > 1:
                content.append({"type": "text", "text": f"Video {number}:"})
            content += [self._part(frame) for frame in self._sampled(video)]
        content.append({"type": "text", "text": question.text})
        system = [{"role": "system", "content": question.system}] if question.system else []
        return [*system, {"role": "user", "content": content}]

    def _sampled(self, video: Frames) -> Frames:
        if len(video) <= self._max_frames:
            return video
        return video[np.linspace(0, len(video) - 1, self._max_frames).round().astype(int)]

    def _part(self, frame: Picture) -> dict[str, Any]:
        data = base64.b64encode(_encoded(self._bounded(frame), self._format)).decode()
        url = f"data:image/{self._format};base64,{data}"
        return {"type": "image_url", "image_url": {"url": url}}

    def _bounded(self, frame: Picture) -> Picture:
        import cv2

        height, width = frame.shape[:2]
        scale = (self._max_pixels / (height * width)) ** 0.5
        if scale >= 1:
            return frame
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _encoded(frame: Picture, kind: str) -> bytes:
    import cv2

    how = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if kind == "jpeg" else []
    _, data = cv2.imencode(f".{kind}", np.ascontiguousarray(frame[..., ::-1]), how)
    return bytes(data)
