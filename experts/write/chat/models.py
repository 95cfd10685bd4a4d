"""Chat models behind one interface, and the one that runs in this process, by llama.cpp."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Protocol

import httpx
from pydantic import PositiveInt

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from experts.weights import entry, fetch
from experts.write.chat.documents import MOST_QUOTED
from experts.write.chat.prompt_states import PromptStates
from experts.write.chat.served import TOO_LONG, response_format
from experts.write.chat.usage import Usage, UsageMeter
from experts.write.prompts import Message

TOP_P, MIN_P = 0.95, 0.05
"""Nucleus and floor: cut the tail where a small model's nonsense lives."""

STOP = ["\n"]
"""An instruction is one line."""


class ChatBackend(Protocol):
    """A chat model. `complete` gives `n` texts per conversation, in the conversations' order.

    The same conversation and seed give the same texts, whatever else is in the batch or came
    before it. Texts are raw: nothing is stripped or checked. With a JSON `schema` a text is JSON
    that follows it, unless `max_tokens` cut it short or a server knows no schemas. A conversation
    that was not answered has no texts.

    `structured` says that the model is capable enough to be asked for several texts at once, as
    JSON. `usage()` is what all calls so far have taken.
    """

    structured: bool

    def usage(self) -> Usage: ...

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
        schema: Mapping[str, Any] | None = None,
    ) -> list[list[str]]: ...


class LlamaCppChat:
    """llama.cpp in this process, on a GGUF file of the weights manifest.

    Conversations of a task share their beginning (system message and examples), which is ten times
    as long as what follows. Its state (keys and values of 150 tokens, 4 MB) is computed once, kept
    on disk (:mod:`.prompt_states`) and restored before every conversation that begins with it: 3 ms
    instead of 1 s. Reuse must not change an answer, and with llama.cpp's own prompt cache it does:
    it keeps whatever two conversations happen to share, and a token computed alone or in a batch
    differs in the last bits, which sampling turns into other words. A saved state always ends where
    the beginning does, because it is taken after a conversation whose last message is a one-token
    placeholder. Measured on 36 conversations in shuffled orders and subsets: no text differed.

    One thread by default: for a model this small a second one waits at barriers, and on a busy
    machine two threads took ten times as long as one. Calls from several threads take turns.
    """

    structured = False

    def __init__(
        self,
        weights: str = "smollm2_135m",
        name: str = "SmolLM2-135M-Instruct",
        *,
        threads: PositiveInt = 1,
        parallel: PositiveInt = 4,
        context: PositiveInt = 1024,
    ) -> None:
        self.name = name
        self.slots = (weights,)
        self._weights = weights
        self._threads = threads
        self._parallel = parallel  # candidates decoded side by side: the most `n` may be
        self._context = context  # tokens per candidate
        self._server: Any = None
        self._slots: httpx.Client | None = None
        self._states: PromptStates | None = None
        self._meter = UsageMeter()
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """Of the calling code, and the weights' sha256."""
        return f"1+{entry(self._weights).sha256[:8]}"

    def usage(self) -> Usage:
        """What all calls so far have taken, the shared beginnings included. Thread-safe."""
        return self._meter.read()

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
            made_by = version("xllamacpp")
            sizes = [self._context, self._parallel, self._threads]
            self._states = PromptStates(digest([entry(self._weights).sha256, made_by, sizes]))
            params.slot_save_path = f"{self._states.folder}{os.sep}"
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
            if self._states is not None:
                self._states.close()
                self._states = None

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
        self.load()
        with self._lock:
            return [
                self._one(list(messages), seed, n, temperature, max_tokens, schema)
                for messages, seed in zip(batch, seeds, strict=True)
            ]

    def _one(
        self,
        messages: list[Message],
        seed: int,
        n: int,
        temperature: float,
        max_tokens: int,
        schema: Mapping[str, Any] | None,
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
            cache_prompt=True,
            **({"response_format": response_format(schema)} if schema else {"stop": STOP}),
        )
        return [choice["message"]["content"] or "" for choice in answer["choices"]]

    def _restore(self, beginning: list[Message]) -> None:
        """Puts the slot into the state after `beginning`, which is computed the first time."""
        assert self._states is not None
        name = digest(beginning)
        if self._states.restored(name, lambda file: self._slot("restore", file).is_success):
            return
        placeholder = {"role": "user", "content": "#"}
        self._ask(
            messages=[*beginning, placeholder], max_tokens=1, temperature=0.0, cache_prompt=False
        )
        self._states.save(name, self._save)

    def _save(self, file: str) -> None:
        assert self._states is not None
        answer = self._slot("save", file)
        if not answer.is_success:
            fault = answer.text[:MOST_QUOTED]
        # What llama.cpp wrote last may not have found room, which it does not see.
        elif (self._states.folder / file).stat().st_size < answer.json()["n_written"]:
            fault = "its end is missing"
        else:
            return
        raise EditmillError(
            f"the writer {self.name} cannot save its state in {self._states.folder} ({fault}); "
            "free 100 MB there, or set EDITMILL_CACHE to another folder"
        )

    def _slot(self, action: str, file: str) -> httpx.Response:
        """Saves the slot's state to a file, or restores it."""
        assert self._slots is not None
        return self._slots.post(f"/slots/0?action={action}", json={"filename": file})

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
        self._meter.add(answer)
        return dict(answer)
