"""The journal: a document is there whole or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog import products
from catalog.errors import EditmillError
from catalog.products import UPGRADED, Products
from catalog.storage.folder import FolderStorage

KEY = "ab" * 16

WRITER = """
import sys
from catalog.products import Products
from catalog.storage.folder import FolderStorage
products = Products(FolderStorage(sys.argv[1]))
print("ready", flush=True)
for n in range(10**9):
    products.put("edit", f"{n % 50:032x}", {"n": n, "again": n, "filler": "x" * 20_000})
"""


def test_what_is_put_can_be_got(tmp_path):
    journal = Products(FolderStorage(tmp_path))
    assert journal.get("edit", KEY) is None
    journal.put("edit", KEY, {"ref": "media/ab/x.mp4", "scores": [1, 0.5, None], "ä": {}})
    assert journal.get("edit", KEY) == {"ref": "media/ab/x.mp4", "scores": [1, 0.5, None], "ä": {}}
    assert journal.get("judge", KEY) is None
    assert (tmp_path / "work" / "edit" / "ab" / KEY / "main.json").exists()


@pytest.mark.parametrize(
    "content", [b"", b'{"ref": "med', b"\xff\xfe", b"[1]", b"null", b'{"%s": 1}' % KEY.encode()]
)
def test_a_damaged_document_reads_as_absent(tmp_path, content):
    journal = Products(FolderStorage(tmp_path))
    journal.put("edit", KEY, {"a": 1})
    (tmp_path / "work" / "edit" / "ab" / KEY / "main.json").write_bytes(content)
    assert journal.get("edit", KEY) is None
    journal.put("edit", KEY, {"a": 2})
    assert journal.get("edit", KEY) == {"a": 2}


def test_threads_may_write_one_key(tmp_path):
    journal = Products(FolderStorage(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: journal.put("edit", KEY, {"n": n}), range(100)))
    assert journal.get("edit", KEY)["n"] in range(100)
    assert len(list(tmp_path.rglob("*.*"))) == 1


def test_a_page_holds_what_was_put_on_it_by_anybody(tmp_path):
    journal = Products(FolderStorage(tmp_path))
    mine, theirs = (Products(FolderStorage(tmp_path)).page("edit", "clip") for _ in range(2))
    mine.put({"a": {"n": 1}})
    theirs.put({"b": {"n": 2}})
    mine.put({"c": {"n": 3}})
    assert [journal.page("edit", "clip").get(key) for key in "abcd"] == [
        {"n": 1}, {"n": 2}, {"n": 3}, None,
    ]  # fmt: skip
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_selections_find_each_others_products_and_never_write_one_page(tmp_path):
    one, other = (Products(FolderStorage(tmp_path), name).page("edit", "clip") for name in "ab")
    one.put({"k1": {"n": 1}})
    other.put({"k2": {"n": 2}})
    again = Products(FolderStorage(tmp_path), "a").page("edit", "clip")
    again.put({"k3": {"n": 3}})
    assert [again.get(key) for key in ("k1", "k2", "k3")] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [path.name for path in sorted(tmp_path.rglob("*.json"))] == ["a.json", "b.json"]


def test_an_upgraded_catalog_remembers_what_it_made_before(tmp_path):
    old = tmp_path / "work" / "format-1" / "edit" / "ab" / f"{KEY}.json"
    old.parent.mkdir(parents=True)
    old.write_text('{"n": 1}')
    assert Products(FolderStorage(tmp_path)).page("edit", "clip").get(KEY) is None
    (tmp_path / UPGRADED).write_text("{}")
    page = Products(FolderStorage(tmp_path)).page("edit", "clip")
    assert page.get(KEY) == {"n": 1}
    page.put({KEY: {"n": 2}})
    assert page.get(KEY) == {"n": 2}


def test_killed_while_writing(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(Path(products.__file__).parents[1])}
    journal = Products(FolderStorage(tmp_path))
    for round_ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, env=env
        )
        assert writer.stdout.readline()
        while not any(tmp_path.rglob("*.json")):  # a busy machine may take its time
            time.sleep(0.01)
        time.sleep(0.1 + 0.037 * round_)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for path in list(tmp_path.rglob("*.json")):
            raw = json.loads(path.read_bytes())  # never half a document
            key = path.parent.name
            assert raw == {key: journal.get("edit", key)}
            assert raw[key]["n"] == raw[key]["again"] and raw[key]["n"] % 50 == int(key, 16)
    journal.sweep()
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_names_stay_inside(tmp_path, name):
    with pytest.raises(ValueError, match="no stage or page"):
        Products(FolderStorage(tmp_path)).put(name, KEY, {})


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "work").write_bytes(b"")
    with pytest.raises(EditmillError, match="cannot be written"):
        Products(FolderStorage(tmp_path)).put("edit", KEY, {})
