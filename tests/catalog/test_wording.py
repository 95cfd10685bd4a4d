"""Numbers in sentences."""

from __future__ import annotations

import pytest

from catalog.wording import counted


@pytest.mark.parametrize(("count", "said"), [(0, "0 clips"), (1, "1 clip"), (2, "2 clips")])
def test_one_is_singular(count: int, said: str) -> None:
    assert counted(count, "clip") == said


def test_a_plural_of_its_own() -> None:
    assert counted(1, "media", "media") == "1 media"
    assert counted(2, "file that is", "files that are") == "2 files that are"
