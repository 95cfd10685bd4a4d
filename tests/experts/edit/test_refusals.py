"""What is refused after an edit was made, by what its expert says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from catalog.errors import BadInput
from catalog.records import Plan
from experts.base import EditResult
from experts.edit.job import refuse_poor_fill


@dataclass
class Removal:
    """What a refusal reads of a plan."""

    plan_id: str = "p1"
    label: str = "car"
    params: dict[str, Any] = field(default_factory=dict)


PLAN = cast(Plan, Removal())


def result(**info: float) -> EditResult:
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    return EditResult(frames, np.ones((2, 8, 8), bool), info)


def test_a_fill_that_is_expected_to_be_far_off_is_refused_in_one_line() -> None:
    with pytest.raises(BadInput) as error:
        refuse_poor_fill(PLAN, result(fill_error=-12.5), -17.0)
    assert error.value.reason == "background_unpredictable"
    assert "\n" not in str(error.value)
    assert "-12.5 dB" in str(error.value) and "plan.max_fill_error" in str(error.value)


def test_a_closer_fill_and_an_expert_that_fills_nothing_pass() -> None:
    refuse_poor_fill(PLAN, result(fill_error=-17.5), -17.0)
    refuse_poor_fill(PLAN, result(), -17.0)
