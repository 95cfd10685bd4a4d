"""Rows of a damaged or foreign table: a clean value, or one line that names the pair."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from catalog.errors import EditmillError
from catalog.releases import Catalog
from tests.catalog.export.conftest import Export

STYLE = "task = 'global_style_transfer'"

Altered = Callable[..., None]


@pytest.fixture
def alter(dataset: Catalog, monkeypatch: pytest.MonkeyPatch) -> Altered:
    """`alter(column=value)`: the pair of the upscaling gets these values, read from wherever."""

    def do(**columns: Any) -> None:
        table = Catalog.table

        def altered(self: Catalog, name: str) -> pl.LazyFrame:
            rows = table(self, name)
            if name != "pairs":
                return rows
            types = rows.collect_schema()
            here = pl.col("task") == "upscaling"
            return rows.with_columns(
                pl.when(here)
                .then(pl.lit(value, types[column]))
                .otherwise(pl.col(column))
                .alias(column)
                for column, value in columns.items()
            )

        monkeypatch.setattr(Catalog, "table", altered)

    return do


def lines(out: Path, text: str = "provenance/train.jsonl") -> list[dict[str, Any]]:
    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    written = (out / text).read_text().splitlines()
    return [json.loads(line, parse_constant=refused) for line in written]


@pytest.mark.parametrize(
    "name", ["huggingface", "diffsynth-vace", "instruct-pix2pix", "webdataset"]
)
@pytest.mark.parametrize(
    "shape",
    [
        {"source_fps": 0.0},
        {"target_fps": float("nan")},
        {"source_fps": float("inf")},
        {"target_frames": 0},
        {"source_width": None},
    ],
    ids=str,
)
def test_a_video_without_shape_is_left_out_and_named(
    name: str, shape: dict[str, Any], alter: Altered, dataset: Catalog, run: Export, tmp_path: Path
) -> None:
    (pair_id,) = dataset.pairs().filter(task="upscaling").collect()["pair_id"]
    alter(**shape)
    where = f"{STYLE} or task = 'upscaling'"
    done = run(name, tmp_path / "out", where=where)
    (reason,) = done.left_out
    assert done.left_out[reason] == 1 and pair_id in reason and "rate" in reason
    assert sum(done.splits.values()) == 2
    with pytest.raises(EditmillError, match=f"every record is left out.*{pair_id}") as told:
        run(name, tmp_path / "other", where="task = 'upscaling'")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("versions", "told"),
    [("", "–"), ("no JSON", "–"), ("[1]", "–"), ("null", "–"), (None, "–"),
     ('{"quality": 7, "subtle": "2"}', "7"), ('{"quality": {"a": 1}}', '{"a": 1}')],
)  # fmt: skip
def test_odd_filter_versions(
    versions: str | None, told: str, alter: Altered, run: Export, tmp_path: Path
) -> None:
    alter(filter_versions=versions)
    run("vefx", tmp_path / "out", where="task = 'upscaling'")
    assert f"| quality | {told} | 0.75" in (tmp_path / "out" / "README.md").read_text()
    (document,) = lines(tmp_path / "out")
    version = next(each["version"] for each in document["filters"] if each["name"] == "quality")
    assert version == ("" if told == "–" else told)


def test_a_score_that_is_no_number_is_none(alter: Altered, run: Export, tmp_path: Path) -> None:
    alter(quality_score=float("nan"))
    run("senorita", tmp_path / "out", where="task = 'upscaling'")
    (document,) = lines(tmp_path / "out")
    assert [s["score"] for s in document["filters"] if s["name"] == "quality"] == [None]


def test_half_a_surrogate_pair_can_be_written(alter: Altered, run: Export, tmp_path: Path) -> None:
    alter(params=r'{"words": "a \ud800 b"}', filter_versions=r'{"quality": "\udc00"}')
    done = run("vefx", tmp_path / "out", where="task = 'upscaling'")
    (document,) = lines(tmp_path / "out")
    assert document["edit"]["params"] == {"words": "a ? b"}
    assert done.signed == 1  # with the document as it lies beside
    assert r"| quality | \\udc00 |" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("params", ["", "no JSON", "[]"])
def test_params_that_are_none_name_the_pair(
    params: str, alter: Altered, dataset: Catalog, run: Export, tmp_path: Path
) -> None:
    (pair_id,) = dataset.pairs().filter(task="upscaling").collect()["pair_id"]
    alter(params=params)
    with pytest.raises(EditmillError, match=f"{pair_id}: its params are no JSON object"):
        run("vefx", tmp_path / "out", where="task = 'upscaling'")
