"""WebDataset shards, read back by `webdataset` itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.export.general.web_dataset import WebDataset
from catalog.export.run import export
from catalog.releases import Catalog
from tests.catalog.export.compared import frames

webdataset = pytest.importorskip("webdataset")


def test_samples_hold_both_videos_the_mask_and_the_facts(dataset: Catalog, tmp_path: Path) -> None:
    export(dataset, WebDataset(records_per_shard=4), tmp_path / "out")
    shards = sorted((tmp_path / "out" / "train").glob("*.tar"))
    assert [shard.name for shard in shards] == ["train-000000.tar", "train-000001.tar"]
    url = str(tmp_path / "out" / "train" / "train-{000000..000001}.tar")
    samples = list(webdataset.WebDataset(url, shardshuffle=False, empty_check=False))
    assert len(samples) == 6
    assert [s["__key__"] for s in samples] == sorted(s["__key__"] for s in samples)
    for sample in samples:
        record = dataset.pair(sample["__key__"]).record
        for name, side in (("src.mp4", "source"), ("tgt.mp4", "target")):
            content = dataset.path(getattr(record, f"{side}_video")).read_bytes()
            if side == record.generated_side:  # signed: other bytes, the same pictures
                assert (frames(sample[name]) == frames(content)).all()
            else:
                assert sample[name] == content
        assert ("mask.mkv" in sample) == bool(record.mask)
        facts = json.loads(sample["json"])
        assert facts["instruction"] == record.instruction and facts["target_frames"] == 12
        assert "" not in facts.values() and None not in facts.values()
