"""A recipe's `filters` section: thresholds and models arrive at the filters."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from catalog.records import FILTER_SCORES
from catalog.validated import validated
from filters.config import Filters, filters_for
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality import model


def test_the_shipped_models_are_the_default() -> None:
    filters = {f.name: f for f in filters_for(Filters(), EmbeddedEncoder())}
    assert tuple(filters) == FILTER_SCORES
    for name in ("quality", "alignment"):
        assert filters[name].metrics and len(filters[name].model_version) == 8


def test_a_recipe_can_name_another_model_and_thresholds(tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    shutil.copy(model.SHIPPED, own)
    rules = Filters(quality=0.7, quality_per_task={"object_swap": 0.9}, quality_model=own)
    _, quality, _, _ = filters_for(rules, EmbeddedEncoder())
    assert (quality.threshold, quality.thresholds) == (0.7, {"object_swap": 0.9})
    own.write_bytes(b"no model")  # so the named file is what is read
    with pytest.raises(EditmillError, match=str(own)):
        _ = quality.version
    assert rules.model_dump(mode="json")["quality_model"] == own.as_posix()


def test_a_recipe_can_move_the_limits_of_plain_faults() -> None:
    _, usual, _, _ = filters_for(Filters(), EmbeddedEncoder())
    rules = Filters(quality_limits={"flattened": -0.8})
    _, quality, _, _ = filters_for(rules, EmbeddedEncoder())
    assert quality.limits == dataclasses.replace(usual.limits, flattened=-0.8)
    assert quality.version != usual.version  # what was judged by other limits is judged again
    assert "quality_limits" not in Filters().model_dump(mode="json")
    with pytest.raises(EditmillError, match=r"plain faults have no limit 'flat'.* flattened,"):
        validated(Filters, {"quality_limits": {"flat": 1}}, "recipe")


@pytest.mark.parametrize("key", ["quality_model", "style_probes"])
def test_a_model_that_is_not_there_is_refused_before_the_build(key: str) -> None:
    with pytest.raises(EditmillError, match=f"{key}.*there is no file none") as error:
        validated(Filters, {key: "none"}, "recipe")
    assert "\n" not in str(error.value)
