"""Which rows are exported, into which split, and which rejected pair stands beside a kept one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import catalog
from catalog.errors import EditmillError
from catalog.export.pairs.preferred import preferred
from catalog.export.pairs.selection import select
from catalog.export.pairs.splits import MADE_OF, parse_splits, split_of, with_splits
from catalog.export.shapes import Shape, VideoNeeds
from catalog.records import schema, to_row
from catalog.releases import Catalog
from tests.catalog.export.conftest import SECOND, Export
from tests.editmill.small_catalog import make_pair


def test_kept_pairs_are_taken_in_the_order_of_their_ids(dataset: Catalog) -> None:
    chosen = select(dataset, "pairs", None).frame
    kept = dataset.pairs().filter(pl.col("keep")).collect()
    assert chosen["pair_id"].to_list() == sorted(kept["pair_id"])


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("task = 'global_style_transfer'", 2),  # kept ones alone
        ("task = 'global_style_transfer' and (keep or not keep)", 3),
        ("not keep", 3),
        ("licence like 'CC-BY%'", 1),
        ("may_train", 1),  # of the others nothing is known
        ("quality_score >= 0.75 and target_width > 100", 1),
        ("alignment_score > 0", 0),  # never measured: null is no yes
    ],
)
def test_a_condition_is_sql_on_the_columns_of_pairs(
    dataset: Catalog, where: str, count: int
) -> None:
    if count:
        assert len(select(dataset, "pairs", where).frame) == count
    else:
        with pytest.raises(EditmillError, match=r"no kept pair meets .* same --catalog and --ref"):
            select(dataset, "pairs", where)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("quality_score >", "SQL condition"),
        ("", "is empty; it is an SQL condition"),  # a shell's variable that is not set
        (" \n", "is empty; it is an SQL condition"),
        ("qualty_score > 0.5", "no column qualty_score; did you mean quality_score"),
        ("task", "Boolean"),
        ("task > 3", "SQL condition"),
        ("keep; drop table pairs", "SQL condition"),
        ("task = '\udc80'", "SQL condition"),  # a byte that is no UTF-8, from a terminal
    ],
)
def test_a_condition_that_is_none_is_one_line(dataset: Catalog, where: str, told: str) -> None:
    with pytest.raises(EditmillError, match=told) as error:
        select(dataset, "pairs", where)
    assert "\n" not in str(error.value) and "quality_score" in str(error.value)
    assert len(str(error.value)) < 300  # and does not list 65 columns


def test_the_digest_follows_from_the_rows(dataset: Catalog) -> None:
    every = select(dataset, "pairs", None).digest
    assert every == select(dataset, "pairs", "keep").digest
    assert every != select(dataset, "pairs", "task <> 'upscaling'").digest


def test_all_sources_a_pair_shows_are_known(dataset: Catalog) -> None:
    frame = select(dataset, "pairs", "task = 'object_swap'").frame
    assert frame[MADE_OF].to_list() == [["source0", SECOND]]


def test_a_split_follows_from_the_source_alone_and_keeps_the_shares() -> None:
    shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
    places = Counter(split_of(f"source {k}", shares) for k in range(10_000))
    for name, share in shares.items():
        assert abs(places[name] / 10_000 - share) < 0.015
    assert split_of("source 7", shares) == split_of("source 7", shares)


@pytest.mark.parametrize(
    "text", ["", "train", "train=0.9", "train=1.5,x=-0.5", "a=0.5,a=0.5", "../x=1", "a=nan,b=1"]
)
def test_wrong_splits_are_one_line(text: str) -> None:
    with pytest.raises(EditmillError, match="--splits"):
        parse_splits(text)


def test_splits_are_names_and_shares() -> None:
    assert parse_splits("train=0.95, validation=0.05") == {"train": 0.95, "validation": 0.05}


def test_a_record_of_two_splits_is_in_none() -> None:
    frame = pl.DataFrame({"pair_id": ["a", "b"], MADE_OF: [["source0"], ["source0", "source3"]]})
    halves = with_splits(frame, {"train": 0.5, "validation": 0.5})
    assert halves["split"].to_list() == ["validation", None]
    assert with_splits(frame, {"train": 1.0})["split"].to_list() == ["train", "train"]


# --- preferences -------------------------------------------------------------------------------


def pairs(*rows: Any) -> pl.DataFrame:
    frame = pl.DataFrame([to_row(row) for row in rows], schema=schema(type(rows[0])))
    return frame.with_columns(pl.concat_list("source_id").alias(MADE_OF))


def edit(target: str, keep: bool = True, **changes: Any) -> Any:
    fields = dict(task="object_removal", source="source.mp4", track_id="track", plan_id="plan")
    fields |= changes
    return make_pair(target=target, keep=keep, **fields)


def rejected_of(*rows: Any) -> list[str]:
    return preferred(pairs(*rows))["rejected_video"].to_list()


def test_the_same_plans_other_version_comes_first() -> None:
    assert rejected_of(
        edit("good"),
        edit("bad", keep=False, instruction="Something else entirely."),
        edit("worse", keep=False, plan_id="another"),  # with the very same words
    ) == ["bad"]


def test_then_the_most_similar_instruction() -> None:
    assert rejected_of(
        edit("good", instruction="Remove the red car on the left."),
        edit("far", keep=False, plan_id="b", instruction="Take it away."),
        edit("near", keep=False, plan_id="c", instruction="Remove the car on the left."),
    ) == ["near"]


@pytest.mark.parametrize(
    "other",
    [
        dict(source="another.mp4"),
        dict(track_id="another"),
        dict(task="object_swap"),
        dict(target_prompt="a dog"),
        dict(generated_side="source"),
        dict(keep=True),
    ],
)
def test_none_is_invented(other: dict[str, Any]) -> None:
    assert rejected_of(edit("good"), edit("bad", **({"keep": False} | other))) == []


def test_each_kept_pair_has_one_rejected_one() -> None:
    assert rejected_of(
        edit("good"), edit("better"), edit("bad", keep=False), edit("worse", keep=False)
    ) in (["bad", "bad"], ["worse", "worse"])


def test_a_condition_can_ask_both_sides(dataset: Catalog) -> None:
    assert len(select(dataset, "preferences", None).frame) == 1
    with pytest.raises(EditmillError, match="rejected one of the same edit"):
        select(dataset, "preferences", "plan_id = 'plan' and keep")


# --- shapes ------------------------------------------------------------------------------------


def test_both_sides_get_the_targets_shape() -> None:
    needs = VideoNeeds(alike=True, frame_step=8, fps=24, multiple=32)
    fitted = needs.fitted(Shape(64, 30.0, 320, 180), Shape(65, 30.0, 854, 480))
    assert fitted == (Shape(49, 24, 832, 480),) * 2  # 64 / 30 s hold 51 frames at 24: 49 is 8n+1


@pytest.mark.parametrize("frames", [33, 49, 81])
def test_what_fits_is_left_alone(frames: int) -> None:
    shape = Shape(frames, 24.0, 832, 480)
    for needs in (
        VideoNeeds(),
        VideoNeeds(alike=True, frame_step=4),
        VideoNeeds(True, 8, 24.0, 32),
    ):
        assert needs.fitted(shape, shape) == (shape, shape)


def test_the_rates_fraction_loses_no_frame() -> None:
    shape = Shape(33, 30000 / 1001, 832, 480)
    assert VideoNeeds(alike=True, frame_step=4).fitted(shape, shape) == (shape, shape)


def test_too_short_and_too_small_are_left_out(run: Export, tmp_path: Path) -> None:
    needs = VideoNeeds(alike=True, frame_step=8, multiple=32)
    short, small = Shape(8, 24.0, 96, 64), Shape(33, 24.0, 96, 24)
    assert needs.fitted(short, short) is None and needs.fitted(small, small) is None


def test_an_empty_catalog_has_nothing_to_export(tmp_path: Path) -> None:
    empty = catalog.open(tmp_path / "set", create=True)
    for rows in ("pairs", "preferences", "local_edits"):
        with pytest.raises(EditmillError) as told:
            select(empty, rows, None)  # type: ignore[arg-type]
        assert "\n" not in str(told.value)
