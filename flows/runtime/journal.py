"""Runs a stage's records one by one, each product addressed by what determines it.

A record whose product is in the journal is not computed again. One that fails becomes a row in
`failures` and the shard goes on. What is fatal to the whole build (EditmillError: no disk, no
network) is raised; everything finished by then stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from catalog.errors import BadInput, EditmillError, one_line
from catalog.records import Failure, failure_id
from flows.runtime.context import Context, Stopped

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
    all that the document depends on; `name` is what a failure calls the record. BadInput that is
    final is remembered for the record; any other exception (a disk's or a network's hiccup, no
    memory) is tried again by the next build. Stopped leaves nothing.
    """
    cleared: list[str] = []
    for start in range(0, len(records), batch):
        ctx.check_stop()
        group = records[start : start + batch]
        keys = [_key(ctx, stage, record, key, name) for record in group]
        found = [None if k is None else ctx.catalog.products.get(stage, k) for k in keys]
        failed = sum(doc is not None and FAILED in doc for doc in found)
        ctx.stats.count(stage, failed=failed, reused=sum(map(bool, found)) - failed)
        missing = [i for i, (k, doc) in enumerate(zip(keys, found, strict=True)) if k and not doc]
        made = _attempt(ctx, stage, [group[i] for i in missing], work, name)
        for i, document in zip(missing, made, strict=True):
            address = keys[i]
            if document is not None and address is not None:
                ctx.catalog.products.put(stage, address, document)
                found[i] = document
        for record, document in zip(group, found, strict=True):
            if document is None:
                continue
            if FAILED in document:
                _record_failure(ctx, stage, name(record), **document[FAILED])
            else:
                cleared.append(failure_id(stage, name(record)))
                yield record, document
    ctx.catalog.tables.delete("failures", cleared)


def _key(
    ctx: Context,
    stage: str,
    record: R,
    key: Callable[[R], str],
    name: Callable[[R], str],
) -> str | None:
    """Where the record's product lies; None where that can't be told, an unreadable source."""
    try:
        return key(record)
    except Exception as error:
        _refused(ctx, stage, name(record), error)
        return None


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
        if _ends_the_shard(error):
            raise
        if len(records) > 1:  # find the one to blame
            return [doc for record in records for doc in _attempt(ctx, stage, [record], work, name)]
        if isinstance(error, BadInput) and error.final:
            ctx.stats.count(stage, failed=1)
            return [{FAILED: {"reason": error.reason, "message": str(error)}}]
        _refused(ctx, stage, name(records[0]), error)
        return [None]
    ctx.stats.count(stage, done=len(documents))
    return list(documents)


def _ends_the_shard(error: Exception) -> bool:
    if isinstance(error, BadInput):
        return False
    return isinstance(error, EditmillError | Stopped)


def _refused(ctx: Context, stage: str, record: str, error: Exception) -> None:
    """Writes the failure of a record that has no product, so that the next build tries it again."""
    if _ends_the_shard(error):
        raise error
    ctx.stats.count(stage, failed=1)
    ctx.worth_retrying = True
    if isinstance(error, BadInput):
        _record_failure(ctx, stage, record, reason=error.reason, message=str(error))
        return
    if not isinstance(error, OSError | MemoryError):  # those are the machine's, not the code's
        log.error("%s: %s failed", stage, record, exc_info=error)
    message = f"{type(error).__name__}: {one_line(str(error))}; the next build tries it again"
    _record_failure(ctx, stage, record, reason="error", message=message)


def _record_failure(ctx: Context, stage: str, record: str, *, reason: str, message: str) -> None:
    failure = Failure(failure_id(stage, record), stage, record, reason, message)
    ctx.catalog.tables.merge("failures", [failure])
