"""What models behind an OpenAI-compatible server have in common, whether they are shown pictures
or not."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from experts.write.chat.answers import texts
from experts.write.chat.identity import described
from experts.write.chat.server import ChatServer, NoCompletion, RequestRefused, SomeRefused
from experts.write.chat.usage import Usage, UsageMeter

if TYPE_CHECKING:
    from experts.write.chat.client import ChatClient

COMPLETIONS = "/chat/completions"

REFUSES_REQUEST = {400, 413, 422, 501}
"""Statuses by which servers refuse what a request asks for."""

TOO_LONG = re.compile(
    r"context[ _-]?(length|size|window)|too many (input |prompt )?tokens|reduce the length"
    r"|(prompt|input|request|conversation|messages?)\b.{0,40}\btoo (long|large)",
    re.IGNORECASE,
)
"""How servers say that a conversation is longer than the model's context."""

KEY_VARIABLE = "OPENAI_API_KEY"
"""Where OpenAI's own client looks for a key."""

log = logging.getLogger("editmill")

T = TypeVar("T")


def key_from(variable: str) -> str:
    """The key in an environment variable, empty where there is none: keys stay out of recipes."""
    return os.environ.get(variable, "")


class ServedModel:
    """A model that an OpenAI-compatible server serves (`vllm serve`, llama.cpp and others).

    At most `concurrency` requests are under way at once, whichever threads ask, so that the server
    can batch them; whether equal seeds give equal texts under a changing load is the server's
    affair.

    `timeout`: seconds for a whole answer. `attempts` and `patience` (seconds) bound how often and
    how long a request is tried again while the server is busy, restarts or cannot be reached; the
    defaults outlast a rate limit of a minute, or a restart, and not a night.
    `price_per_million_input` and `price_per_million_output` are of tokens, in any currency.

    Raises :class:`EditmillError` where the server cannot be reached or refuses,
    :class:`NoCompletion` where it is there and gives no text; :class:`BadInput` (`context_full`),
    which is one record's failure and not the build's, where a conversation is longer than the
    model's context.
    """

    algorithm = 3
    """Rises whenever the same server may give another answer to the same question."""

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
        price_per_million_input: float | None = None,
        price_per_million_output: float = 0.0,
    ) -> None:
        if not model:
            raise EditmillError(
                f"{base_url}: which model is asked is not said; set the option `model` to a name "
                "that the server lists under /v1/models"
            )
        self.name = model
        self._server = ChatServer(
            base_url, api_key, timeout=timeout, attempts=attempts, patience=patience
        )
        self._concurrency = concurrency
        self._client: ChatClient | None = None
        self._meter = UsageMeter(price_per_million_input, price_per_million_output)
        self._takes_schema: bool | None = None  # None: untried
        self._identity = ""
        self._lock = threading.RLock()

    @property
    def version(self) -> str:
        """Of the calling code, the model's name and what the server says of the model.

        The server is asked once. Raises EditmillError where it does not answer.
        """
        with self._lock:
            return f"{self.algorithm}+{self._identity or self.ask_identity()}"

    @property
    def address(self) -> str:
        """The server's, without a password."""
        return self._server.address

    def ask_identity(self) -> str:
        """A digest of what the server says now of the model, and from then on its `version`'s.

        Where it has no list of models, or says no more than the name, its address goes in instead:
        then nothing else tells two servers apart. Raises EditmillError where it does not answer.
        """
        client = self._opened()
        said = client.run(described(client, self.name))
        found = digest(self.name, said or self.address)[:8]
        self.assume(found)
        return found

    def assume(self, identity: str) -> None:
        """Takes it for what `ask_identity` would find, where the server cannot be asked."""
        with self._lock:
            self._identity = identity

    def usage(self) -> Usage:
        """What all calls so far have taken. Thread-safe."""
        return self._meter.read()

    def load(self) -> None:
        """Nothing to do: the model is on the server, which the first question connects to."""

    def close(self) -> None:
        """Closes the connections; another question opens them again."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _opened(self) -> ChatClient:
        with self._lock:
            if self._client is None:
                from experts.write.chat.client import (
                    ChatClient,  # OpenAI's client takes half a second
                )

                self._client = ChatClient(self._server, self._concurrency)
            return self._client

    def _all(
        self, questions: Sequence[Callable[[ChatClient], Awaitable[T]]], nothing: T
    ) -> list[T]:
        """What the questions come to, side by side; `nothing` for one without an answer, unless
        none has one: then NoCompletion is raised.

        Where some cannot be taken, SomeRefused is raised once the others are answered: a server
        goes on with a request that is given up, and would be asked the same once more beside it.
        Any other error ends them all.
        """
        client = self._opened()
        faults: list[NoCompletion] = []

        async def one(question: Callable[[ChatClient], Awaitable[T]]) -> T | BadInput:
            async with client.turn:
                try:
                    return await question(client)
                except NoCompletion as fault:
                    faults.append(fault)
                    return nothing
                except BadInput as refusal:
                    return refusal

        async def together() -> list[T | BadInput]:
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(one(question)) for question in questions]
            except* EditmillError as failed:  # the first; it ended the others
                raise failed.exceptions[0] from None
            return [task.result() for task in tasks]

        found = client.run(together())
        if faults and len(faults) == len(questions):
            raise faults[0]
        if faults:
            log.warning(
                "%d of %d questions were not answered: %s", len(faults), len(questions), faults[0]
            )
        answered: list[T] = []
        for each in found:
            if isinstance(each, BadInput):
                raise SomeRefused(each, found) if len(found) > 1 else each
            answered.append(each)
        return answered

    async def _ask(
        self, client: ChatClient, body: dict[str, Any], n: int, schema: Mapping[str, Any] | None
    ) -> list[str]:
        """At most `n` texts. An answer that must follow a schema is constrained by the server, or,
        where the server does not do that, asked for in the conversation."""
        where = self._server.address + COMPLETIONS
        if schema is None:
            return texts(await self._post(client, body), n, where)
        if self._takes_schema is not False:
            try:
                document = await self._post(client, body | _constrained(schema))
                self._takes_schema = True
                return texts(document, n, where)
            except RequestRefused as refusal:
                # If the schema is what it refuses, it takes the same request without.
                if self._takes_schema or refusal.status not in REFUSES_REQUEST:
                    raise
                refused = refusal
        document = await self._post(client, _with_schema_told(body, schema))
        if self._takes_schema is None:
            self._takes_schema = False
            log.warning(
                "%s takes no JSON schema (%s); it is told the schema in words instead",
                self._server.address,
                refused.said,
            )
        return texts(document, n, where)

    async def _post(self, client: ChatClient, body: dict[str, Any]) -> dict[str, Any]:
        try:
            document = await client.ask(COMPLETIONS, body)
        except RequestRefused as refusal:
            if refusal.status in REFUSES_REQUEST and TOO_LONG.search(refusal.said):
                # Not final: the server may be given a longer context, which no key tells.
                raise BadInput(
                    "context_full",
                    f"{self._server.address}: the conversation is too long ({refusal.said}); "
                    "serve the model with a longer context",
                    final=False,
                ) from None
            raise
        self._meter.add(document)
        return document


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol's way to say that an answer must follow a JSON schema."""
    return {
        "type": "json_schema",
        "json_schema": {
            "name": str(schema.get("title", "answer")),
            "schema": dict(schema),
            "strict": True,
        },
    }


def _constrained(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"response_format": response_format(schema)}


def _with_schema_told(body: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    told = f"Answer with one JSON object that follows this schema:\n{json.dumps(dict(schema))}"
    return body | {"messages": [*body["messages"][:-1], _longer(body["messages"][-1], told)]}


def _longer(message: dict[str, Any], text: str) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, str):
        return message | {"content": f"{content}\n\n{text}"}
    return message | {"content": [*content, {"type": "text", "text": text}]}
