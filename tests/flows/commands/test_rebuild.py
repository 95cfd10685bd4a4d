"""Where `editmill rebuild` writes, and what it says where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize("place", [".", "again", "media"])
def test_a_folder_in_the_catalog_itself_is_refused(
    refused: Callable[..., str], root: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "link").symlink_to(root)
    before = sorted(root.rglob("*"))
    for out in (root / place, tmp_path / "link" / place):
        told = refused("rebuild", "ffff", "--out", out, "--catalog", root)
        assert "lies inside the catalog" in told and "outside of it" in told
    assert sorted(root.rglob("*")) == before
