"""Which rejected pair is the counterpart of a kept one: the same edit of the same video, made again
or otherwise, and not as good.

Both are answers to one request only if a model would see the same input: the same source file, and
the same wish, that is task, object (`track_id`) and wanted content (`target_prompt`). The target
must be the side that was made: where the source was, the other target is the same footage. Of
several, another version of the same plan comes first, then the instruction with the most words in
common, then the smaller id. Where there is none, none is invented.
"""

from __future__ import annotations

import polars as pl

from catalog.export.pairs.facts import REJECTED
from catalog.export.pairs.splits import MADE_OF

SAME = ("source_video", "task", "track_id", "target_prompt")


def preferred(pairs: pl.DataFrame) -> pl.DataFrame:
    """The kept ones of `pairs` that have a rejected counterpart among them, with its columns."""
    made = pairs.filter(pl.col("generated_side") == "target")
    kept, rejected = made.filter("keep"), made.filter(~pl.col("keep"))
    names = {old: new for old, new in REJECTED.items() if old in pairs.columns}
    others = rejected.select(
        *SAME,
        *(pl.col(old).alias(new) for old, new in names.items()),
        pl.col("plan_id").alias("_plan"),
        pl.col(MADE_OF).alias("_made_of"),
    )
    both = kept.join(others, on=SAME, how="inner").filter(
        pl.col("rejected_video") != pl.col("target_video")
    )
    said, unsaid = _words("instruction"), _words("rejected_instruction")
    common = said.list.set_intersection(unsaid).list.len()
    alike = common / pl.max_horizontal(said.list.set_union(unsaid).list.len(), 1)
    same_plan = (pl.col("plan_id") == pl.col("_plan")) & (pl.col("plan_id") != "")
    nearest_first = both.with_columns(
        pl.col(MADE_OF).list.set_union("_made_of"), _same_plan=same_plan, _alike=alike
    ).sort(
        "pair_id", "_same_plan", "_alike", "rejected_pair_id",
        descending=[False, True, True, False],
    )  # fmt: skip
    nearest = nearest_first.unique("pair_id", keep="first", maintain_order=True)
    return nearest.drop("_plan", "_made_of", "_same_plan", "_alike")


def _words(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.extract_all(r"\w+")
