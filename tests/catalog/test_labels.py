"""People's labels: which one holds, in whatever order they come, and in every storage."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import catalog
from catalog.errors import EditmillError
from catalog.keeping.upgrade import upgrade
from catalog.keys import digest
from catalog.labels import add, holding, labelled, newest
from catalog.records import Label, schema, to_row
from tests.catalog.keeping import format_1
from tests.catalog.writers import clip, selected
from tests.parts import by_key


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=12), st.data()
)
def test_the_newest_holds_in_whatever_order_rows_come(said, data) -> None:
    labels = [
        Label(digest(n), pair, good, "", "", f"2026-01-01T00:00:00.{n:06}+00:00")
        for n, (pair, good) in enumerate(said)
    ]
    mixed = data.draw(st.permutations(labels))
    frame = pl.LazyFrame([to_row(each) for each in mixed], schema=schema(Label), orient="row")
    found = newest(frame).collect()
    assert found.columns == schema(Label).names()
    assert dict(found.select("pair_id", "good").iter_rows()) == dict(said)


def test_they_are_stored_once_and_seen_from_every_selection(storage_uri: str) -> None:
    one = selected(storage_uri, "one")
    one.tables.put("clips", by_key([clip("a")]))
    one.release("v1")
    assert holding(one.storage) == {}  # as in a catalog of before there were labels
    first, another = labelled("p", True, "ada"), labelled("q", False)
    assert add(one, [first, another]) == [first, another]
    assert add(one, [labelled("p", True, "ada")]) == []
    second = labelled("p", False, "bob", "a shadow is left")
    assert add(catalog.open(storage_uri, "v1"), [second]) == [second]  # a release is looked at
    other = selected(storage_uri, "other")
    assert holding(other.storage)["p"] == second
    rows = other.sql("select pair_id, good from labels order by labelled_at").rows()
    assert rows[0] == ("p", True) and rows[-1] == ("p", False) and len(rows) == 3
    assert catalog.open(storage_uri, "v1").labels().collect().is_empty()  # as it was released
    other.compact()
    assert holding(other.storage)["p"] == second


def test_a_catalog_of_an_older_format_is_to_be_upgraded_first(tmp_path: Path) -> None:
    old = catalog.open(format_1.write(tmp_path / "old"))
    assert holding(old.storage) == {}
    with pytest.raises(EditmillError, match="editmill upgrade"):
        add(old, [labelled("p", True)])
    upgrade(tmp_path / "old")
    add(catalog.open(tmp_path / "old"), [labelled("p", True)])
    assert holding(old.storage)["p"].good
