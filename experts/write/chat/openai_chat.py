"""A chat model behind any OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from experts.write.chat.models import STOP, TOP_P
from experts.write.chat.served import KEY_VARIABLE, REFUSES_REQUEST, ServedModel, key_from
from experts.write.chat.server import RequestRefused
from experts.write.prompts import Message

if TYPE_CHECKING:
    from experts.write.chat.client import ChatClient


class OpenAIChat(ServedModel):
    """Conversations answered by a server: see `ServedModel`. Candidate k has the conversation's
    seed + k where a server gives but one per request."""

    structured = False

    _takes_n: bool | None = None  # whether the server gives several choices; None: untried

    def complete(
        self,
        batch: Sequence[Sequence[Message]],
        seeds: Sequence[int],
        *,
        n: int,
        temperature: float,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
    ) -> list[list[str]]:
        """See `ChatBackend`. Raises NoCompletion where none of the batch was answered."""
        settings = {
            "model": self.name,
            "temperature": temperature,
            "top_p": TOP_P,
            "max_tokens": max_tokens,
            **({} if schema else {"stop": STOP}),
        }
        return self._all(
            [
                partial(
                    self._texts,
                    body={**settings, "messages": list(messages)},
                    seed=seed,
                    n=n,
                    schema=schema,
                )
                for messages, seed in zip(batch, seeds, strict=True)
            ],
            nothing=[],
        )

    async def _texts(
        self,
        client: ChatClient,
        body: dict[str, Any],
        seed: int,
        n: int,
        schema: Mapping[str, Any] | None,
    ) -> list[str]:
        found: list[str] = []
        if n > 1 and self._takes_n is not False:
            try:
                found = await self._ask(client, _seeded(body, seed) | {"n": n}, n, schema)
                self._takes_n = len(found) == n
            except RequestRefused as refusal:
                # If `n` is what it refuses, it takes the same request without.
                if self._takes_n or refusal.status not in REFUSES_REQUEST:
                    raise
        for k in range(len(found), n):
            found += await self._ask(client, _seeded(body, seed + k), 1, schema)
            if n > 1:
                self._takes_n = False
        return found


def _seeded(body: dict[str, Any], seed: int) -> dict[str, Any]:
    return body | {"seed": seed & 0x7FFFFFFF}


class OpenAIWriter(OpenAIChat):
    """`OpenAIChat` as a recipe names it.

    `base_url` is by default that of `vllm serve` on this machine. The key is read from the
    environment variable `api_key_variable`, so that no recipe, and no release, holds it.
    `structured` says that the model is a capable one: it is asked once per edit for all its
    texts, as JSON, instead of for one line at a time. The other options are `ServedModel`'s.
    """

    def __init__(
        self,
        *,
        model: str = "",
        base_url: str = "http://127.0.0.1:8000/v1",
        api_key_variable: str = KEY_VARIABLE,
        structured: bool = True,
        concurrency: PositiveInt = 16,
        timeout: PositiveFloat = 120.0,
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
        self.structured = structured
