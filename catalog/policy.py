"""A policy: which pairs are kept, given the scores that the filters gave them.

Scores are facts and never change; what follows from them does. Applying a policy is columnar
arithmetic on the columns of the pairs table, so a million pairs are decided anew within a second,
and no model runs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.records import SCORES

Bound = Literal["at_least", "at_most"]

UNDECIDED = ("not_measured", "abstained")
"""Reasons of a filter that did not judge a pair: it rejects nothing, whatever the score."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where one filter cuts its score: kept is what is `at_least` or `at_most` the value.

    `value` holds for every task that `per_task` does not name; None cuts nothing. A pair that is
    cut has the filter's `reason`.
    """

    filter: str  # one of catalog.records.SCORES
    bound: Bound
    reason: str
    value: float | None = None
    per_task: Mapping[str, float] = field(default_factory=dict)

    def cut(self) -> pl.Expr:
        """Whether a row's score lies on the wrong side; null where it has no score."""
        limit = pl.lit(self.value, pl.Float64)
        if self.per_task:
            tasks, values = list(self.per_task), list(self.per_task.values())
            limit = pl.col("task").replace_strict(
                tasks, values, default=limit, return_dtype=pl.Float64
            )
        score = pl.col(f"{self.filter}_score")
        beyond = score < limit if self.bound == "at_least" else score > limit
        return (beyond | score.is_nan()) & limit.is_not_null()


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds, and the filters that are `off`: their scores stay, but reject nothing."""

    thresholds: tuple[Threshold, ...] = ()
    off: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Equal for policies that decide alike."""
        return digest(self.document())

    def decide(self, pairs: pl.LazyFrame) -> pl.LazyFrame:
        """The pairs with `keep` and `reason` by this policy.

        `<filter>_reason` holds what no threshold decides: a check by construction that failed, a
        pair that the filter could not judge. The first filter that rejects, in the order of
        :data:`catalog.records.SCORES`, gives the pair its reason.
        """
        reasons = {name: self._reason(name) for name in SCORES if name not in self.off}
        rejecting = [pl.when(_rejects(reason)).then(reason) for reason in reasons.values()]
        reason = pl.coalesce(*rejecting, pl.lit(""))
        return pairs.with_columns(reason=reason).with_columns(keep=pl.col("reason") == "")

    def with_reasons(self, pairs: pl.LazyFrame) -> pl.LazyFrame:
        """The pairs with each filter's own `<filter>_reason` by this policy."""
        return pairs.with_columns(**{f"{name}_reason": self._reason(name) for name in SCORES})

    def without_reasons(self, pairs: pl.LazyFrame) -> pl.LazyFrame:
        """Undoes :meth:`with_reasons`: the rows of format 1 hold such reasons."""
        cut = {each.filter: each.reason for each in self.thresholds}
        return pairs.with_columns(
            pl.when(pl.col(f"{name}_reason") == reason)
            .then(pl.lit(""))
            .otherwise(pl.col(f"{name}_reason"))
            .alias(f"{name}_reason")
            for name, reason in cut.items()
        )

    def _reason(self, name: str) -> pl.Expr:
        own = pl.col(f"{name}_reason").fill_null("")
        threshold = next((t for t in self.thresholds if t.filter == name), None)
        if threshold is None:
            return own
        return (
            pl.when(own != "")
            .then(own)
            .when(threshold.cut().fill_null(False))
            .then(pl.lit(threshold.reason))
            .otherwise(pl.lit(""))
        )

    def document(self) -> dict[str, Any]:
        """As JSON has it; :meth:`from_document` is the inverse."""
        return {
            "thresholds": [dataclasses.asdict(each) for each in self.thresholds],
            "off": sorted(self.off),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Policy:
        """Raises EditmillError where it is no policy."""
        try:
            thresholds = tuple(Threshold(**each) for each in document["thresholds"])
            return cls(thresholds, tuple(document["off"]))
        except (KeyError, TypeError) as error:
            raise EditmillError(
                f"a policy has thresholds and off; this one lacks {error}"
            ) from None

    def changed(
        self,
        values: Mapping[str, float] | None = None,
        per_task: Mapping[tuple[str, str], float] | None = None,
        off: tuple[str, ...] = (),
        on: tuple[str, ...] = (),
    ) -> Policy:
        """With other values by filter, or by filter and task, and filters switched off or on.

        A new value for a filter holds for all of its tasks, but those that are given theirs. Raises
        EditmillError for a filter that is unknown or has no threshold.
        """
        for name in (*off, *on):
            if name not in SCORES:
                raise EditmillError(f"no filter {name!r}; there are: {', '.join(SCORES)}")
        thresholds = {each.filter: each for each in self.thresholds}
        for value in (*(values or {}).values(), *(per_task or {}).values()):
            if not math.isfinite(value):
                raise EditmillError(f"{value} is no threshold; give a number")
        for name, value in (values or {}).items():
            thresholds[name] = dataclasses.replace(self._of(name), value=value, per_task={})
        for (name, task), value in (per_task or {}).items():
            had = thresholds.get(name) or self._of(name)
            thresholds[name] = dataclasses.replace(had, per_task={**had.per_task, task: value})
        remaining = tuple(sorted({*self.off, *off} - {*on}))
        return Policy(tuple(thresholds.values()), remaining)

    def _of(self, name: str) -> Threshold:
        for each in self.thresholds:
            if each.filter == name:
                return each
        known = ", ".join(each.filter for each in self.thresholds) or "none"
        raise EditmillError(f"no filter {name!r} has a threshold here; there are: {known}")


def _rejects(reason: pl.Expr) -> pl.Expr:
    return (reason != "") & ~reason.is_in(UNDECIDED)
