"""Chat models behind one interface: llama.cpp in this process, or any OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import httpx
from anyio.from_thread import start_blocking_portal

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from experts.weights import entry, fetch
from experts.write.chat.answers import texts
from experts.write.chat.identity import described
from experts.write.chat.server import MOST_QUOTED, Refused, Server
from experts.write.prompts import Message

TOP_P, MIN_P = 0.95, 0.05
"""Nucleus and floor: cut the tail where a small model's nonsense lives."""

STOP = ["\n"]
"""An instruction is one line."""

COMPLETIONS = "/chat/completions"

REFUSES_REQUEST = {400, 413, 422, 501}
"""Statuses by which servers refuse what a request asks for."""

TOO_LONG = re.compile(
    r"context[ _-]?(length|size|window)|too many (input |prompt )?tokens|reduce the length"
    r"|(prompt|input|request|conversation|messages?)\b.{0,40}\btoo (long|large)",
    re.IGNORECASE,
)
"""How servers say that a conversation is longer than the model's context."""

T = TypeVar("T")


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

    Conversations of a task share their beginning (system message and examples), which is ten times
    as long as what follows. Its state (keys and values of 150 tokens, 4 MB) is computed once, saved
    to a temporary file, and restored before every conversation that begins with it: 3 ms instead of
    1 s. Reuse must not change an answer, and with llama.cpp's own prompt cache it does: the cache
    keeps whatever two conversations happen to share, and a token computed alone or in a batch
    differs in the last bits, which sampling turns into other words. A saved state always ends where
    the beginning does, because it is taken after a conversation whose last message is a one-token
    placeholder. Measured on 36 conversations in shuffled orders and subsets: no text differed.

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
        self.slots = (weights,)
        self._weights = weights
        self._threads = threads
        self._parallel = parallel  # candidates decoded side by side: the most `n` may be
        self._context = context  # tokens per candidate
        self._server: Any = None
        self._slots: httpx.Client | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # of saved states
        self._saved: set[str] = set()
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
            self._folder = tempfile.TemporaryDirectory(prefix="editmill-writer-")
            params.slot_save_path = self._folder.name + os.sep
            self._server = xllamacpp.Server(params)
            # Saving and restoring is offered over HTTP alone.
            self._slots = httpx.Client(base_url=self.address, trust_env=False, timeout=60.0)

    @property
    def address(self) -> str:
        """Where the loaded model also answers over HTTP, on this machine only."""
        return str(self._server.listening_address)

    def close(self) -> None:
        with self._lock:
            if self._slots is not None:
                self._slots.close()
            self._server = self._slots = None
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None
            self._saved.clear()

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
        self._restore(messages[:-1])
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

    def _restore(self, beginning: list[Message]) -> None:
        """Puts the slot into the state after `beginning`, which is computed the first time."""
        file = digest(beginning)
        action = "restore" if file in self._saved else "save"
        if action == "save":
            placeholder = {"role": "user", "content": "#"}
            self._ask(
                messages=[*beginning, placeholder],
                max_tokens=1,
                temperature=0.0,
                cache_prompt=False,
            )
        assert self._slots is not None
        answer = self._slots.post(f"/slots/0?action={action}", json={"filename": file})
        if answer.status_code != httpx.codes.OK:
            raise EditmillError(
                f"the writer {self.name} cannot {action} its state in {tempfile.gettempdir()} "
                f"({answer.text[:MOST_QUOTED]}); free 100 MB there, or set TMPDIR to another folder"
            )
        self._saved.add(file)

    def _ask(self, **request: Any) -> dict[str, Any]:
        answer = self._server.handle_chat_completions({"id_slot": 0, **request})
        if "choices" not in answer:
            said = str(answer.get("error", answer))[:MOST_QUOTED]
            if TOO_LONG.search(said):
                raise BadInput(
                    "context_full",
                    f"the writer {self.name} takes {self._context} tokens and this is more "
                    f"({said}); shorten the clip's caption",
                )
            raise EditmillError(f"the writer {self.name} gave no answer: {said}")
        return dict(answer)


