"""Contact sheets of a whole catalog."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import catalog
from infra.bench import sheets


@pytest.mark.parametrize(("more", "kind"), [([], "kept"), (["--rejected"], "rejected")])
def test_a_catalog_without_pairs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str], kind: str
) -> None:
    catalog.open(tmp_path / "set", create=True)
    arguments = [str(tmp_path / "set"), str(tmp_path / "sheets"), *more]
    monkeypatch.setattr(sys, "argv", ["sheets.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        sheets.main()
    assert f"no {kind} pair at main" in str(ended.value)
