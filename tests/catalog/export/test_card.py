"""What the dataset card tells."""

from __future__ import annotations

import glob
from pathlib import Path

import polars as pl
import pytest
import webdataset

import catalog
from catalog.export.card import DatasetCard, card
from catalog.export.formats import format_named
from catalog.export.general.web_dataset import WebDataset
from catalog.export.run import export
from catalog.policy import Policy, Threshold
from catalog.records import ModelRow
from catalog.releases import Catalog
from flows.commands.releasing.export import describe
from tests.catalog.export.conftest import Export
from tests.editmill.small_catalog import make_pair
from tests.parts import by_key


def written(dataset: Catalog, frame: pl.DataFrame, name: str = "huggingface") -> str:
    counts = {"train": len(frame)}
    frame = frame.with_columns(split=pl.lit("train"))
    return card(
        DatasetCard(dataset, format_named(name), frame, None, {"train": 1.0}, counts, {}, {}, "0a")
    )


@pytest.fixture
def text(run: Export, tmp_path: Path) -> str:
    run("diffsynth-ltx2", tmp_path / "out", splits={"train": 0.5, "test": 0.5})
    return (tmp_path / "out" / "README.md").read_text()


def test_it_counts_tasks_splits_and_what_is_left_out(text: str) -> None:
    assert "| task | train | test |" in text
    assert "| global_style_transfer | 2 | 0 |" in text and "| object_removal | 0 | 1 |" in text
    assert "| all | 3 | 2 |" in text
    assert "1 made of sources of two splits" in text
    assert "8n+1 frames, 24 frames/s, sides multiples of 32 px" in text


def test_it_names_release_licences_sources_and_scores(text: str) -> None:
    assert "from `v1`" in text and "The release's notes: the first" in text
    assert "| CC-BY-4.0 | file:bar | 1 |" in text and "| CC0-1.0 | file:bar | 4 |" in text
    assert "| quality | – | 0.75 to 0.75 | 5 |" in text
    assert "| alignment | – | not measured | 0 |" in text
    assert "- `quality`: 0.6" in text  # of the recipe


def test_it_tells_the_policy_and_the_models_that_took_part(tmp_path: Path) -> None:
    quality = Threshold("quality", "at_least", "edit_failed", 0.6, {"deblur": 0.4})
    subtle = Threshold("subtle", "at_most", "subtle", 0.9)
    main = catalog.open(tmp_path / "set", create=True)
    made = main.select("one", "{}", Policy((quality, subtle), off=("subtle",)), "7.8")
    made.tables.put("pairs", by_key([make_pair("deblur", "a.mp4", "b.mp4")]))
    models = [
        ModelRow(f"{name}@1", name, "1", "MIT | Apache", "pkg:x", {}) for name in ("used", "other")
    ]
    made.tables.put("models", by_key(models))
    made.become_main()
    made.release("v1", "{}", code="7.8", models={"used@1": {}})
    dataset = catalog.open(tmp_path / "set", ref="v1")
    told = written(dataset, dataset.pairs().collect())
    assert "built by editmill 7.8" in told
    assert "- `quality` keeps at least 0.6, 0.4 for deblur" in told
    assert "- `subtle` is off: it rejects nothing" in told and "at most 0.9" not in told
    assert "| used | 1 | MIT \\| Apache | pkg:x |" in told and "| other |" not in told


def test_it_sums_up_what_the_outputs_licences_allow(dataset: Catalog) -> None:
    frame = dataset.pairs().collect().head(3)
    told = written(
        dataset,
        frame.with_columns(
            output_licence=pl.Series(["Apache-2.0", "Apache-2.0", "LTX-2"]),
            may_train=pl.Series([True, True, None]),
        ),
    )
    assert "| Apache-2.0 | yes | 2 |" in told and "| LTX-2 | not known | 1 |" in told


def test_many_sources_are_counted_by_licence(dataset: Catalog) -> None:
    frame = dataset.pairs().collect().head(1)
    many = pl.concat(
        frame.with_columns(source_uri=pl.lit(f"file:{k}"), source_id=pl.lit(str(k)))
        for k in range(300)
    )
    told = written(dataset, many)
    assert "| CC0-1.0 | 300 | 300 |" in told and "file:7" not in told


def test_it_counts_every_file(run: Export, tmp_path: Path) -> None:
    done = run("kiwi-edit", tmp_path / "out", splits={"train": 0.5, "test": 0.5})
    texts = [
        path for path in (tmp_path / "out").rglob("*.*") if path.suffix in (".md", ".jsonl", ".csv")
    ]
    assert done.files["index"] == len(texts) == 5
    assert ", index 5" in f", {_files(tmp_path / 'out')}"


def _files(out: Path) -> str:
    return (out / "README.md").read_text().split("Files: ")[1].split(".")[0]


@pytest.mark.parametrize("name", ["diffsynth-vace", "ltx-trainer", "huggingface"])
@pytest.mark.parametrize(
    ("where", "masks"), [("mask <> ''", True), ("mask = ''", False)], ids=["masks", "none"]
)
def test_it_tells_of_masks_where_there_are_some(
    name: str, where: str, masks: bool, run: Export, tmp_path: Path
) -> None:
    run(name, tmp_path / "out", where=where)
    text = (tmp_path / "out" / "README.md").read_text()
    assert (tmp_path / "out" / "train" / "mask").exists() is masks
    assert ("mask/" in text) is masks
    if name != "huggingface":  # whose column is there, and null
        assert ("white where" in text) is ("_masked.json" in text) is masks


def test_webdatasets_way_to_load_finds_all_shards(dataset: Catalog, tmp_path: Path) -> None:
    format = WebDataset(records_per_shard=2)
    done = export(dataset, format, tmp_path / "out", splits={"train": 1.0})
    assert done.files["shard"] == 3
    code = format.notes[0].split("`")[1].replace("DIR", str(tmp_path / "out"))
    samples = list(eval(code, {"webdataset": webdataset, "glob": glob}))
    assert len(samples) == 6 and code in (tmp_path / "out" / "README.md").read_text().replace(
        "DIR", str(tmp_path / "out")
    )


def test_it_says_which_splits_are_empty(run: Export, tmp_path: Path) -> None:
    done = run("kiwi-edit", tmp_path / "out", splits={"train": 0.9999, "test": 0.0001})
    assert done.empty == ["test"] and list(done.splits) == ["train"]
    text = (tmp_path / "out" / "README.md").read_text()
    assert "No source fell into test: there is no such folder." in text
    assert "test: empty, no source fell into it; " in describe(done)
