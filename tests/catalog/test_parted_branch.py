"""A build on lakeFS that was interrupted, while main's tables were looked after."""

import polars as pl
import pytest

import catalog
from catalog.errors import EditmillError
from catalog.storage import open_storage
from catalog.storage.location import Storage
from catalog.storage.versioned import LakefsStorage
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


def test_main_commits_while_a_branch_takes_it_in(lakefs_uri):
    catalog.open(lakefs_uri, create=True)
    main = open_storage(lakefs_uri)
    at(main).tables.put("clips", {"a": [clip("a")]})
    at(main).tables.put("clips", {"b": [clip("b")]})
    at(main).become_main()
    main.commit("before", {})
    branch = main.branch("build")
    for name in ("c", "d"):  # two commits, of which main then has the first otherwise
        at(branch).tables.put("clips", {name: [clip(name)]})
    branch.commit("stopped", {})
    look = LakefsStorage._follow

    def look_and_be_overtaken(self: LakefsStorage, *args) -> None:
        look(self, *args)
        monkeypatch.undo()
        at(main).compact()
        main.commit("joined meanwhile", {})

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(LakefsStorage, "_follow", look_and_be_overtaken)
        branch = main.branch("build")
    parts = {name: [clip(name)] for name in "abcd"}
    at(branch).tables.put("clips", parts)
    with pytest.raises(EditmillError, match="run the build again"):
        branch.merge_into_main("built", {})
    assert sorted(catalog.open(lakefs_uri).clips().collect()["clip_id"]) == ["a", "b"]
    branch = main.branch("build")
    at(branch).tables.put("clips", parts)
    branch.merge_into_main("built", {})
    assert sorted(catalog.open(lakefs_uri).clips().collect()["clip_id"]) == ["a", "b", "c", "d"]
