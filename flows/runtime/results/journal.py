"""Runs a stage's records one by one, each product addressed by what determines it.

A record whose product is in the journal is not computed again. One that fails becomes a row in
`failures` and the shard goes on. What is fatal to the whole build (EditmillError: no disk, no
network) is raised; everything finished by then stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from catalog.errors import BadInput, EditmillError, one_line
from catalog.products import ProductPage
from catalog.records import Failure, failure_id
from flows.runtime.context import Context, Stopped
from flows.runtime.monitoring.seen import records_seen
from flows.runtime.results.record_result import RecordResult

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
    page: Callable[[R], str] | None = None,
    part: Callable[[R], str] | None = None,
    work: Callable[[list[R]], Sequence[Document | BadInput]],
    name: Callable[[R], str],
    batch: int = 1,
    prefetch: Callable[[R], None] | None = None,
) -> Iterator[tuple[R, Document]]:
    """Yields every record that has a product, with it, in the order of `records`.

    `work` takes up to `batch` records and answers one JSON-able document for each, or a BadInput
    where it has the others' but not this one's; `key` must cover all that the document depends on.
    `page` is the clip that the record is of, whose products lie together; by default each lies
    alone. `name` is what a failure calls the record, and `part` what part of the table of failures
    it belongs to, by default the page. BadInput that is final is remembered for the record; any
    other exception (a disk's or a network's hiccup, no memory) is tried again by the next build.
    Stopped leaves nothing. `prefetch` is told which record `work` will be given after the present
    batch, so that it may be read meanwhile.
    """
    stage_run = _StageRun(ctx, stage, records, key, page, part or page or name, work, name)
    ahead = 0  # the first record behind the batch that has no product
    with stage_run.saving:
        for start in range(0, len(records), batch):
            ctx.check_stop()
            if prefetch is not None and ahead < start + batch < len(records):
                ahead = stage_run.next_missing(start + batch)
                if ahead < len(records):
                    prefetch(records[ahead])
            yield from stage_run.group(records[start : start + batch])
    stage_run.write_failures()


def _failed(error: BadInput) -> Document:
    """The document of a record that has no product for good."""
    return {FAILED: {"reason": error.reason, "message": str(error)}}


class _Saving:
    """Saves products while the next ones are computed: first the media that they name are stored,
    then the page. Ends when all are saved; raises what kept one from it."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="save")
        self._saved: list[Future[None]] = []

    def save(self, page: ProductPage, products: dict[str, Document]) -> None:
        for saved in [each for each in self._saved if each.done()]:
            saved.result()
            self._saved.remove(saved)
        self._saved.append(self._thread.submit(self._save, page, products))

    def _save(self, page: ProductPage, products: dict[str, Document]) -> None:
        self._ctx.catalog.media.flush()
        page.put(products)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown()
        for saved in self._saved:
            error = saved.exception()
            if error is not None and kind is None:
                raise error


