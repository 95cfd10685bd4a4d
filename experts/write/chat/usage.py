"""What a chat model was asked and answered, counted in tokens."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Answered requests and their tokens, as the server counted them.

    `cost` is in the currency of the prices, None where no price is known. The usage of a build is
    that after it less that before it.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
        )

    def __sub__(self, earlier: Usage) -> Usage:
        return Usage(
            self.requests - earlier.requests,
            self.prompt_tokens - earlier.prompt_tokens,
            self.completion_tokens - earlier.completion_tokens,
            None if self.cost is None or earlier.cost is None else self.cost - earlier.cost,
        )


class UsageMeter:
    """Sums the usage of one model over all threads; prices are per million tokens."""

    def __init__(
        self, price_per_million_input: float | None = None, price_per_million_output: float = 0.0
    ) -> None:
        self._price_in = price_per_million_input
        self._price_out = price_per_million_output
        self._requests = self._prompt = self._completion = 0
        self._lock = threading.Lock()

    def add(self, document: Mapping[str, Any]) -> None:
        """Counts one answer. A server that does not say what it took is counted as a request."""
        said = document.get("usage")
        said = said if isinstance(said, dict) else {}
        with self._lock:
            self._requests += 1
            self._prompt += _tokens(said, "prompt_tokens")
            self._completion += _tokens(said, "completion_tokens")

    def read(self) -> Usage:
        with self._lock:
            cost = None
            if self._price_in is not None:
                cost = (
                    self._prompt * self._price_in + self._completion * self._price_out
                ) / MILLION
            return Usage(self._requests, self._prompt, self._completion, cost)


def _tokens(said: dict[str, Any], key: str) -> int:
    count = said.get(key)
    return count if isinstance(count, int) and count > 0 else 0
