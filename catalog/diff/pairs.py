"""What became of the pairs (or the local-editing records) between two refs, per task and reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

import catalog
from catalog.diff.rows import differing_rows
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
    return [
        change
        for table in ("pairs", "local_edits")
        for change in _compared(*differing_rows(before, after, table), key_column(table))
    ]


def _compared(old: pl.LazyFrame, new: pl.LazyFrame, key: str) -> list[Change]:
    before, after = old.collect(), new.collect()
    names = list(dict.fromkeys([*before.columns, *after.columns]))
    before, after = _with_columns(before, names, after), _with_columns(after, names, before)
    joined = before.with_columns(had=True).join(
        after.with_columns(has=True), on=key, how="full", coalesce=True, suffix=_AFTER
    )
    judged = [name for name in names if name in JUDGEMENT]
    made = [name for name in names if name not in (*judged, key)]
    told = joined.select(
        pl.col(key),
        task=pl.coalesce("task", f"task{_AFTER}"),
        what=pl.when(pl.col("had").is_null())
        .then(pl.lit("added"))
        .when(pl.col("has").is_null())
        .then(pl.lit("removed"))
        .when(_differ(made))
        .then(pl.lit("changed"))
        .when(_differ(judged))
        .then(pl.lit("re-judged")),
        before=_verdict("had", "", judged),
        after=_verdict("has", _AFTER, judged),
    )
    groups = (
        told.drop_nulls("what")
        .group_by("task", "what", "before", "after")
        .agg(pl.col(key).sort())
        .sort("task", "what", "before", "after")
    )
    return [Change(*row) for row in groups.iter_rows()]


def _differ(names: list[str]) -> pl.Expr:
    return pl.any_horizontal(
        pl.lit(False), *(pl.col(name).ne_missing(pl.col(f"{name}{_AFTER}")) for name in names)
    )


def _verdict(there: str, suffix: str, judged: list[str]) -> pl.Expr:
    """Empty where the record is not there, and for records that are not judged."""
    if "keep" not in judged:
        return pl.lit("")
    kept, reason = pl.col(f"keep{suffix}"), pl.col(f"reason{suffix}")
    word = pl.when(kept).then(pl.lit(KEPT)).otherwise(reason)
    return pl.when(pl.col(there)).then(word).otherwise(pl.lit(""))


def _with_columns(frame: pl.DataFrame, names: list[str], other: pl.DataFrame) -> pl.DataFrame:
    """`frame` with all of `names`, null where only `other` has the column."""
    missing = [pl.lit(None, other.schema[n]).alias(n) for n in names if n not in frame.columns]
    return frame.with_columns(missing).select(names)
