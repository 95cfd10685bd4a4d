"""A build on lakeFS that was interrupted, while main's tables were looked after."""

import polars as pl
import pytest

import catalog
from catalog.storage import open_storage
from catalog.storage.location import Storage
from tests.catalog.writers import POLICY, SELECTION, clip

ROWS = {name: [clip(name)] for name in ("a", "b", "c")}


def at(storage: Storage):
    return catalog.open(storage).select(SELECTION, "{}", POLICY, "1.0")


@pytest.mark.parametrize("change", ["joined", "forgotten"])
def test_no_row_is_doubled(lakefs_uri, change):
    catalog.open(lakefs_uri, create=True)
    main = open_storage(lakefs_uri)
    branch = main.branch("build")
    at(branch).tables.put("clips", ROWS)  # into one file
    at(branch).tables.put("clips", {"d": [clip("d"), clip("e")]})
    branch.merge_into_main("built", {})
    at(main).become_main()
    branch = main.branch("build")
    at(branch).tables.put("clips", {"new": [clip("new")]})
    at(branch).tables.put("clips", {"a": [clip("a", caption="anew")]})
    branch.commit("stopped", {})
    if change == "joined":
        at(main).compact()
    else:
        at(main).tables.remove("clips", pl.col("clip_id") == "e")
    main.commit("looked after", {})
    branch = main.branch("build")
    at(branch).tables.put("clips", {**ROWS, "new": [clip("new")]})
    branch.merge_into_main("built", {})
    found = sorted(catalog.open(lakefs_uri).clips().collect()["clip_id"])
    assert found == ["a", "b", "c", "d", *(["e"] if change == "joined" else []), "new"]