class OpenAIChat:
    """A server that speaks OpenAI's chat completions (`vllm serve`, llama.cpp and others).

    Conversations are sent side by side, `concurrency` at a time, so that the server can batch
    them; whether equal seeds give equal texts under a changing load is the server's affair.
    Candidate k has the conversation's seed + k where a server gives but one per request.

    `timeout`: seconds for a whole answer. `attempts` and `patience` (seconds) bound how often and
    how long a request is tried again while the server is busy, restarts or cannot be reached; the
    defaults outlast a rate limit of a minute, or a restart, and not a night.

    Raises :class:`EditmillError` where the server cannot be reached, refuses, or gives no texts;
    :class:`BadInput` (`context_full`), which is one record's failure and not the build's, where a
    conversation is longer than the model's context.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        concurrency: int = 16,
        timeout: float = 120.0,
        attempts: int = 6,
        patience: float = 300.0,
    ) -> None:
        self.name = model
        self._server = Server(
            base_url, api_key, timeout=timeout, attempts=attempts, patience=patience
        )
        self._concurrency = concurrency
        self._takes_n: bool | None = None  # whether the server gives several choices; None: untried
        self._identity = ""
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """Of the calling code, the model's name and what the server says of the model.

        The server is asked once. Where it cannot be asked, or says no more than the name, its
        address goes in instead: then nothing else tells two servers apart.
        """
        with self._lock:
            if not self._identity:
                said = _run(lambda client: described(self._server, client, self.name), self._server)
                self._identity = digest(self.name, said or self._server.address)[:8]
            return f"2+{self._identity}"

    def load(self) -> None:
        """Nothing to do: the model is on the server."""

    def close(self) -> None:
        """Nothing to free: connections last as long as a call of `complete`."""

    def complete(
        self,
        batch: Sequence[Sequence[Message]],
        seeds: Sequence[int],
        *,
        n: int,
        temperature: float,
        max_tokens: int,
    ) -> list[list[str]]:
        settings = {
            "model": self.name,
            "temperature": temperature,
            "top_p": TOP_P,
            "max_tokens": max_tokens,
            "stop": STOP,
        }

        async def ask_all(client: httpx.AsyncClient) -> list[list[str]]:
            gate = asyncio.Semaphore(self._concurrency)

            async def ask(messages: Sequence[Message], seed: int) -> list[str]:
                async with gate:
                    return await self._texts(
                        client, {**settings, "messages": list(messages)}, seed, n
                    )

            try:
                async with asyncio.TaskGroup() as group:
                    asked = [
                        group.create_task(ask(messages, seed))
                        for messages, seed in zip(batch, seeds, strict=True)
                    ]
            except* EditmillError as failed:  # the first; it ended the others
                raise failed.exceptions[0] from None
            return [task.result() for task in asked]

        return _run(ask_all, self._server)

    async def _texts(
        self, client: httpx.AsyncClient, body: dict[str, Any], seed: int, n: int
    ) -> list[str]:
        found: list[str] = []
        if n > 1 and self._takes_n is not False:
            try:
                found = await self._ask(client, body, seed, n)
                self._takes_n = len(found) == n
            except Refused as refusal:
                # If `n` is what it refuses, it takes the same request without.
                if self._takes_n or refusal.status not in REFUSES_REQUEST:
                    raise
        for k in range(len(found), n):
            found += await self._ask(client, body, seed + k, 1)
            if n > 1:
                self._takes_n = False
        return found

    async def _ask(
        self, client: httpx.AsyncClient, body: dict[str, Any], seed: int, n: int
    ) -> list[str]:
        body = body | {"seed": seed & 0x7FFFFFFF} | ({"n": n} if n > 1 else {})
        try:
            answer = await self._server.ask(client, COMPLETIONS, body)
        except Refused as refusal:
            if refusal.status in REFUSES_REQUEST and TOO_LONG.search(refusal.said):
                # Not final: the server may be given a longer context, which no key tells.
                raise BadInput(
                    "context_full",
                    f"{self._server.address}: the conversation is too long ({refusal.said}); "
                    "serve the model with a longer context",
                    final=False,
                ) from None
            raise
        return texts(answer, n, self._server.address + COMPLETIONS)


def _run(work: Callable[[httpx.AsyncClient], Awaitable[T]], server: Server) -> T:
    """`work` in an event loop of its own thread: the caller's thread may have one that runs."""

    async def connected() -> T:
        async with server.client() as client:
            return await work(client)

    with start_blocking_portal() as portal:
        return portal.call(connected)
