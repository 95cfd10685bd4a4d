"""Thresholds measured on an encoder."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import pytest
import yaml

from catalog.errors import EditmillError
from filters.base import SCORE_RANGES
from filters.calibration.measure import (
    CalibratedThreshold,
    _at_least,
    as_dict,
    measure,
    recipe_lines,
)
from filters.encoder.clip import OpenClipEncoder
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality.training.good_edits import GoodEdits
from filters.rules import Filters


def test_a_threshold_loses_one_in_twenty_of_what_is_right() -> None:
    found = _at_least([i / 100 for i in range(101)], [-0.5, 0.02, 0.5])
    assert found.threshold == pytest.approx(0.05)
    assert found.auc == pytest.approx(0.828, abs=0.01) and found.decides
    assert (found.right, found.wrong) == (101, 3)


def test_what_decides_is_a_recipes_filters_section() -> None:
    found = {
        "object_swap": CalibratedThreshold(0.21234567, 0.9, 50, 500),
        "local_style_transfer": CalibratedThreshold(0.19, 0.55, 50, 500),
        "subtle": CalibratedThreshold(0.9712, 0.98, 20, 40),
    }
    rules = Filters.model_validate(yaml.safe_load(recipe_lines(found))["filters"])
    assert rules.subtle == 0.9712 and rules.alignment_per_task == {"object_swap": 0.2123}
    blind = {name: CalibratedThreshold(0.5, 0.5, 5, 5) for name in found}
    assert recipe_lines(blind) == ""
    assert not any(each["decides"] for each in as_dict(blind).values())


def test_the_embedded_encoder_is_refused() -> None:
    with pytest.raises(EditmillError, match="editmill train alignment"):
        measure(EmbeddedEncoder())


@pytest.mark.weights
def test_a_random_clip_knows_no_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("open_clip")
    from tests.checkpoints.open_clip import make

    small = functools.partial(GoodEdits, crops=1, long_side=128)
    monkeypatch.setattr("filters.calibration.measure.GoodEdits", small)
    monkeypatch.setattr("filters.calibration.measure.LOOKED_AT", 2)
    clip = OpenClipEncoder(checkpoint=str(make(tmp_path)), device="cpu")
    told: list[str] = []
    found = measure(clip, ("clip_city",), frames=1, tell=told.append)
    assert set(found) == {
        "global_style_transfer",
        "local_style_transfer",
        "object_swap",
        "object_addition",
        "subtle",
    }
    low, high = SCORE_RANGES["subtle"]
    for each in found.values():
        assert low <= each.threshold <= high and each.right and each.wrong
        assert math.isfinite(each.auc)
    assert abs(found["global_style_transfer"].auc - 0.5) < 0.2
    assert found["subtle"].auc > 0.6  # an edit moves even random features more than noise does
    assert len(told) == 3
