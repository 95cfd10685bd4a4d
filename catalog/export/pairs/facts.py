"""What an index says of a pair beside its files: the columns that a trainer may filter or weigh by.

Columns that the catalog does not have are passed over, so that a catalog of an earlier format is
exported as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

COLUMNS = (
    "pair_id", "task", "label", "instruction", "enhanced_instruction", "phrasings", "caption",
    "target_prompt", "generated_side", "expert", "expert_version", "seed", "clip_id", "source_id",
    "source_uri", "author", "licence", "output_licence", "may_train", "keep", "reason",
    "quality_score", "alignment_score", "construction_score", "subtle_score",
    "vlm_instruction_score", "vlm_preservation_score", "vlm_render_score", "fill_error",
)  # fmt: skip

REJECTED = {
    "pair_id": "rejected_pair_id",
    "target_video": "rejected_video",
    "instruction": "rejected_instruction",
    "reason": "rejected_reason",
    "quality_score": "rejected_quality_score",
    "alignment_score": "rejected_alignment_score",
    "construction_score": "rejected_construction_score",
    "subtle_score": "rejected_subtle_score",
    "vlm_instruction_score": "rejected_vlm_instruction_score",
    "vlm_preservation_score": "rejected_vlm_preservation_score",
    "vlm_render_score": "rejected_vlm_render_score",
    "licence": "rejected_licence",
    "output_licence": "rejected_output_licence",
    "may_train": "rejected_may_train",
}
"""Columns of the rejected pair, and what they are called beside the kept one's."""


def facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """These columns, without those that are empty in this row, or a score that is no number."""
    return {c: row[c] for c in COLUMNS if row.get(c) not in (None, "", []) and not _odd(row[c])}


def _odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def facts_json(row: Mapping[str, Any], more: Mapping[str, Any]) -> bytes:
    """The facts and `more` as one JSON object."""
    return json.dumps({**facts(row), **more}, ensure_ascii=False).encode()


def column_types() -> dict[str, Any]:
    """The polars types of these columns, of a rejected pair's, and of the files' names."""
    import polars as pl

    from catalog.records import Pair, schema

    types = schema(Pair)
    return {
        **{column: types[column] for column in COLUMNS if column in types},
        **{new: types[old] for old, new in REJECTED.items() if old in types},
        "mask_file_name": pl.String(),
    }
