"""A shard's task as others see it: counted, logged, and a span of the build's trace."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flows.runtime.context import Context
from flows.runtime.monitoring import telemetry
from flows.runtime.monitoring.logs import LOG, at, say
from flows.runtime.shard import Shard


@contextmanager
def seen(ctx: Context, stage: str, shard: Shard[Any]) -> Iterator[None]:
    """Around a stage's work on a shard, in the process that does it."""
    say(ctx.recipe.run.log)
    telemetry.start()
    start = time.monotonic()
    with (
        at(stage=stage, shard=shard.name),
        telemetry.shard(ctx.run, stage, shard.name, len(shard)) as span,
        ctx.stats.task(stage) as count,
    ):
        yield
        counted = {"done": count.done, "reused": count.reused, "failed": count.failed}
        telemetry.note(span, counted)
        seconds = round(time.monotonic() - start, 3)
        LOG.info(
            "%s of %d records took %.1f s",
            stage,
            len(shard),
            seconds,
            extra={"fields": {"records": len(shard), **counted, "seconds": seconds}},
        )


@contextmanager
def records_seen(stage: str, names: Sequence[str]) -> Iterator[None]:
    """Around a stage's work on a batch of records."""
    with at(record=names[0] if len(names) == 1 else list(names)), telemetry.records(stage, names):
        yield
