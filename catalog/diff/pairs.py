"""What became of the pairs (or the local-editing records) between two refs, per task and reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

import catalog
from catalog.diff.rows import collected, content, differing_rows, of_same_files
from catalog.records import SCORES, key_column

KEPT = "kept"
"""What a verdict is called that has no reason."""

JUDGEMENT = (
    "keep",
    "reason",
    "filter_versions",
    *(f"{name}_{part}" for name in SCORES for part in ("score", "reason")),
)
"""The columns of a pair that its judges write; all others say what was made."""

_AFTER = "_after"


@dataclass(frozen=True, slots=True)
class Change:
    """Records of one task to which the same happened.

    `what` is `added`, `removed`, `re-judged` (only the filters say otherwise) or `changed` (other
    words, say). `before` and `after` are verdicts: `kept`, a reason, or empty where there is none.
    """

    task: str
    what: str
    before: str
    after: str
    ids: list[str]  # sorted


def changes(root: str | Path, old: str, new: str) -> list[Change]:
    """What differs from ref `old` to ref `new`, sorted by task: of the pairs, or of the local edits
    in a catalog of those.

    Raises EditmillError as :func:`catalog.open` does.
    """
    before, after = catalog.open(root, ref=old), catalog.open(root, ref=new)
    found = []
    for table in ("pairs", "local_edits"):
        rows = differing_rows(before, after, table)
        if table == "pairs" and of_same_files(before, after, table):  # policies may differ
            rows = _judgements(rows[0]), _judgements(rows[1])
        groups = _compared(*rows, key_column(table))
        found += [Change(*row) for row in collected(groups, table, before, after).iter_rows()]
    return found


def _judgements(rows: pl.LazyFrame) -> pl.LazyFrame:
    """What is judged of each pair, with its id and task: a quarter of the columns."""
    there = rows.collect_schema()
    return rows.select("pair_id", "task", *(name for name in JUDGEMENT if name in there))


def _compared(old: pl.LazyFrame, new: pl.LazyFrame, key: str) -> pl.LazyFrame:
    """The fields of changes, a row each."""
    names = list(old.collect_schema())
    judged = [name for name in names if name in JUDGEMENT]
    made = [name for name in names if name not in (*judged, key)]
    before, after = (
        rows.select(
            key, "task", verdict=_verdict(judged), made=content(made), judged=content(judged)
        )
        for rows in (old, new)
    )
    joined = before.join(after, on=key, how="full", coalesce=True, suffix=_AFTER)
    return (
        joined.select(
            pl.col(key),
            task=pl.coalesce("task", f"task{_AFTER}"),
            what=pl.when(pl.col("made").is_null())
            .then(pl.lit("added"))
            .when(pl.col(f"made{_AFTER}").is_null())
            .then(pl.lit("removed"))
            .when(pl.col("made") != pl.col(f"made{_AFTER}"))
            .then(pl.lit("changed"))
            .when(pl.col("judged") != pl.col(f"judged{_AFTER}"))
            .then(pl.lit("re-judged")),
            before=pl.col("verdict").fill_null(""),
            after=pl.col(f"verdict{_AFTER}").fill_null(""),
        )
        .drop_nulls("what")
        .group_by("task", "what", "before", "after")
        .agg(pl.col(key).sort())
        .sort("task", "what", "before", "after")
    )


def _verdict(judged: list[str]) -> pl.Expr:
    """Empty for records that are not judged."""
    if "keep" not in judged:
        return pl.lit("")
    return pl.when("keep").then(pl.lit(KEPT)).otherwise("reason")
