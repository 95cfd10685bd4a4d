"""What the factory handles: typed, slotted records; the tables' schemas are derived from them.

Media are named by a reference relative to the catalog's root (`media/ab/abcd….mp4`), so a
catalog can be moved or put on an object store without touching a row.
"""

from catalog.records.builds import Failure, Label, ModelRow, Release, failure_id
from catalog.records.edits import FIRST_SEED, PAIR_TASKS, Pair, Plan
from catalog.records.footage import Clip, Source, Track
from catalog.records.local_edits import LOCAL_EDIT_TASKS, LocalEdit, Statistic
from catalog.records.rows import TABLES, from_row, key_column, schema, to_row
from catalog.records.scores import FILTER_SCORES, SCORES, VLM_SCORES, asked

__all__ = [
    "FILTER_SCORES",
    "FIRST_SEED",
    "LOCAL_EDIT_TASKS",
    "PAIR_TASKS",
    "SCORES",
    "TABLES",
    "VLM_SCORES",
    "Clip",
    "Failure",
    "Label",
    "LocalEdit",
    "ModelRow",
    "Pair",
    "Plan",
    "Release",
    "Source",
    "Statistic",
    "Track",
    "asked",
    "failure_id",
    "from_row",
    "key_column",
    "schema",
    "to_row",
]
