"""What the shell offers after a Tab. A wrong catalog offers nothing: there is nobody to tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import typer

PAIRS = 50
"""Ids offered at most: a terminal's page."""


def recipes(incomplete: str) -> list[str]:
    """Names of the shipped recipes, and YAML files and folders on the way there."""
    shipped = [e.name[:-5] for e in (files("flows") / "recipes").iterdir() if _is_yaml(e.name)]
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    with suppress(OSError):
        shipped += [
            f"{path}/" if path.is_dir() else str(path)
            for path in folder.iterdir()
            if path.is_dir() or _is_yaml(path.name)
        ]
    return _beginning(shipped, incomplete)


def tasks(incomplete: str) -> list[str]:
    """Names of the editing tasks."""
    from experts.edit.tasks import TASKS

    return _beginning(TASKS, incomplete)


def tasks_and_editors(incomplete: str) -> list[str]:
    """Names of the editing tasks and of the editors that can be trained."""
    from experts.edit.tasks import EDITORS

    return [*tasks(incomplete), *_beginning(EDITORS, incomplete)]


def trainable(incomplete: str) -> list[str]:
    """Names of the experts and editors that can be trained."""
    from experts.edit.tasks import EDITORS, TRAINED

    return _beginning((*TRAINED, *EDITORS), incomplete)


def retrainable(incomplete: str) -> list[str]:
    """Names of the filters that can be trained, and of the experts and editors."""
    from filters.trained import NAMED_BY

    return [*_beginning(NAMED_BY, incomplete), *trainable(incomplete)]


def refs(ctx: typer.Context, incomplete: str) -> list[str]:
    """`main` and the tags of the catalog named so far."""
    from catalog.errors import EditmillError

    with suppress(EditmillError, OSError):
        import catalog

        return _beginning(("main", *catalog.open(_catalog(ctx)).tags()), incomplete)
    return _beginning(("main",), incomplete)


def pair_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the catalog named so far, each with its task and instruction."""
    from catalog.errors import EditmillError

    with suppress(EditmillError, OSError):
        return list(_pairs(ctx, incomplete))
    return []


def _pairs(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    import polars as pl

    import catalog

    dataset = catalog.open(_catalog(ctx), ref=ctx.params.get("ref") or "main")
    rows = (
        dataset.pairs()
        .filter(pl.col("pair_id").str.starts_with(incomplete))
        .select("pair_id", "task", "instruction")
        .sort("pair_id")
        .head(PAIRS)
        .collect()
    )
    for pair_id, task, instruction in rows.iter_rows():
        yield pair_id, f"{task}: {instruction}"


def _catalog(ctx: typer.Context) -> str:
    from flows.commands.options import DEFAULT_OUT

    return str(ctx.params.get("catalog_uri") or DEFAULT_OUT)


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) and not name.startswith(".")


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
