"""Records and rows are the same thing twice."""

import dataclasses
import types
import typing
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import TABLES, Source, from_row, schema, to_row

texts = st.text(st.characters(exclude_categories=["Cs"]))  # surrogates are no text
json_maps = st.dictionaries(texts, st.none() | st.integers() | texts | st.lists(st.booleans()))


def values(hint: Any) -> st.SearchStrategy:
    if isinstance(hint, types.UnionType):
        return st.one_of(
            st.none() if arg is types.NoneType else values(arg) for arg in typing.get_args(hint)
        )
    if typing.get_origin(hint) is list:
        return st.lists(values(typing.get_args(hint)[0]), max_size=5)
    if typing.get_origin(hint) is dict:
        return json_maps
    return {
        str: texts,
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False),
        bool: st.booleans(),
    }[hint]


def records(record: type) -> st.SearchStrategy:
    hints = typing.get_type_hints(record)
    fields = {f.name: values(hints[f.name]) for f in dataclasses.fields(record)}
    return st.fixed_dictionaries(fields).map(lambda kwargs: record(**kwargs))


@pytest.mark.parametrize("table", TABLES)
@given(data=st.data())
def test_a_record_survives_its_row(table, data):
    record = data.draw(records(TABLES[table]))
    frame = pl.DataFrame([to_row(record)], schema=schema(TABLES[table]), orient="row")
    assert from_row(TABLES[table], frame.row(0, named=True)) == record


def test_a_document_written_before_a_field_was_added_gives_its_default():
    row = to_row(Source("id", "a.mp4", "a.mp4", "CC0-1.0", 64, 64, 25.0, 40, "h264", ["a.mp4"]))
    del row["names"], row["notes"]
    assert from_row(Source, row).names == []
    del row["codec"]
    with pytest.raises(KeyError):
        from_row(Source, row)


def test_a_null_of_an_added_field_gives_its_default():
    @dataclasses.dataclass(frozen=True)
    class Grown:
        key: str
        score: float | None
        added: str = "none yet"
        params: dict[str, Any] = dataclasses.field(default_factory=dict)

    row = {"key": "a", "score": None, "added": None, "params": None}
    assert from_row(Grown, row) == Grown("a", None, "none yet", {})
