"""Footage without cuts, for tests of what comes before and after the search for them: the detector
takes ten times as long as all else that they do."""

from collections.abc import Iterable
from typing import Any

import pytest

from experts.base import Frames
from flows.stages.clips import look


class OneShot:
    """Stands in for the shot detector: no video has a cut."""

    version = "one shot"

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def load(self) -> None:
        pass

    def shots(self, frames: Iterable[Frames]) -> list[tuple[int, int]]:
        return [(0, sum(1 for _ in frames))]


def without_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No video that the stage looks at has a cut."""

    def chosen(choice: Any, threshold: float) -> OneShot:
        return OneShot(threshold)

    monkeypatch.setattr(look, "chosen", chosen)