class _StageRun(Generic[R]):
    """One stage at work on one shard."""

    def __init__(
        self,
        ctx: Context,
        stage: str,
        records: Sequence[R],
        key: Callable[[R], str],
        page: Callable[[R], str] | None,
        part: Callable[[R], str],
        work: Callable[[list[R]], Sequence[Document | BadInput]],
        name: Callable[[R], str],
    ) -> None:
        self.ctx, self.stage, self._records = ctx, stage, records
        self._key, self._page, self._part, self._work, self._name = key, page, part, work, name
        self.saving = _Saving(ctx)
        self._pages: dict[str, ProductPage] = {}
        self._failures: dict[str, list[Failure]] = {
            f"{stage}/{part(record)}": [] for record in records
        }

    def next_missing(self, start: int) -> int:
        """The first record from `start` on that has no product yet; the number of records if none
        is left."""
        for i in range(start, len(self._records)):
            try:
                page = self._page_of(self._records[i], key := self._key(self._records[i]))
            except Exception:  # its turn comes, and tells why
                continue
            if page is not None and page.get(key) is None:
                return i
        return len(self._records)

    def group(self, records: Sequence[R]) -> Iterator[tuple[R, Document]]:
        """Those of the records that have a product, with it."""
        keys = [self._key_of(record) for record in records]
        pages = [self._page_of(r, k) for r, k in zip(records, keys, strict=True)]
        found = [p.get(k) if p and k else None for p, k in zip(pages, keys, strict=True)]
        failed = sum(doc is not None and FAILED in doc for doc in found)
        self.ctx.stats.count(self.stage, failed=failed, reused=sum(map(bool, found)) - failed)
        missing = [i for i, (k, doc) in enumerate(zip(keys, found, strict=True)) if k and not doc]
        made = self._attempt([records[i] for i in missing])
        new: dict[int, dict[str, Document]] = {}  # by the page's identity
        for i, document in zip(missing, made, strict=True):
            found[i] = document
            address, page = keys[i], pages[i]
            if document is not None and address is not None and page is not None:
                new.setdefault(id(page), {})[address] = document
        for page in {id(page): page for page in pages if page is not None}.values():
            if id(page) in new:
                self.saving.save(page, new[id(page)])
        for record, key, document in zip(records, keys, found, strict=True):
            self._tell(record, key, document)
            if document is None:
                continue
            if FAILED in document:
                self._failed(record, **document[FAILED])
            else:
                yield record, document

    def write_failures(self) -> None:
        """The shard's failures are these; of what was mended since, none is left."""
        self.ctx.catalog.tables.put("failures", self._failures)

    def _tell(self, record: R, key: str | None, document: Document | None) -> None:
        if self.ctx.on_result is not None:
            name, page = self._name(record), key if self._page is None else self._page(record)
            self.ctx.on_result(RecordResult(self.stage, name, page or "", key or "", document))

    def _key_of(self, record: R) -> str | None:
        """Where the record's product lies; None where that can't be told, an unreadable source."""
        try:
            return self._key(record)
        except Exception as error:
            self._refused(record, error)
            return None

    def _page_of(self, record: R, key: str | None) -> ProductPage | None:
        name = key if self._page is None else self._page(record)
        if name is None:
            return None
        if name not in self._pages:
            self._pages[name] = self.ctx.catalog.products.page(self.stage, name)
        return self._pages[name]

    def _attempt(self, records: list[R]) -> list[Document | None]:
        """A document per record; None where it failed in a way worth another try some day."""
        if not records:
            return []
        self.ctx.readiness.before(self.stage)
        try:
            names = [self._name(record) for record in records]
            with self.ctx.stats.work(self.stage), records_seen(self.stage, names):
                answers = list(self._work(records))
        except Exception as error:
            if _ends_the_shard(error):
                raise
            if len(records) > 1:  # find the one to blame
                return [doc for record in records for doc in self._attempt([record])]
            return [self._unmade(records[0], error)]
        self.ctx.stats.count(
            self.stage, done=sum(not isinstance(answer, BadInput) for answer in answers)
        )
        return [
            self._unmade(record, answer) if isinstance(answer, BadInput) else answer
            for record, answer in zip(records, answers, strict=True)
        ]

    def _unmade(self, record: R, error: Exception) -> Document | None:
        """What stands for the product that a record does not have."""
        if isinstance(error, BadInput) and error.final:
            self.ctx.stats.count(self.stage, failed=1)
            return _failed(error)
        self._refused(record, error)
        return None

    def _refused(self, record: R, error: Exception) -> None:
        """Notes the failure of a record that has no product, so that the next build tries it
        again."""
        if _ends_the_shard(error):
            raise error
        self.ctx.stats.count(self.stage, failed=1)
        self.ctx.worth_retrying = True
        if isinstance(error, BadInput):
            self._failed(record, reason=error.reason, message=str(error))
            return
        name = self._name(record)
        if not isinstance(error, OSError | MemoryError):  # those are the machine's, not the code's
            about = {"fields": {"record": name}}
            log.error("%s: %s failed", self.stage, name, exc_info=error, extra=about)
        message = f"{type(error).__name__}: {one_line(str(error))}; the next build tries it again"
        self._failed(record, reason="error", message=message)

    def _failed(self, record: R, *, reason: str, message: str) -> None:
        name = self._name(record)
        about = {"fields": {"record": name, "reason": reason}}
        log.info("%s: %s: %s", self.stage, name, message, extra=about)
        failure = Failure(failure_id(self.stage, name), self.stage, name, reason, message)
        self._failures[f"{self.stage}/{self._part(record)}"].append(failure)


def _ends_the_shard(error: Exception) -> bool:
    if isinstance(error, BadInput):
        return False
    return isinstance(error, EditmillError | Stopped)
