"""A shard: some dozens of records that go through the stages together.

Its name is the same in all of them, so that logs, traces and `editmill replay` can speak of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from catalog.keys import digest
from catalog.products import Products

R = TypeVar("R")

STAGE = "shards"
"""The journal's page of each shard: which clips it has."""

NAME_LENGTH = 12
"""Hex characters of a shard's name."""


class Shard(list[R]):
    """The records of a shard in one stage; fewer than at first where some have failed."""

    def __init__(self, records: Iterable[R] = (), name: str = "") -> None:
        super().__init__(records)
        self.name = name or digest([record_name(record) for record in self])[:NAME_LENGTH]


def record_name(record: Any) -> str:
    """What the record is, or is of: a clip's id, else the name of a file."""
    clip = getattr(record, "clip", record)
    found = getattr(clip, "clip_id", None) or getattr(clip, "file", clip).name
    return str(found)


def is_name(text: str) -> bool:
    """Whether a shard may be called so."""
    return re.fullmatch(f"[0-9a-f]{{{NAME_LENGTH}}}", text) is not None


def remember(products: Products, shard: Shard[Any]) -> None:
    """Notes which clips the shard has, so that it can be run again by its name."""
    if products.get(STAGE, shard.name) is None:
        products.put(STAGE, shard.name, {"clips": [record_name(record) for record in shard]})


def clips_of(products: Products, name: str) -> Sequence[str]:
    """The ids of the clips of the shard of that name; none where there is no such shard."""
    found = products.get(STAGE, name)
    return found["clips"] if found else ()
