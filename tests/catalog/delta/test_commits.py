"""What differs between two versions of a table, as its commits tell."""

import pytest

from catalog.delta import commits
from catalog.records import Failure
from catalog.tables import Tables
from tests.parts import by_key

LOG = "tables/failures/_delta_log"


def failure(name: str, message: str = "") -> Failure:
    return Failure(name, "edit", "record", "reason", message)


@pytest.fixture
def at(tmp_path) -> Tables:
    tables = Tables(tmp_path)
    for name in "ab":
        tables.put("failures", by_key([failure(name)]))
    return tables


def names(at: Tables) -> set[str]:
    return set(at.files("failures")["path"])


def now(at: Tables) -> int:
    version = at.version("failures")
    assert version is not None
    return version


def test_what_differs_are_the_files_of_one_version_and_not_of_the_other(at):
    old, before = now(at), names(at)
    at.put("failures", by_key([failure("a", "changed"), failure("c")]))
    at.put("failures", by_key([failure("a", "changed again")]))
    at.drop("failures", ["b"])
    at.compact({}, keep_hours=24)
    found = at.changed_files("failures", old, now(at))
    assert found is not None
    assert (set(found.added), set(found.removed)) == (names(at) - before, before - names(at))
    sizes = dict(at.files("failures").select("path", "size_bytes").rows())
    assert found.added == sizes
    assert at.changed_files("failures", now(at), now(at)) == commits.Commit()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"add": {}}'])
def test_a_commit_that_is_gone_or_damaged_tells_nothing(at, tmp_path, content):
    old = now(at)
    at.put("failures", by_key([failure("c")]))
    path = tmp_path / LOG / f"{now(at):020}.json"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert at.changed_files("failures", old, old + 1) is None
    assert commits.last_change(at.storage, "tables/failures", old + 1) == old + 1


def test_joining_files_changes_no_row(at):
    old = now(at)
    at.compact({})
    assert now(at) > old
    assert at.last_change("failures", now(at)) == old
    assert not at.moved("failures", old, now(at))
    at.put("failures", by_key([failure("c")]))
    assert at.moved("failures", old, now(at))
    assert at.moved("failures", None, now(at))
