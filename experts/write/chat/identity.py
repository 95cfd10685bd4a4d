"""What an OpenAI-compatible server says of a model it serves, so that two can be told apart."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from experts.write.chat.server import RequestRefused

if TYPE_CHECKING:
    from experts.write.chat.client import ChatClient

IDENTIFYING = (
    "id",
    "owned_by",
    *("root", "parent", "revision", "sha", "digest"),  # vLLM's, and what others add
    *("n_params", "n_vocab", "n_embd", "size"),  # llama.cpp's, in `meta`
)

LISTS_NOTHING = {404, 405, 501}
"""Statuses of a server that has no list of its models. Any other failure may pass: what the server
said of the model yesterday must not be forgotten because it is busy today."""

A_CLOCK = 86_400
"""Seconds; `created` nearer to now than this may be the time of asking, as vLLM's is."""


async def described(client: ChatClient, model: str) -> dict[str, str | int] | None:
    """What identifies `model`; None where the server has no list, or says no more than its name.

    `created` counts unless it is only a clock: one that moves between two looks. A server that is
    busy or away is waited for as long as for a text. Raises as `ChatClient.ask`.
    """
    said = await _entry(client, model)
    if said is None:
        return None
    fields = {**said, **said["meta"]} if isinstance(said.get("meta"), dict) else said
    found = {k: fields[k] for k in IDENTIFYING if isinstance(fields.get(k), str | int)}
    created = said.get("created")
    if isinstance(created, int) and not await _is_clock(created, client, model):
        found["created"] = created
    return found if found.keys() - {"id", "owned_by"} else None


async def _is_clock(created: int, client: ChatClient, model: str) -> bool:
    if abs(time.time() - created) > A_CLOCK:
        return False
    await asyncio.sleep(1.1)  # a clock of whole seconds has moved by then
    again = await _entry(client, model)
    return again is None or again.get("created") != created


async def _entry(client: ChatClient, model: str) -> dict[str, Any] | None:
    try:
        listed = (await client.ask("/models")).get("data")
    except RequestRefused as refusal:
        if refusal.status in LISTS_NOTHING:
            return None
        raise
    entries = (
        [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    )
    named = [each for each in entries if each.get("id") == model]
    if not named and len(entries) == 1:  # llama.cpp's serves its only model under any name
        named = entries
    return named[0] if named else None
