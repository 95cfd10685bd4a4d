"""What is known of a table's parts, also where names share a hash."""

import polars as pl
import pytest

from catalog.delta import parts
from catalog.records import Failure
from catalog.tables import Tables


def failure(n: int) -> Failure:
    return Failure(f"f{n}", "edit", "pair", "slow", "")


@pytest.mark.parametrize("shared", [False, True])
def test_each_part_is_found_in_a_checkpoint(tmp_path, monkeypatch, shared):
    at = Tables(tmp_path)
    at.put("failures", {f"p{n}": [failure(n)] for n in range(50)})
    at.put("failures", {"p3": []})
    at._at("failures").open().create_checkpoint()
    if shared:  # all names have one hash
        monkeypatch.setattr(
            pl.Series, "hash", lambda names, *_: pl.Series([7] * len(names), dtype=pl.UInt64)
        )
        monkeypatch.setattr(pl.Expr, "hash", lambda *_: pl.lit(7, pl.UInt64))
    known = parts.Parts(at.storage, "tables/failures/_delta_log")
    names = [f"p{n}" for n in range(50)]
    found = known.of([*names, "p50", "q"], 2)
    assert sorted(found) == sorted(names)
    assert [name for name, value in found.items() if value == parts.EMPTY] == ["p3"]
    assert len(set(found.values())) == 50
    assert known.filled(2) == {*names} - {"p3"}
    assert known.of([], 2) == {}
