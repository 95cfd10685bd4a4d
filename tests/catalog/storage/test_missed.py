"""lakeFS does not find an object while a commit moves it to what is committed (1.86: its branch is
read before, its uncommitted objects after). What is asked for again a moment later is there."""

from collections.abc import Iterator

import pytest

import catalog
from catalog.delta import writing
from catalog.storage import open_storage
from tests.catalog.storage.proxy import Proxy, proxy_to
from tests.catalog.writers import clip, selected


@pytest.fixture
def proxy(lakefs_server, lakefs_uri, monkeypatch) -> Iterator[Proxy]:
    with proxy_to(lakefs_server.endpoint) as proxy:
        monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", proxy.endpoint)
        yield proxy


def test_an_object_is_found(lakefs_uri, proxy):
    storage = open_storage(lakefs_uri)
    storage.write("media/a.mp4", b"a")
    ways = (
        lambda: storage.read("media/a.mp4"),
        lambda: storage.exists("media/a.mp4"),
        lambda: storage.local("media/a.mp4").exists(),
    )
    for way in ways:
        proxy.missed = ["media/a.mp4"]
        assert way()
        assert not proxy.missed
    storage.delete(["media/a.mp4"])
    assert storage.read("media/a.mp4") is None


def test_a_table_is_read_and_written(lakefs_uri, proxy):
    made = selected(lakefs_uri)
    for name in "abc":
        made.tables.put("clips", {name: [clip(name)]})
    commit = f"{made.selection.name}/clips/_delta_log/{2:020}.json"
    for again in (catalog.open(lakefs_uri), made):
        proxy.missed = [commit]
        again.tables.put("clips", {"d": [clip("d")], "c": [clip("c")]})
        proxy.missed.clear()
    for number in range(3):
        proxy.missed = [f"{made.selection.name}/clips/_delta_log/{number:020}.json"]
        assert sorted(catalog.open(lakefs_uri).clips().collect()["clip_id"]) == list("abcd")
        assert not proxy.missed


def test_a_writer_that_was_overtaken_goes_on(lakefs_uri, proxy):
    made, other = selected(lakefs_uri), selected(lakefs_uri)
    made.tables.put("clips", {"a": [clip("a")]})
    log, append = f"{made.selection.name}/clips/_delta_log", writing.append

    def overtaken(*args) -> None:
        patched.undo()
        other.tables.put("clips", {"b": [clip("b")]})
        proxy.missed = [f"{log}/{2:020}.json"]
        append(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writing, "append", overtaken)
        made.tables.put("clips", {"c": [clip("c")]})
    assert not proxy.missed
    assert sorted(made.clips().collect()["clip_id"]) == list("abc")
