"""Rows for `Tables.put`, for tests in which each record is a part of its own."""

import dataclasses
from collections.abc import Iterable
from typing import Any


def by_key(records: Iterable[Any]) -> dict[str, list[Any]]:
    """Each record under its key, its first field."""
    return {getattr(r, dataclasses.fields(r)[0].name): [r] for r in records}
