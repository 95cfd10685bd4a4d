"""Whether a table in an object store is whole, where others commit to it meanwhile."""

import pytest

from catalog.delta.object_integrity import check_objects
from catalog.errors import EditmillError
from catalog.storage import open_storage


@pytest.mark.parametrize("there", [True, False])
def test_a_commit_that_a_listing_went_past_is_asked_for_by_itself(tmp_path, monkeypatch, there):
    storage = open_storage(tmp_path)
    for version in range(3):
        if there or version != 1:
            storage.write(f"tables/t/_delta_log/{version:020}.json", b"{}")
    listed = [each for each in storage.list("tables/t") if f"{1:020}" not in each.key]
    monkeypatch.setattr(type(storage), "list", lambda self, key: iter(listed))
    if there:
        check_objects(storage, "tables/t", None)
        return
    with pytest.raises(EditmillError, match=f"{1:020}.json: is missing"):
        check_objects(storage, "tables/t", None)
