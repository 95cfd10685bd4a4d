"""The key of an API: from the environment or a Prefect block, never from a recipe."""

from __future__ import annotations

import os
from typing import Any

from pydantic import SecretStr

from catalog.errors import EditmillError, one_line


def api_key(site: str, variable: str, block: str | None, page: str) -> SecretStr:
    """The key in the environment variable, or in the Prefect Secret block where one is named.

    Raises EditmillError in one line where there is none; `page` is where one is to be had.
    """
    if block is None:
        key = os.environ.get(variable, "").strip()
        if not key:
            raise EditmillError(f"{site}: no key; set {variable} to one, which is had at {page}")
    else:
        key = _from_block(site, block).strip()
    if not key.isascii() or not key.isprintable() or not key:
        where = variable if block is None else f"the Prefect block {block!r}"
        raise EditmillError(f"{site}: what {where} holds is no key; copy it anew from {page}")
    return SecretStr(key)


def _from_block(site: str, name: str) -> str:
    from prefect.blocks.system import Secret  # only here: it takes a second, and a server

    try:
        block: Any = Secret.load(name, _sync=True)  # type: ignore[call-arg]
        value = block.get()
    except Exception as error:
        raise EditmillError(
            f"{site}: the Prefect Secret block {name!r} cannot be read "
            f"({type(error).__name__}: {one_line(str(error))[:200]}); make it on the server that "
            "the build runs on"
        ) from None
    return str(value)
