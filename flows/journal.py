"""Runs a stage's records one by one, each product addressed by what determines it.

A record whose product is in the journal is not computed again. One that fails becomes a row in
`failures` and the shard goes on. What is fatal to the whole build (EditmillError: no disk, no
network) is raised; everything finished by then stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from catalog.records import Failure
from flows.context import Context

log = logging.getLogger("editmill")
R = TypeVar("R")
Document = dict[str, Any]
FAILED = "failed"  # the key under which a product says why there is none


def run(
    ctx: Context,
    stage: str,
    records: Sequence[R],
    *,
    key: Callable[[R], str],
    work: Callable[[list[R]], Sequence[Document]],
    name: Callable[[R], str],
    batch: int = 1,
) -> Iterator[tuple[R, Document]]:
    """Yields every record that has a product, with it, in the order of `records`.

    `work` takes up to `batch` records and answers one JSON-able document for each; `key` must cover
    all that the document depends on; `name` is what a failure calls the record. BadInput is final
    for a record and remembered; any other exception is tried again by the next build.
    """
    cleared: list[str] = []
    for start in range(0, len(records), batch):
        ctx.check_stop()
        group = records[start : start + batch]
        keys = [key(record) for record in group]
        found = [ctx.catalog.products.get(stage, k) for k in keys]
        ctx.stats.count(stage, reused=sum(doc is not None for doc in found))
        missing = [i for i, doc in enumerate(found) if doc is None]
        made = _attempt(ctx, stage, [group[i] for i in missing], work, name)
        for i, document in zip(missing, made, strict=True):
            if document is not None:
                ctx.catalog.products.put(stage, keys[i], document)
                found[i] = document
        for record, document in zip(group, found, strict=True):
            if document is None:
                continue
            if FAILED in document:
                _record_failure(ctx, stage, name(record), **document[FAILED])
            else:
                cleared.append(_failure_id(stage, name(record)))
                yield record, document
    ctx.catalog.tables.delete("failures", cleared)


def _attempt(
    ctx: Context,
    stage: str,
    records: list[R],
    work: Callable[[list[R]], Sequence[Document]],
    name: Callable[[R], str],
) -> list[Document | None]:
    """A document per record; None where it failed in a way worth another try some day."""
    if not records:
        return []
    try:
        with ctx.stats.work(stage):
            documents = list(work(records))
    except Exception as error:
        if isinstance(error, EditmillError) and not isinstance(error, BadInput):
            raise
        if len(records) > 1:  # find the one to blame
            return [doc for record in records for doc in _attempt(ctx, stage, [record], work, name)]
        ctx.stats.count(stage, failed=1)
        if isinstance(error, BadInput):
            return [{FAILED: {"reason": error.reason, "message": str(error)}}]
        ctx.worth_retrying = True
        log.exception("%s: %s failed", stage, name(records[0]))
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
        _record_failure(ctx, stage, name(records[0]), reason="error", message=message)
        return [None]
    ctx.stats.count(stage, done=len(documents))
    return list(documents)


def _failure_id(stage: str, record: str) -> str:
    return digest("failure", stage, record)


def _record_failure(ctx: Context, stage: str, record: str, *, reason: str, message: str) -> None:
    failure = Failure(_failure_id(stage, record), stage, record, reason, message)
    ctx.catalog.tables.merge("failures", [failure])
