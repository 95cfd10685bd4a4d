"""Nothing that an earlier training made is taken for one's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_training_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = "filters.quality.training.kept_sets.own_folder"
    monkeypatch.setattr(kept, lambda: tmp_path / "training-pairs")
