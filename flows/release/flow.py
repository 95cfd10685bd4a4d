"""The release as a Prefect flow: what a catalog holds now, under a tag, with a report.

prefect flow serve flows/release/flow.py:release --name monthly --cron "0 4 1 * *"
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

import catalog
from catalog.errors import EditmillError
from flows.recipe import load
from flows.release import local_edits, pairs
from flows.runtime.context import context
from flows.runtime.orchestration.run_log import tell
from flows.runtime.pinned import as_built
from flows.runtime.results.branch import committed
from flows.runtime.selection import select


@flow(name="release", flow_run_name="release of {out}", persist_result=False)
def release(
    out: str = "editmill-demo",
    recipe: str = "embedded",
    tag: str | None = None,
) -> State[dict[str, Any]]:
    """Release what the catalog holds now, without building anything.

    Where the recipe's newest release holds the same, there is no other. Raises EditmillError where
    no build has made anything.

    Args:
        out: The catalog: a folder, s3://bucket/prefix or lakefs://repository.
        recipe: The recipe that built it: a shipped name or a YAML file.
        tag: The release's tag; by default v1, v2 and so on.

    Returns:
        `flows.release.outcome.Outcome` as a mapping.
    """
    dataset = catalog.open(out)  # a mistyped path must not become a catalog
    ctx = context(out, as_built(load(recipe), dataset))
    ctx.catalog = select(ctx.catalog, ctx.recipe)
    ctx.catalog.refuse_if_unfinished()
    product = pairs if ctx.recipe.records is None else local_edits
    before = ctx.catalog.tags()
    outcome = product.publish(ctx, tag)
    if not outcome.release:
        raise EditmillError(f"{out}: has nothing to release; run a build first")
    outcome.unchanged = outcome.release in before
    committed(ctx, outcome.release)
    tell(outcome.line())
    return Completed(message=outcome.line(), data=asdict(outcome))
