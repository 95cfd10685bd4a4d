"""Chat models behind one interface: llama.cpp in this process, or any OpenAI-compatible server."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import httpx

from catalog.errors import EditmillError
from experts.weights import entry, fetch
from experts.write.prompts import Message

TOP_P, MIN_P = 0.95, 0.05
"""Nucleus and floor: cut the tail where a small model's nonsense lives."""

STOP = ["\n"]
"""An instruction is one line."""


class ChatBackend(Protocol):
    """A chat model. `complete` gives `n` texts per conversation, in the conversations' order.

    The same conversation and seed give the same texts, whatever else is in the batch or came
    before it. Texts are raw: nothing is stripped or checked.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def load(self) -> None: ...

    def close(self) -> None: ...

    def complete(
        self,
        batch: Sequence[Sequence[Message]],
        seeds: Sequence[int],
        *,
        n: int,
        temperature: float,
        max_tokens: int,
    ) -> list[list[str]]: ...


class LlamaCppChat:
    """llama.cpp in this process, on a GGUF file of the weights manifest.

    The state of a shared beginning (system message and examples) is computed once and kept while
    conversations with the same one follow each other; sort a batch by it. Keeping it must not
    change the answer, and with llama.cpp it does as soon as the kept part grows by chance: the
    same token computed alone or in a batch differs in the last bits, and sampling turns that
    into other words. So before every conversation a one-token stand-in follows the beginning:
    exactly the beginning is then kept, and the rest is always computed in one piece. Measured
    on 36 conversations in shuffled orders and subsets: no text differed; without it some did.

    One thread by default: for a model this small a second one waits at barriers, and on a busy
    machine two threads took ten times as long as one. Calls from several threads take turns.
    """

    def __init__(
        self,
        weights: str = "smollm2_135m",
        name: str = "SmolLM2-135M-Instruct",
        *,
        threads: int = 1,
        parallel: int = 4,
        context: int = 1024,
    ) -> None:
        self.name = name
        self._weights = weights
        self._threads = threads
        self._parallel = parallel  # candidates decoded side by side: the most `n` may be
        self._context = context  # tokens per candidate
        self._server: Any = None
        self._kept: Sequence[Message] | None = None
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """Of the calling code, and the weights' sha256."""
        return f"1+{entry(self._weights).sha256[:8]}"

    def load(self) -> None:
        with self._lock:
            if self._server is not None:
                return
            import xllamacpp  # here, so that whoever only reads an instruction does not load it

            params = xllamacpp.CommonParams()
            params.model.path = str(fetch(self._weights))
            params.n_parallel = self._parallel
            params.n_ctx = self._context * self._parallel
            params.kv_unified = False  # a candidate's state lies where it always lies
            params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
            params.n_gpu_layers = 0
            params.cache_ram_mib = 0
            params.cache_idle_slots = False
            params.warmup = False
            params.verbosity = -1
            self._server = xllamacpp.Server(params)

    @property
    def address(self) -> str:
        """Where the loaded model also answers over HTTP, on this machine only."""
        return str(self._server.listening_address)

    def close(self) -> None:
        with self._lock:
            self._server, self._kept = None, None

    def complete(
        self,
        batch: Sequence[Sequence[Message]],
        seeds: Sequence[int],
        *,
        n: int,
        temperature: float,
        max_tokens: int,
    ) -> list[list[str]]:
        self.load()
        with self._lock:
            return [
                self._one(list(messages), seed, n, temperature, max_tokens)
                for messages, seed in zip(batch, seeds, strict=True)
            ]

    def _one(
        self, messages: list[Message], seed: int, n: int, temperature: float, max_tokens: int
    ) -> list[str]:
        beginning, last = messages[:-1], messages[-1]
        stand_in = {"role": last["role"], "content": "#"}
        self._ask(
            messages=[*beginning, stand_in],
            max_tokens=1,
            temperature=0.0,
            cache_prompt=beginning == self._kept,
        )
        self._kept = beginning
        answer = self._ask(
            messages=messages,
            n=n,
            seed=seed & 0x7FFFFFFF,
            temperature=temperature,
            top_p=TOP_P,
            min_p=MIN_P,
            max_tokens=max_tokens,
            stop=STOP,
            cache_prompt=True,
        )
        return [choice["message"]["content"] or "" for choice in answer["choices"]]

    def _ask(self, **request: Any) -> dict[str, Any]:
        answer = self._server.handle_chat_completions({"id_slot": 0, **request})
        if "choices" not in answer:
            raise EditmillError(f"the writer {self.name} gave no answer: {answer.get('error')}")
        return dict(answer)


class OpenAIChat:
    """A server that speaks OpenAI's chat completions (`vllm serve`, llama.cpp and others).

    Conversations are sent side by side, so that the server can batch them; whether equal seeds
    give equal texts under a changing load is the server's affair. Raises :class:`EditmillError`
    if the server cannot be reached or refuses.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        concurrency: int = 16,
        timeout: float = 120.0,
    ) -> None:
        self.name = model
        self.version = "1"
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._key = api_key
        self._concurrency = concurrency
        self._timeout = timeout
        self._client: httpx.Client | None = None

    def load(self) -> None:
        if self._client is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._client = httpx.Client(headers=headers, timeout=self._timeout)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def complete(
        self,
        batch: Sequence[Sequence[Message]],
        seeds: Sequence[int],
        *,
        n: int,
        temperature: float,
        max_tokens: int,
    ) -> list[list[str]]:
        self.load()

        def ask(messages: Sequence[Message], seed: int) -> list[str]:
            return self._post(
                {
                    "model": self.name,
                    "messages": list(messages),
                    "n": n,
                    "seed": seed & 0x7FFFFFFF,
                    "temperature": temperature,
                    "top_p": TOP_P,
                    "max_tokens": max_tokens,
                    "stop": STOP,
                }
            )

        with ThreadPoolExecutor(self._concurrency) as pool:
            return list(pool.map(ask, batch, seeds))

    def _post(self, body: dict[str, Any]) -> list[str]:
        assert self._client is not None
        try:
            answer = self._client.post(self._url, json=body)
            answer.raise_for_status()
            choices = answer.json()["choices"]
        except httpx.HTTPStatusError as error:
            raise EditmillError(
                f"{self._url}: answered {error.response.status_code}; "
                "check the model's name and the key"
            ) from error
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise EditmillError(
                f"{self._url}: no chat completions there ({type(error).__name__}); "
                "check the address and that the server runs"
            ) from error
        return [choice["message"]["content"] or "" for choice in choices]
